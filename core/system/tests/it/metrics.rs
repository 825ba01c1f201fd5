use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn figures_are_true_in_both_formats() {
    let server = Server::start().await;
    let root = server.root();
    root.token(&["default"]).await;
    server.with("bad").read("sys/mounts").await.refused(403, "denied");
    let text = root.read("sys/metrics?format=prometheus").await.expect(200).raw.unwrap();
    assert!(text.contains("\nvault_token_creation 1\n"), "{text}");
    assert!(text.contains("\nstrongroom_requests_denied_total 1\n"), "{text}");
    assert!(text.contains("# TYPE vault_core_unsealed gauge\nvault_core_unsealed 1\n"), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<u64>().is_ok(), "{line}");
    }
    let json = root.read("sys/metrics").await.expect(200).json;
    let named = |list: &str, name: &str| -> Value {
        let all = json[list].as_array().unwrap();
        all.iter().find(|one| one["Name"] == name).cloned().unwrap_or_default()
    };
    assert_eq!(named("Gauges", "vault.core.unsealed")["Value"], 1);
    assert_eq!(named("Counters", "vault.token.creation")["Count"], 1);
    root.read("sys/metrics?format=zz").await.refused(400, "metric response format");
}

#[tokio::test]
async fn the_node_describes_itself() {
    let server = Server::start().await;
    let root = server.root();
    assert_eq!(root.data("sys/ha-status").await["nodes"][0]["active_node"], true);
    assert!(root.data("sys/host-info").await["host"]["procs"].as_u64().unwrap() > 0);
    let history = root.list("sys/version-history").await.expect(200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(history.json["data"]["keys"], json!([version]));
    let installed = &history.json["data"]["key_info"][version];
    assert_eq!(installed["previous_version"], Value::Null);
    assert_eq!(installed["timestamp_installed"], "2026-01-01T00:00:00Z");
}
