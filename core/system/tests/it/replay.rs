use core_engine_api::Verb;
use serde_json::Value;

use crate::harness::{Answer, Server};

/// What differs here, and why. A line is a request and a part of what differs.
const EXPLAINED: &[(&str, &str)] = &[
    // OpenBao answers what the request said, null or {}; here a mount without options has null.
    ("GET  sys/mounts/x5", "data.options null instead of {}"),
    ("GET  sys/auth/up null", "data.options null instead of {}"),
    // A move is finished when it is answered, so there is nothing to wait for.
    ("POST  sys/remount", "Mount move has been queued"),
    // The name of the setting that Vault's documentation gives is understood too.
    ("GET  sys/auth/up/tune", "user_lockout_counter_reset_duration"),
    ("GET  sys/mounts/auth/up/tune", "user_lockout_counter_reset_duration"),
    // Nothing is answered where there is nothing to say.
    ("POST  sys/config/ui/headers/X-A", "status 204 instead of 200"),
    // Other words for the same refusal.
    ("GET a sys/metrics", "operation only available in root namespace"),
    ("GET a sys/key-status", "operation only available in root namespace"),
    ("POST a sys/rotate", "operation only available in root namespace"),
];

/// Answers of OpenBao 2.7.2 to the same requests in the same order.
#[tokio::test]
async fn answers_agree_with_openbao() {
    let server = Server::start().await;
    let recording: Value = serde_json::from_str(include_str!("openbao.json")).unwrap();
    let (mut differences, mut used) = (Vec::new(), vec![false; EXPLAINED.len()]);
    for step in recording["steps"].as_array().unwrap() {
        let namespace = step["namespace"].as_str().unwrap_or_default();
        let (verb, path) = (verb(&step["verb"]), step["path"].as_str().unwrap());
        let answer = server.root().at(namespace).send(verb, path, step["body"].clone()).await;
        let request =
            format!("{} {namespace} {path} {}", step["verb"].as_str().unwrap(), step["body"]);
        for difference in compare(step, &answer) {
            let known = EXPLAINED
                .iter()
                .position(|(start, part)| request.starts_with(start) && difference.contains(part));
            match known {
                Some(at) => used[at] = true,
                None => differences.push(format!("{request}\n    {difference}")),
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    let unused: Vec<_> = EXPLAINED.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(unused.is_empty(), "explained, but the same by now: {unused:?}");
}

fn verb(method: &Value) -> Verb {
    match method.as_str().unwrap() {
        "DELETE" => Verb::Delete,
        "GET" => Verb::Read,
        "LIST" => Verb::List,
        "PATCH" => Verb::Patch,
        "POST" => Verb::Write,
        "SCAN" => Verb::Scan,
        other => panic!("{other}"),
    }
}

fn compare(step: &Value, answer: &Answer) -> Vec<String> {
    let mut differences = Vec::new();
    if step["status"] != answer.status {
        differences.push(format!(
            "status {} instead of {}: {}",
            answer.status, step["status"], answer.error
        ));
    }
    if let Some(theirs) = step["errors"][0].as_str() {
        let (theirs, ours) = (plain(theirs), plain(&answer.error));
        if ours != theirs {
            differences.push(format!("error {ours:?} instead of {theirs:?}"));
        }
    }
    if step["warnings"] != answer.json["warnings"] {
        differences
            .push(format!("warnings {} instead of {}", answer.json["warnings"], step["warnings"]));
    }
    differ("data", &step["data"], &answer.json["data"], &mut differences);
    differences
}

/// Some texts come alone, some as a list of one, and no client sees a difference.
fn plain(error: &str) -> &str {
    error.strip_prefix("1 error occurred:\n\t* ").unwrap_or(error).trim_end()
}

/// Values that no two servers share.
const OWN: [&str; 9] = [
    "accessor",
    "encryptions",
    "id",
    "install_time",
    "migration_id",
    "modified",
    "running_plugin_version",
    "uuid",
    "version",
];

fn differ(place: &str, theirs: &Value, ours: &Value, differences: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().filter(|name| !b.contains_key(*name)) {
                differences.push(format!("{place}.{name} is missing"));
            }
            for name in b.keys().filter(|name| !a.contains_key(*name)) {
                differences.push(format!("{place}.{name} is new"));
            }
            for (name, theirs) in a {
                if let Some(ours) = b.get(name).filter(|_| !OWN.contains(&name.as_str())) {
                    differ(&format!("{place}.{name}"), theirs, ours, differences);
                }
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if theirs == ours => {}
        _ => differences.push(format!("{place} {ours} instead of {theirs}")),
    }
}
