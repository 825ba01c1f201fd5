use core_pipeline::Settings;
use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_device_is_enabled_listed_asked_for_hashes_and_disabled() {
    let server = Server::start().await;
    let root = server.root();
    assert_eq!(root.data("sys/audit").await, json!({}));
    let options = json!({ "file_path": "discard", "log_raw": false });
    let device = json!({ "type": "file", "description": "d", "options": options });
    root.write("sys/audit/f", device.clone()).await.expect(204);
    let shown = &root.data("sys/audit").await["f/"];
    assert_eq!(
        (&shown["type"], &shown["path"], &shown["description"]),
        (&json!("file"), &json!("f/"), &json!("d"))
    );
    let hash = root.put("sys/audit-hash/f", json!({ "input": "x" })).await;
    let again = root.put("sys/audit-hash/f", json!({ "input": "x" })).await;
    assert!(hash["hash"].as_str().unwrap().starts_with("hmac-sha256:"));
    assert_eq!(hash, again);
    root.write("sys/audit/f", device).await.refused(400, "path already in use");
    root.write("sys/audit/g", json!({ "type": "zz" })).await.refused(400, "unknown backend type");
    root.write("sys/audit-hash/nope", json!({ "input": "x" }))
        .await
        .refused(400, "unknown audit backend");
    root.write("sys/audit-hash/f", json!({})).await.refused(400, "is empty");
    root.write("sys/config/reload/audit", json!({})).await.expect(204);
    root.write("sys/config/reload/zz", json!({})).await.refused(400, "unknown subsystem");
    root.delete("sys/audit/f").await.expect(204);
    root.delete("sys/audit/f").await.expect(204);
    assert_eq!(root.data("sys/audit").await, json!({}));
}

/// CVE-2025-6000: by default nobody makes the server write a file of their choice.
#[tokio::test]
async fn devices_are_not_made_by_api_unless_the_operator_says_so() {
    let server = Server::start_with(Settings::default()).await;
    let device = json!({ "type": "file", "options": { "file_path": "discard" } });
    server.root().write("sys/audit/f", device).await.refused(400, "audit");
    assert_eq!(server.root().data("sys/audit").await, json!({}));
}

#[tokio::test]
async fn headers_are_audited_by_name() {
    let server = Server::start().await;
    let root = server.root();
    let path = "sys/config/auditing/request-headers";
    root.write(&format!("{path}/X-Foo"), json!({ "hmac": true })).await.expect(204);
    root.write(&format!("{path}/X-Bar"), json!({})).await.expect(204);
    let headers = json!({ "x-bar": { "hmac": false }, "x-foo": { "hmac": true } });
    assert_eq!(root.data(path).await, json!({ "headers": headers }));
    assert_eq!(root.data(&format!("{path}/X-Foo")).await, json!({ "X-Foo": { "hmac": true } }));
    root.delete(&format!("{path}/x-FOO")).await.expect(204);
    root.read(&format!("{path}/X-Foo")).await.refused(400, "Could not find header in config");
}
