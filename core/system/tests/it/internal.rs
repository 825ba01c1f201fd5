use serde_json::{Value, json};

use crate::harness::Server;

const RULE: &str =
    r#"path "secret/a/*" { capabilities = ["read"] } path "b" { capabilities = ["update"] }"#;

async fn server() -> Server {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/mounts/secret", json!({ "type": "kv-v2" })).await;
    root.put("sys/mounts/hidden", json!({ "type": "kv" })).await;
    let visible = json!({ "listing_visibility": "unauth" });
    root.put(
        "sys/auth/up",
        json!({ "type": "userpass", "description": "people", "config": visible }),
    )
    .await;
    server
}

#[tokio::test]
async fn mounts_are_shown_to_those_who_can_use_them() {
    let server = server().await;
    let all = server.root().data("sys/internal/ui/mounts").await;
    assert!(all["secret"]["hidden/"].is_object() && all["auth"]["token/"].is_object());
    let client = server.root().with_policy("p", RULE).await;
    let some = client.data("sys/internal/ui/mounts").await;
    assert_eq!(some["secret"]["secret/"]["options"], json!({ "version": "2" }));
    assert!(some["secret"]["secret/"]["uuid"].is_string());
    assert!(some["secret"]["hidden/"].is_null());
    let nobody = server.nobody().data("sys/internal/ui/mounts").await;
    let up = json!({ "type": "userpass", "description": "people", "options": null });
    assert_eq!(nobody, json!({ "auth": { "up/": up }, "secret": {} }));
    // A bad token shows no more than none.
    assert_eq!(server.with("bad").data("sys/internal/ui/mounts").await, nobody);
}

#[tokio::test]
async fn the_mount_of_a_path_tells_nothing_to_others() {
    let server = server().await;
    let client = server.root().with_policy("p", RULE).await;
    for path in ["secret/a/b", "secret", "secret/zz"] {
        let mount = client.data(&format!("sys/internal/ui/mounts/{path}")).await;
        assert_eq!((&mount["path"], &mount["type"]), (&json!("secret/"), &json!("kv")), "{path}");
        assert_eq!(mount["options"], json!({ "version": "2" }));
    }
    for path in ["hidden/x", "nope/x"] {
        let answer = client.read(&format!("sys/internal/ui/mounts/{path}")).await;
        answer.refused(403, &format!("access to path \"{path}/\""));
    }
    server.nobody().read("sys/internal/ui/mounts/secret/a").await.refused(403, "permission denied");
}

#[tokio::test]
async fn the_resultant_acl_is_that_of_the_caller() {
    let server = server().await;
    assert_eq!(server.root().data("sys/internal/ui/resultant-acl").await, json!({ "root": true }));
    let client = server.root().with_policy("p", RULE).await;
    let acl = client.data("sys/internal/ui/resultant-acl").await;
    assert_eq!(acl["root"], false);
    assert_eq!(acl["glob_paths"]["secret/a/"], json!({ "capabilities": ["read"] }));
    assert_eq!(acl["exact_paths"]["b"], json!({ "capabilities": ["update"] }));
}

#[tokio::test]
async fn namespaces_are_shown_to_those_who_can_use_them() {
    let server = Server::start().await;
    let root = server.root();
    for name in ["a", "b"] {
        root.put(&format!("sys/namespaces/{name}"), json!({})).await;
    }
    assert_eq!(root.data("sys/internal/ui/namespaces").await, json!({ "keys": ["a/", "b/"] }));
    let policy = r#"path "a/secret/*" { capabilities = ["read"] }"#;
    let client = root.with_policy("p", policy).await;
    assert_eq!(client.data("sys/internal/ui/namespaces").await, json!({ "keys": ["a/"] }));
    server.nobody().read("sys/internal/ui/namespaces").await.refused(403, "permission denied");
}

#[tokio::test]
async fn the_api_describes_itself() {
    let server = server().await;
    let document = server.root().read("sys/internal/specs/openapi").await.expect(200).json;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let tune = &document["paths"]["/sys/mounts/{path}/tune"]["post"];
    let fields = &tune["requestBody"]["content"]["application/json"]["schema"]["properties"];
    assert!(fields["max_lease_ttl"]["description"].as_str().unwrap().contains("longest"));
    assert_eq!(document["paths"]["/sys/seal"]["x-vault-sudo"], true);
    assert!(document["paths"]["/secret/data/{path}"]["get"].is_object());
    // Every reference leads somewhere, and every parameter of a path is declared.
    check_references(&document, &document);
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in ["get", "post", "patch", "delete"].into_iter().map(|verb| &item[verb]) {
            let Some(operation) = operation.as_object() else { continue };
            let declared = operation.get("parameters").and_then(Value::as_array);
            let in_path = |one: &&Value| one["in"] == "path";
            let count = declared.map_or(0, |all| all.iter().filter(in_path).count());
            assert_eq!(count, path.matches('{').count(), "{path}");
        }
    }
    let nobody = server.nobody().read("sys/internal/specs/openapi").await.expect(200).json;
    assert_eq!(nobody["paths"], json!({}));
}

fn check_references(value: &Value, document: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                let pointer = target.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{target}");
            }
            members.values().for_each(|member| check_references(member, document));
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(item, document)),
        _ => {}
    }
}

#[tokio::test]
async fn help_says_what_a_path_is_for() {
    let server = server().await;
    let mount = server.core.mount_at(&base_types::Namespace::root(), "sys").unwrap();
    let about = core_system::help(&mount, "mounts/secret/tune").unwrap();
    assert!(about.help.contains("mounts/{path..}/tune"), "{}", about.help);
    assert!(about.help.contains("max_lease_ttl"), "{}", about.help);
    assert!(about.help.contains("Change the settings of a mount."));
    assert!(about.openapi["paths"]["/sys/mounts/{path}/tune"]["post"].is_object());
    let whole = core_system::help(&mount, "").unwrap();
    assert!(whole.help.contains("leases/revoke-prefix/{prefix..}"));
    assert!(core_system::help(&mount, "no/such/path/at/all").is_none());
}

#[tokio::test]
async fn tokens_entities_and_requests_are_counted() {
    let server = server().await;
    let root = server.root();
    let tokens = "sys/internal/counters/tokens";
    assert_eq!(root.data(tokens).await["counters"]["service_tokens"]["total"], 1);
    root.token(&["default"]).await;
    assert_eq!(root.data(tokens).await["counters"]["service_tokens"]["total"], 2);
    let entities = "sys/internal/counters/entities";
    assert_eq!(root.data(entities).await["counters"]["entities"]["total"], 0);
    root.put("auth/up/users/ann", json!({ "password": "hunter22" })).await;
    server.nobody().write("auth/up/login/ann", json!({ "password": "hunter22" })).await.expect(200);
    assert_eq!(root.data(entities).await["counters"]["entities"]["total"], 1);
    let requests = root.data("sys/internal/counters/requests").await;
    let again = root.data("sys/internal/counters/requests").await;
    let total = |data: &Value| data["counters"][0]["total"].as_u64().unwrap();
    assert_eq!(total(&again), total(&requests) + 1);
}
