//! The audit log as a whole server writes it.

use serde_json::{Value, json};
use testkit::server;

#[tokio::test(flavor = "multi_thread")]
async fn every_request_leaves_two_entries_and_no_secret() {
    let server = server().await;
    let root = &server.root;
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    server.call("POST", "sys/mounts/secret", root, Some(mount)).await;
    let before = server.audit_log().lines().count();
    let secret =
        json!({ "data": { "password": "planted-s3cret", "nested": [{ "deep": "planted-d33p" }] } });
    server.call("POST", "secret/data/a", root, Some(secret)).await;
    server.call("GET", "secret/data/a", root, None).await;
    server.call("GET", "secret/data/a", "srs_planted-wrong-token", None).await;
    server
        .call("POST", "auth/token/create", root, Some(json!({ "policies": ["planted-policy"] })))
        .await;
    let log = server.audit_log();
    let entries: Vec<Value> =
        log.lines().skip(before).map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = entries
        .iter()
        .map(|e| e["type"].as_str().unwrap())
        .filter(|t| *t != "checkpoint")
        .collect();
    assert_eq!(kinds, ["request", "response"].repeat(4), "{log}");
    for planted in ["planted-s3cret", "planted-d33p", "srs_planted-wrong-token", root.as_str()] {
        assert!(!log.contains(planted), "{planted} is in the log");
    }
    let denied = entries.iter().find(|e| e["error"] == "permission denied");
    assert_eq!(denied.unwrap()["request"]["path"], "secret/data/a");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_endpoint_finds_a_value_in_the_log() {
    let server = server().await;
    let root = &server.root;
    let mount = json!({ "type": "kv" });
    server.call("POST", "sys/mounts/plain", root, Some(mount)).await;
    server.call("POST", "plain/a", root, Some(json!({ "k": "needle" }))).await;
    let hash =
        server.call("POST", "sys/audit-hash/file", root, Some(json!({ "input": "needle" }))).await;
    let json = hash.json();
    let hash = json["data"]["hash"].as_str().unwrap_or_else(|| panic!("{json}"));
    assert!(hash.starts_with("hmac-sha256:"));
    assert!(server.audit_log().contains(hash));
}
