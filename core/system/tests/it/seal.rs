use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn the_encryption_key_is_rotated() {
    let server = Server::start().await;
    let root = server.root();
    assert_eq!(root.data("sys/key-status").await["term"], 1);
    root.write("sys/rotate", Value::Null).await.expect(204);
    root.write("sys/rotate/keyring", Value::Null).await.expect(204);
    assert_eq!(root.data("sys/key-status").await["term"], 3);
    let config = json!({ "enabled": true, "interval": 0, "max_operations": 3_865_470_566_u64 });
    assert_eq!(root.data("sys/rotate/config").await, config);
    root.write("sys/rotate/config", json!({ "max_operations": 2_000_000, "interval": "48h" }))
        .await
        .expect(204);
    root.write("sys/rotate/config", json!({ "enabled": false })).await.expect(204);
    let config = json!({ "enabled": false, "interval": "48h0m0s", "max_operations": 2_000_000 });
    assert_eq!(root.data("sys/rotate/keyring/config").await, config);
    root.write("sys/rotate/config", json!({ "max_operations": 5 }))
        .await
        .refused(400, "in the range");
    root.write("sys/rotate/config", json!({ "interval": "1h" })).await.refused(400, "24h");
}

#[tokio::test]
async fn a_sealed_server_answers_nothing() {
    let server = Server::start().await;
    let root = server.root();
    root.write("sys/step-down", Value::Null).await.expect(204);
    root.write("sys/seal", Value::Null).await.expect(204);
    assert!(server.core.is_sealed());
    root.read("sys/mounts").await.refused(503, "Vault is sealed");
}

/// Root-protected paths need `sudo`, whatever else a policy grants.
#[tokio::test]
async fn without_sudo_the_server_is_not_sealed() {
    let server = Server::start().await;
    let policy =
        r#"path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let client = server.root().with_policy("almost", policy).await;
    client.read("sys/mounts").await.expect(200);
    for path in
        ["sys/seal", "sys/step-down", "sys/rotate", "sys/remount", "sys/auth/x", "sys/audit/x"]
    {
        client.write(path, json!({})).await.refused(403, "permission denied");
    }
    assert!(!server.core.is_sealed());
}
