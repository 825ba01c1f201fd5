use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn a_namespace_is_made_shown_changed_and_deleted() {
    let server = Server::start().await;
    let root = server.root();
    root.list("sys/namespaces").await.refused(404, "");
    let made = root.put("sys/namespaces/a", json!({ "custom_metadata": { "x": "y" } })).await;
    assert_eq!((&made["path"], &made["custom_metadata"]), (&json!("a/"), &json!({ "x": "y" })));
    assert_eq!(root.data("sys/namespaces/a").await, made);
    root.at("a").put("sys/namespaces/b", json!({})).await;
    assert_eq!(root.at("a").data("sys/namespaces/b").await["path"], "a/b/");
    root.read("sys/namespaces/a/b").await.refused(400, "namespace name cannot contain /");
    assert_eq!(root.list("sys/namespaces").await.json["data"]["keys"], json!(["a/"]));
    let scanned = root.send(Verb::Scan, "sys/namespaces", Value::Null).await;
    assert_eq!(scanned.json["data"]["keys"], json!(["a/", "a/b/"]));
    assert_eq!(root.at("a").list("sys/namespaces").await.json["data"]["keys"], json!(["b/"]));
    let patch = json!({ "custom_metadata": { "z": "1", "x": null } });
    let patched = root.send(Verb::Patch, "sys/namespaces/a", patch.clone()).await.expect(200);
    assert_eq!(patched.json["data"]["custom_metadata"], json!({ "z": "1" }));
    root.send(Verb::Patch, "sys/namespaces/nope", patch).await.refused(400, "namespace not found");

    for (verb, value, text) in [
        (Verb::Write, json!(1), "custom_metadata values must be strings"),
        (Verb::Write, Value::Null, "custom_metadata values must be strings"),
        (Verb::Patch, json!(1), "can only have string or null values"),
    ] {
        let body = json!({ "custom_metadata": { "z": value } });
        root.send(verb, "sys/namespaces/a", body).await.refused(400, text);
    }
    assert_eq!(root.data("sys/namespaces/a").await["custom_metadata"], json!({ "z": "1" }));

    root.delete("sys/namespaces/a").await.refused(400, "containing child namespaces");
    root.at("a").delete("sys/namespaces/b").await.expect(200);
    root.delete("sys/namespaces/a").await.expect(200);
    root.read("sys/namespaces/a").await.refused(404, "");
    let again = root.delete("sys/namespaces/a").await.expect(200);
    assert_eq!(again.json["warnings"], json!(["requested namespace does not exist"]));
}

/// CVE-2026-55775 and its kin: no name may be taken for something else.
#[tokio::test]
async fn names_with_a_second_reading_are_refused() {
    let server = Server::start().await;
    let root = server.root();
    for name in ["root", "ROOT", "Sys", "auth", "a*", "x/root", "identity", "audit", "cubbyhole"] {
        let answer = root.write(&format!("sys/namespaces/{name}"), json!({})).await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    root.write("sys/namespaces/x/y", json!({})).await.refused(400, "cannot contain /");
    root.put("sys/mounts/secret", json!({ "type": "kv" })).await;
    root.write("sys/namespaces/secret", json!({}))
        .await
        .refused(400, "conflicts with existing mount: secret/");
    root.put("sys/namespaces/a", json!({})).await;
    root.write("sys/mounts/a/kv", json!({ "type": "kv" }))
        .await
        .refused(400, "existing mount at a/");
}

/// CVE-2026-42186: a namespace that comes again under the same name is empty.
#[tokio::test]
async fn nothing_of_a_deleted_namespace_comes_back() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/namespaces/a", json!({})).await;
    let a = root.at("a");
    a.put("sys/mounts/kv", json!({ "type": "kv" })).await;
    a.put("kv/x", json!({ "v": "1" })).await;
    let rule = r#"path "*" { capabilities = ["read"] }"#;
    let holder = a.with_policy("p", rule).await;
    root.delete("sys/namespaces/a").await.expect(200);
    root.put("sys/namespaces/a", json!({})).await;
    a.read("kv/x").await.refused(404, "no handler");
    a.read("sys/policies/acl/p").await.refused(404, "");
    holder.read("sys/mounts").await.refused(403, "permission denied");
    a.put("sys/mounts/kv", json!({ "type": "kv" })).await;
    a.read("kv/x").await.refused(404, "");
}

/// Whoever administrates a namespace has no say outside of it.
#[tokio::test]
async fn an_administrator_of_a_namespace_stays_in_it() {
    let server = Server::start().await;
    let root = server.root();
    for name in ["a", "b"] {
        root.put(&format!("sys/namespaces/{name}"), json!({})).await;
    }
    let all = r#"path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "scan", "sudo"] }"#;
    let admin = root.at("a").with_policy("admin", all).await;
    admin.read("sys/mounts").await.expect(200);
    admin.put("sys/namespaces/c", json!({})).await;
    for elsewhere in [admin.at(""), admin.at("b")] {
        elsewhere.read("sys/mounts").await.refused(403, "permission denied");
        elsewhere.list("sys/policies/acl").await.refused(403, "permission denied");
    }
    // What concerns the whole server is closed to every namespace but the root.
    for (verb, path) in [
        (Verb::Read, "audit"),
        (Verb::Read, "config/auditing/request-headers"),
        (Verb::Read, "config/cors"),
        (Verb::Read, "config/state/sanitized"),
        (Verb::Read, "host-info"),
        (Verb::Read, "key-status"),
        (Verb::Read, "metrics"),
        (Verb::Read, "plugins/catalog"),
        (Verb::Read, "quotas/config"),
        (Verb::Read, "rotate/config"),
        (Verb::Write, "rotate"),
        (Verb::Write, "seal"),
        (Verb::Write, "step-down"),
    ] {
        let answer = admin.send(verb, &format!("sys/{path}"), Value::Null).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert_eq!(answer.error, "operation only available in root namespace", "{path}");
    }
    assert!(!server.core.is_sealed());
}

/// A path that leads into a namespace below is no way around what that namespace's policies say.
#[tokio::test]
async fn a_namespace_is_not_administrated_from_above_by_its_path() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/namespaces/a", json!({})).await;
    root.at("a").put("sys/mounts/kv", json!({ "type": "kv" })).await;
    root.put("sys/mounts/other", json!({ "type": "kv" })).await;
    root.read("sys/mounts/a/kv").await.refused(400, "No secret engine mount at a/kv/");
    root.read("sys/mounts/a/kv/tune").await.refused(400, "cannot fetch sysview");
    root.write("sys/mounts/a/kv/tune", json!({})).await.refused(400, "no mount entry found");
    root.delete("sys/mounts/a/kv").await.expect(204);
    for (from, to, text) in
        [("a/kv", "kv", "no matching mount"), ("other", "a/other", "existing mount at a/")]
    {
        root.write("sys/remount", json!({ "from": from, "to": to })).await.refused(400, text);
    }
    root.at("a").data("sys/mounts/kv").await;
    // Asking where a path leads is another matter.
    let found = root.data("sys/internal/ui/mounts/a/kv/x").await;
    assert_eq!((&found["path"], &found["type"]), (&json!("a/kv/"), &json!("kv")));
}
