use serde_json::json;

use crate::harness::Server;

const RULE: &str = r#"path "secret/*" { capabilities = ["read"] }"#;

#[tokio::test]
async fn a_token_its_accessor_and_its_holder_get_the_same_answer() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/policies/acl/p", json!({ "policy": RULE })).await;
    let (token, accessor) = root.token(&["p"]).await;
    let expect = json!({ "secret/a": ["read"], "sys/mounts": ["deny"] });
    let paths = json!(["secret/a", "sys/mounts"]);
    let own = server.with(&token);
    assert_eq!(own.put("sys/capabilities-self", json!({ "paths": paths })).await, expect);
    let by_token = json!({ "token": token, "paths": paths });
    assert_eq!(root.put("sys/capabilities", by_token).await, expect);
    let by_accessor = json!({ "accessor": accessor, "path": "secret/a,sys/mounts" });
    assert_eq!(root.put("sys/capabilities-accessor", by_accessor).await, expect);
    let one = root.put("sys/capabilities-self", json!({ "path": "secret/a" })).await;
    assert_eq!(one, json!({ "secret/a": ["root"], "capabilities": ["root"] }));
}

#[tokio::test]
async fn unknown_tokens_and_missing_fields_are_refused() {
    let server = Server::start().await;
    let root = server.root();
    for (path, body, text) in [
        ("capabilities", json!({ "token": "zz", "paths": ["a"] }), "invalid token"),
        ("capabilities", json!({ "paths": ["a"] }), "no token found"),
        ("capabilities-self", json!({}), "paths must be supplied"),
        ("capabilities-accessor", json!({ "accessor": "zz", "path": "a" }), "invalid accessor"),
        ("capabilities-accessor", json!({ "path": "a" }), "missing accessor"),
    ] {
        root.write(&format!("sys/{path}"), body).await.refused(400, text);
    }
}

/// CVE-2026-40264: nothing is found across namespaces.
#[tokio::test]
async fn a_namespace_knows_only_its_own_tokens() {
    let server = Server::start().await;
    let root = server.root();
    for name in ["a", "b"] {
        root.put(&format!("sys/namespaces/{name}"), json!({})).await;
    }
    root.at("b").put("sys/policies/acl/p", json!({ "policy": RULE })).await;
    let (token, accessor) = root.at("b").token(&["p"]).await;
    for (path, body) in [
        ("sys/capabilities", json!({ "token": token, "path": "secret/a" })),
        ("sys/capabilities-accessor", json!({ "accessor": accessor, "path": "secret/a" })),
    ] {
        root.at("a").write(path, body.clone()).await.refused(400, "invalid");
        root.write(path, body.clone()).await.refused(400, "invalid");
        let found = root.at("b").put(path, body).await;
        assert_eq!(found["secret/a"], json!(["read"]));
    }
}
