//! What the audit log sees of requests, and that nothing happens without it.

use std::path::Path;

use base_types::ErrorKind;
use core_audit::{DeviceConfig, Kind};
use core_engine_api::Verb;
use core_pipeline::AuditSetup;
use serde_json::{Value, json};

use crate::world::{With, World};

fn file(path: &Path) -> AuditSetup {
    let options = [("file_path", path.to_str().unwrap()), ("skip_test", "true")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let device = DeviceConfig {
        path: "file/".into(),
        kind: Kind::File,
        description: String::new(),
        options,
        local: false,
    };
    AuditSetup { devices: vec![device], ..AuditSetup::default() }
}

/// CVE-2025-62705, CVE-2024-8365, CVE-2025-4166 and their kin.
#[tokio::test]
async fn neither_tokens_nor_values_are_in_the_log_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let world = World::audited(file(&path)).await;
    let mut hidden = vec![world.root.clone()];
    let (token, accessor) =
        world.token(json!({"policies": ["root"], "id": "chosen-token-text"})).await;
    let (batch, _) = world.token(json!({"policies": ["default"], "type": "batch"})).await;
    world.write("secret/data/a", &token, json!({"data": {"field": "hunter2-value"}})).await;
    let with = With { token: Some(&token), wrap_ttl: Some(60), ..With::default() };
    let wrapped = world.send(Verb::Read, "secret/data/a", with).await.ok();
    let wrapping = wrapped["wrap_info"]["token"].as_str().unwrap().to_owned();
    world.write("sys/wrapping/unwrap", &token, json!({"token": wrapping})).await;
    let login = |password: &'static str| {
        let body = json!({"password": password, "policies": ["default"]});
        world.send(Verb::Write, "auth/door/login/alice", With { body, ..With::default() })
    };
    login("hunter3-wrong").await.error();
    let alice = login("open").await.ok()["auth"]["client_token"].as_str().unwrap().to_owned();
    world.read("auth/token/lookup-self", &batch).await.ok();
    world.read("secret/data/a", "guessed-token").await.denied();
    world.write("auth/token/lookup-accessor", &token, json!({"accessor": accessor})).await;
    hidden.extend([token, batch, alice, wrapping]);
    hidden.extend(["hunter2-value", "hunter3-wrong", "guessed-token"].map(str::to_owned));

    let log = std::fs::read_to_string(&path).unwrap();
    for secret in &hidden {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |kind: &str| entries.iter().filter(|entry| entry["type"] == kind).count();
    assert_eq!((count("request"), count("response")), (10, 10));
    let denied = entries.iter().find(|entry| entry["error"] == "permission denied").unwrap();
    assert_eq!(denied["request"]["path"], "secret/data/a");
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let mut world = World::audited(file(&path)).await;
    world.write("secret/data/a", &world.root, json!({"data": {"n": 1}})).await;
    // A log that is full, as the server finds it when it starts again.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    world.restart().await;
    let commits = world.store.commits.load(std::sync::atomic::Ordering::SeqCst);
    let with =
        With { token: Some(&world.root), body: json!({"data": {"n": 2}}), ..With::default() };
    let (kind, _) = world.send(Verb::Write, "secret/data/a", with).await.error();
    assert_eq!(kind, ErrorKind::Unavailable);
    assert_eq!(world.read("secret/data/a", &world.root).await.error().0, ErrorKind::Unavailable);
    assert_eq!(world.store.commits.load(std::sync::atomic::Ordering::SeqCst), commits);
    std::fs::remove_file(&path).unwrap();
    world.restart().await;
    assert_eq!(world.read("secret/data/a", &world.root).await.ok()["data"]["data"]["n"], 1);
}
