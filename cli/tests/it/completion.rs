//! Completion of what only the server knows, against a real one.

use serde_json::{Value, json};
use testkit::TestServer;

use crate::alone::ours;

pub(crate) fn run() -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let server = runtime.block_on(with_secrets());
    let address = format!("BAO_ADDR=http://{}", server.address);
    let root = format!("BAO_TOKEN={}", server.root);
    for (words, expected) in [
        ("kv get sec", "secret/\n"),
        ("kv get secret/", "secret/app\nsecret/team/\n"),
        ("kv get secret/te", "secret/team/\n"),
        ("kv metadata put secret/team/", "secret/team/db\n"),
        ("kv get -mount=secret te", "team/\n"),
        ("kv get -mount=secret team/", "team/db\n"),
        ("kv put plain/", "plain/one\n"),
        ("list plain/o", "plain/one\n"),
        ("read sys/policies/acl/de", "sys/policies/acl/default\n"),
        ("secrets disable pl", "plain/\n"),
        ("auth tune us", "userpass/\n"),
        ("policy read ro", "root\n"),
        // Not what is asked for here: a second argument, a flag, another command.
        ("kv put secret/app sec", ""),
        ("kv get -versio", "-version=\n"),
        ("kv delete -versions=1 secret/ap", "secret/app\n"),
        ("token lookup sec", ""),
        ("kv get nosuch/", ""),
        ("kv get -wrap-ttl=5m secret/te", "secret/team/\n"),
    ] {
        check(words, &[&address, &root], expected)?;
    }
    // What is asked of the server on the way is never wrapped: that would leave a token each time.
    for words in ["kv get secret/te", "kv get -mount=secret te", "list secret/metadata/te"] {
        let expected = words.rsplit([' ', '=']).next().map(|begun| format!("{begun}am/\n"));
        check(words, &[&address, &root, "BAO_WRAP_TTL=5m"], &expected.unwrap_or_default())?;
    }
    // Without a token, with a wrong one, without a server: nothing, and no complaint.
    check("kv get sec", &[&address], "")?;
    check("kv get secret/", &[&address, "BAO_TOKEN=srs_wrong"], "")?;
    check("kv get sec", &["BAO_ADDR=http://127.0.0.1:1", &root], "")?;
    check("kv get sec", &["BAO_ADDR=nonsense", &root], "")?;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = silent.local_addr().map_err(|error| error.to_string())?;
    check("kv get sec", &[&format!("BAO_ADDR=http://{address}"), &root], "")
}

async fn with_secrets() -> TestServer {
    let server = testkit::server().await;
    let put = async |path: &str, body: Value| {
        let answer = server.call("PUT", path, &server.root, Some(body)).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
    };
    put("sys/mounts/secret", json!({ "type": "kv", "options": { "version": "2" } })).await;
    put("sys/mounts/plain", json!({ "type": "kv" })).await;
    put("sys/auth/userpass", json!({ "type": "userpass" })).await;
    for path in ["secret/data/app", "secret/data/team/db", "secret/data/$(id)"] {
        put(path, json!({ "data": { "k": "v" } })).await;
    }
    put("plain/one", json!({ "k": "v" })).await;
    server
}

fn check(words: &str, settings: &[&str], expected: &str) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let line = format!("{} completion words {words}", settings.join(" "));
    match ours(&line, home.path()) {
        (0, out, err) if out == expected && err.is_empty() => Ok(()),
        (code, out, err) => Err(format!(
            "{words}: exit code {code}\nstdout: {out}\nexpected: {expected}\nstderr: {err}"
        )),
    }
}
