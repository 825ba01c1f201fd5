//! What was acknowledged is there after a restart, and one damaged value hurts nothing else.

use serde_json::json;
use testkit::server;

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let mut server = server().await;
    let root = server.root.clone();
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    server.call("POST", "sys/mounts/secret", &root, Some(mount)).await;
    server.call("POST", "secret/data/a", &root, Some(json!({ "data": { "k": "v1" } }))).await;
    server.call("POST", "secret/data/a", &root, Some(json!({ "data": { "k": "v2" } }))).await;
    server
        .call(
            "PUT",
            "sys/policies/acl/p",
            &root,
            Some(json!({ "policy": "path \"secret/*\" { capabilities = [\"read\"] }" })),
        )
        .await;
    let created =
        server.call("POST", "auth/token/create", &root, Some(json!({ "policies": ["p"] }))).await;
    let token = created.json()["auth"]["client_token"].as_str().unwrap().to_owned();
    let namespace = server.call("POST", "sys/namespaces/team", &root, Some(json!({}))).await;
    assert_eq!(namespace.status, 200, "{namespace:?}");
    server.restart().await;
    let answer = server.call("GET", "secret/data/a?version=1", &token, None).await;
    assert_eq!(answer.json()["data"]["data"]["k"], "v1", "{answer:?}");
    let answer = server.call("GET", "secret/data/a", &token, None).await;
    assert_eq!(answer.json()["data"]["metadata"]["version"], 2);
    assert_eq!(
        server.call("POST", "secret/data/a", &token, Some(json!({ "data": {} }))).await.status,
        403
    );
    let found = server.call("LIST", "sys/namespaces", &root, None).await;
    assert_eq!(found.json()["data"]["keys"][0], "team/", "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_file_leaves_the_server_sealed_and_the_data_alone() {
    let mut server = server().await;
    let root = server.root.clone();
    let key = server.folder().join("seal.key");
    std::fs::write(&key, "11".repeat(32)).unwrap();
    server.restart().await;
    let status = server.call("GET", "sys/seal-status", "", None).await;
    assert_eq!(status.json()["sealed"], true);
    let refused = server.call("GET", "sys/mounts", &root, None).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(server.call("GET", "sys/health", "", None).await.status, 503);
    std::fs::write(&key, "00".repeat(32)).unwrap();
    server.restart().await;
    assert_eq!(server.call("GET", "sys/mounts", &root, None).await.status, 200);
}
