use serde_json::json;

use crate::harness::Server;

const POLICY: &str = r#"length = 10 rule "charset" { charset = "abc" min-chars = 1 }"#;

#[tokio::test]
async fn a_password_policy_makes_passwords() {
    let server = Server::start().await;
    let root = server.root();
    root.list("sys/policies/password").await.refused(404, "");
    root.write("sys/policies/password/p", json!({ "policy": POLICY })).await.expect(204);
    assert_eq!(root.data("sys/policies/password/P").await, json!({ "policy": POLICY }));
    let made = root.data("sys/policies/password/p/generate").await;
    let password = made["password"].as_str().unwrap();
    assert!(password.len() == 10 && password.chars().all(|c| "abc".contains(c)), "{password}");
    assert_eq!(root.list("sys/policies/password").await.json["data"]["keys"], json!(["p"]));
    root.delete("sys/policies/password/p").await.expect(204);
    root.read("sys/policies/password/p").await.refused(404, "policy does not exist");
    root.read("sys/policies/password/p/generate").await.refused(404, "policy does not exist");
}

#[tokio::test]
async fn a_policy_that_no_password_meets_is_refused() {
    let server = Server::start().await;
    let root = server.root();
    for (body, text) in [
        (json!({}), "missing policy"),
        (json!({ "policy": "length = 20" }), "no charset specified"),
        (json!({ "policy": POLICY, "entropy_source": "seal" }), "entropy_source"),
    ] {
        root.write("sys/policies/password/p", body).await.refused(400, text);
    }
}
