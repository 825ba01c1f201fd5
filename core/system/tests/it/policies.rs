use base_types::Ttl;
use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::harness::Server;

const RULE: &str = r#"path "secret/*" { capabilities = ["read"] }"#;

#[tokio::test]
async fn a_policy_is_written_shown_listed_and_deleted() {
    let server = Server::start().await;
    let root = server.root();
    root.write("sys/policies/acl/P1", json!({ "policy": RULE })).await.expect(204);
    let shown = root.data("sys/policies/acl/p1").await;
    assert_eq!((&shown["name"], &shown["policy"]), (&json!("p1"), &json!(RULE)));
    let shown = root.data("sys/policy/p1").await;
    assert_eq!((&shown["name"], &shown["rules"]), (&json!("p1"), &json!(RULE)));
    let names = json!(["default", "p1", "root"]);
    assert_eq!(root.list("sys/policies/acl").await.json["data"]["keys"], names);
    for answer in [root.list("sys/policy").await, root.read("sys/policy").await] {
        assert_eq!(answer.json["data"], json!({ "keys": names, "policies": names }));
    }
    let detailed = root.list("sys/policies/detailed/acl").await;
    assert_eq!(detailed.json["data"]["key_info"]["p1"]["policy"], RULE);
    root.delete("sys/policies/acl/p1").await.expect(204);
    root.delete("sys/policies/acl/p1").await.expect(204);
    root.read("sys/policies/acl/p1").await.refused(404, "");
}

#[tokio::test]
async fn a_text_may_come_encoded_and_under_its_old_name() {
    let server = Server::start().await;
    let root = server.root();
    let encoded = "cGF0aCAic2VjcmV0LyoiIHsgY2FwYWJpbGl0aWVzID0gWyJyZWFkIl0gfQ==";
    root.write("sys/policies/acl/p", json!({ "policy": encoded })).await.expect(204);
    assert_eq!(root.data("sys/policies/acl/p").await["policy"], RULE);
    let old = root.write("sys/policy/q", json!({ "rules": RULE })).await.expect(200);
    assert_eq!(old.json["warnings"], json!(["'rules' is deprecated, please use 'policy' instead"]));
    let odd = json!({ "policy": "path \"a\" { capabilities = [] }" });
    let warned = root.write("sys/policies/acl/r", odd).await.expect(200);
    assert!(warned.json["warnings"][0].as_str().unwrap().contains("line 1"));
}

#[tokio::test]
async fn a_policy_counts_its_versions_and_can_end() {
    let server = Server::start().await;
    let root = server.root();
    let write = |more: Value| {
        let mut body = json!({ "policy": RULE });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        root.write("sys/policies/acl/p", body)
    };
    write(json!({ "cas": 0, "cas_required": true })).await.expect(204);
    write(json!({})).await.refused(400, "check-and-set parameter required for this call");
    write(json!({ "cas": 2 })).await.refused(400, "2 did not match the current version 1");
    write(json!({ "cas": -1 })).await.refused(400, "set to -1 on existing entry");
    write(json!({ "cas": 1 })).await.expect(204);
    assert_eq!(root.data("sys/policies/acl/p").await["version"], 2);
    for (more, text) in [
        (json!({ "ttl": "1h", "expiration": "2200-01-01T00:00:00Z" }), "cannot supply both"),
        (json!({ "expiration": "2000-01-01T00:00:00Z" }), "has already elapsed"),
        (json!({ "allow_wildcards_in_identity_templates": true }), "is not supported"),
    ] {
        write(more).await.refused(400, text);
    }
    let holder = root.with_policy("p", RULE).await;
    let patch = json!({ "ttl": "1h" });
    root.send(Verb::Patch, "sys/policies/acl/p", patch.clone()).await.expect(200);
    root.send(Verb::Patch, "sys/policies/acl/none", patch).await.refused(400, "policy not found");
    let shown = root.data("sys/policies/acl/p").await;
    assert_eq!((&shown["policy"], &shown["version"]), (&json!(RULE), &json!(4)));
    assert!(shown["expiration"].is_string());
    holder.read("secret/x").await.refused(404, "no handler");
    server.clock.advance(Ttl::from_seconds(3601));
    holder.read("secret/x").await.refused(403, "permission denied");
    root.read("sys/policies/acl/p").await.refused(404, "");
    assert_eq!(
        root.list("sys/policies/acl").await.json["data"]["keys"],
        json!(["default", "root"])
    );
    write(json!({ "cas": -1 })).await.expect(204);
    assert_eq!(root.data("sys/policies/acl/p").await["version"], 1);
}

/// What is shown is what counts: after a stored `default` the built-in one is in force again.
#[tokio::test]
async fn a_default_policy_that_has_ended_gives_way_to_the_built_in_one() {
    let server = Server::start().await;
    let root = server.root();
    let (token, _) = root.token(&["default"]).await;
    let holder = server.with(&token);
    let built_in = root.data("sys/policies/acl/default").await["policy"].clone();
    for own in [RULE, "# It grants nothing.\n"] {
        holder.read("auth/token/lookup-self").await.expect(200);
        let body = json!({ "policy": own, "ttl": "10m" });
        root.write("sys/policies/acl/default", body).await.expect(204);
        holder.read("auth/token/lookup-self").await.refused(403, "permission denied");
        server.clock.advance(Ttl::from_seconds(601));
        assert_eq!(root.data("sys/policies/acl/default").await["policy"], built_in);
        holder.read("auth/token/lookup-self").await.expect(200);
        holder.read("secret/x").await.refused(403, "permission denied");
    }
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Nonsense(u8);

impl core_barrier::Record for Nonsense {
    const KIND: &'static str = "nonsense";
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_does_not_hide_the_others() {
    let server = Server::start().await;
    let root = server.root();
    root.write("sys/policies/acl/p", json!({ "policy": RULE })).await.expect(204);
    server.core.state.put("policy/acl/root/bad", &Nonsense(1)).await.unwrap();
    let detailed = root.list("sys/policies/detailed/acl").await.expect(200).json;
    assert_eq!(detailed["data"]["keys"], json!(["default", "p", "root"]));
    assert_eq!(detailed["data"]["key_info"]["p"]["policy"], RULE);
    let warning = detailed["warnings"][0].as_str().unwrap();
    assert!(warning.contains("policy/acl/root/bad cannot be read"), "{warning}");
    root.read("sys/policies/acl/bad").await.refused(500, "cannot be read");
}

/// CVE-2025-5999 and its kin: another spelling of a name is the same name.
#[tokio::test]
async fn what_the_server_relies_on_cannot_be_changed_under_any_spelling() {
    let server = Server::start().await;
    let root = server.root();
    for name in ["root", "ROOT", " root ", "response-wrapping", "Response-Wrapping"] {
        let path = format!("sys/policies/acl/{name}");
        root.write(&path, json!({ "policy": RULE })).await.refused(400, "cannot update");
        root.delete(&path).await.refused(400, "cannot delete");
    }
    root.delete("sys/policies/acl/Default").await.refused(400, "cannot delete default policy");
    for (body, text) in [
        (json!({}), "'policy' parameter not supplied or empty"),
        (json!({ "rules": RULE }), "'policy' parameter not supplied or empty"),
        (json!({ "policy": "path {" }), "failed to parse policy"),
        (json!({ "policy": "path \"x\" { capabilities = [\"raed\"] }" }), "did you mean"),
    ] {
        root.write("sys/policies/acl/p", body).await.refused(400, text);
    }
    root.read("sys/policies/acl").await.refused(405, "unsupported operation");
}
