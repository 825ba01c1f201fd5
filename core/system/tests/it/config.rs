use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn cors_is_off_until_an_origin_is_allowed() {
    let server = Server::start().await;
    let root = server.root();
    assert_eq!(root.data("sys/config/cors").await, json!({ "enabled": false }));
    root.write("sys/config/cors", json!({})).await.refused(400, "at least one origin");
    let many = json!({ "allowed_origins": "*,http://a" });
    root.write("sys/config/cors", many).await.refused(400, "the '*' must be the only value");
    let cors = json!({ "allowed_origins": "http://a,http://b", "allowed_headers": "X-Z" });
    root.write("sys/config/cors", cors).await.expect(204);
    let shown = root.data("sys/config/cors").await;
    assert_eq!(shown["enabled"], true);
    assert_eq!(shown["allowed_origins"], json!(["http://a", "http://b"]));
    let headers = shown["allowed_headers"].as_array().unwrap();
    assert!(headers.contains(&json!("X-Vault-Token")) && headers.contains(&json!("X-Z")));
    assert_eq!(server.core.cors().unwrap().allowed_origins, ["http://a", "http://b"]);
    root.delete("sys/config/cors").await.expect(204);
    assert_eq!(root.data("sys/config/cors").await, json!({ "enabled": false }));
}

#[tokio::test]
async fn console_headers_are_kept() {
    let server = Server::start().await;
    let root = server.root();
    let path = "sys/config/ui/headers";
    root.list(path).await.refused(404, "");
    root.write(&format!("{path}/X-A"), json!({ "values": ["b", "c"] })).await.expect(204);
    assert_eq!(root.data(&format!("{path}/X-A")).await, json!({ "value": "b" }));
    let all = root.data(&format!("{path}/X-A?multivalue=true")).await;
    assert_eq!(all, json!({ "values": ["b", "c"] }));
    assert_eq!(root.list(path).await.json["data"]["keys"], json!(["X-A"]));
    for (name, values, text) in [
        ("X-Vault-A", json!(["b"]), "X-Vault headers cannot be set"),
        ("X-A", json!([]), "header and values must be specified"),
        ("X A", json!(["b"]), "a header is letters"),
        ("X-A", json!(["b\r\nSet-Cookie: c"]), "printable ASCII"),
    ] {
        let answer = root.write(&format!("{path}/{name}"), json!({ "values": values })).await;
        answer.refused(400, text);
    }
    root.delete(&format!("{path}/X-A")).await.expect(204);
    root.read(&format!("{path}/X-A")).await.refused(404, "");
}
