use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn the_catalog_is_the_list_of_engines() {
    let server = Server::start().await;
    let root = server.root();
    let catalog = root.data("sys/plugins/catalog").await;
    assert_eq!(catalog["auth"], json!(["userpass"]));
    assert_eq!(catalog["secret"], json!(["kv", "loans"]));
    let listed = root.list("sys/plugins/catalog/secret").await.expect(200);
    assert_eq!(listed.json["data"]["keys"], json!(["kv", "loans"]));
    assert_eq!(root.data("sys/plugins/catalog/secret/kv").await["builtin"], true);
    root.read("sys/plugins/catalog/secret/nope").await.refused(404, "");
    root.list("sys/plugins/catalog/zz").await.refused(400, "the type of a plugin");
}

#[tokio::test]
async fn engines_are_opened_again_over_what_they_stored() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/mounts/kv", json!({ "type": "kv" })).await;
    root.put("kv/a", json!({ "b": "c" })).await;
    for body in [json!({ "plugin": "kv" }), json!({ "mounts": ["kv/"] })] {
        let reloaded = root.put("sys/plugins/reload/backend", body).await;
        assert!(reloaded["reload_id"].is_string());
        assert_eq!(root.data("kv/a").await, json!({ "b": "c" }));
    }
    for (body, text) in [
        (json!({}), "plugin or mounts must be provided"),
        (json!({ "plugin": "nope" }), "plugin not found in the catalog"),
        (json!({ "mounts": ["nope/"] }), "cannot fetch mount entry on \"nope/\""),
    ] {
        root.write("sys/plugins/reload/backend", body).await.refused(400, text);
    }
}
