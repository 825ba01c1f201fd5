use base_types::Ttl;
use serde_json::{Value, json};

use crate::harness::{Client, Server};

async fn borrow(client: &Client<'_>, name: &str) -> String {
    let lent = client.read(&format!("loans/creds/{name}")).await.expect(200);
    lent.json["lease_id"].as_str().unwrap().to_owned()
}

async fn server() -> Server {
    let server = Server::start().await;
    server.root().put("sys/mounts/loans", json!({ "type": "loans" })).await;
    server
}

#[tokio::test]
async fn a_lease_is_looked_up_listed_renewed_and_revoked() {
    let server = server().await;
    let root = server.root();
    let id = borrow(&root, "ann").await;
    let shown = root.put("sys/leases/lookup", json!({ "lease_id": id })).await;
    assert_eq!(shown["id"], id.as_str());
    assert_eq!(shown["path"], "loans/creds/ann");
    assert_eq!((&shown["ttl"], &shown["renewable"]), (&json!(60), &json!(true)));
    assert_eq!(shown["last_renewal"], Value::Null);
    let folder = root.list("sys/leases/lookup/loans/creds").await.expect(200);
    assert_eq!(folder.json["data"]["keys"], json!(["ann/"]));
    let top = root.list("sys/leases/lookup").await.expect(200);
    assert!(top.json["data"]["keys"].as_array().unwrap().contains(&json!("loans/")));

    server.clock.advance(Ttl::from_seconds(30));
    for path in
        ["sys/leases/renew".to_owned(), "sys/renew".to_owned(), format!("sys/leases/renew/{id}")]
    {
        let renewed =
            root.write(&path, json!({ "lease_id": id, "increment": "120" })).await.expect(200);
        assert_eq!(renewed.json["lease_id"], id.as_str(), "{path}");
        assert_eq!(renewed.json["lease_duration"], 120);
        assert_eq!(renewed.json["renewable"], true);
    }
    root.write("sys/leases/revoke", json!({ "lease_id": id })).await.expect(204);
    root.write("sys/leases/revoke", json!({ "lease_id": id })).await.expect(204);
    root.write("sys/leases/lookup", json!({ "lease_id": id })).await.refused(400, "invalid lease");
    root.write("sys/leases/renew", json!({ "lease_id": id })).await.refused(400, "lease not found");
    root.write("sys/leases/renew", json!({})).await.refused(400, "lease_id must be specified");
}

#[tokio::test]
async fn a_token_is_revoked_by_its_lease_but_not_renewed() {
    let server = server().await;
    let root = server.root();
    let (token, _) = root.token(&["default"]).await;
    let listed = root.list("sys/leases/lookup/auth/token/create").await.expect(200);
    let id = format!("auth/token/create/{}", listed.json["data"]["keys"][0].as_str().unwrap());
    let renew = root.write("sys/leases/renew", json!({ "lease_id": id })).await;
    renew.refused(400, "tokens cannot be renewed through this endpoint");
    root.write("sys/leases/revoke", json!({ "lease_id": id })).await.expect(204);
    server.with(&token).read("auth/token/lookup-self").await.refused(403, "permission denied");
}

#[tokio::test]
async fn a_prefix_is_a_folder_and_takes_nothing_that_merely_begins_alike() {
    let server = server().await;
    let root = server.root();
    let (ann, anna) = (borrow(&root, "ann").await, borrow(&root, "anna").await);
    root.write("sys/leases/revoke-prefix/loans/creds/ann", json!({})).await.expect(204);
    root.write("sys/leases/lookup", json!({ "lease_id": ann })).await.refused(400, "invalid lease");
    root.put("sys/leases/lookup", json!({ "lease_id": anna })).await;
    // The old path, with a whole id.
    root.write(&format!("sys/revoke-prefix/{anna}"), json!({})).await.expect(204);
    root.write("sys/leases/lookup", json!({ "lease_id": anna }))
        .await
        .refused(400, "invalid lease");
    root.write("sys/leases/revoke-prefix", json!({})).await.refused(400, "the prefix is empty");
}

#[tokio::test]
async fn what_an_engine_cannot_take_back_is_listed_until_it_is_forced() {
    let server = server().await;
    let root = server.root();
    let id = borrow(&root, "stuck").await;
    let revoke = json!({ "lease_id": id });
    root.write("sys/leases/revoke", json!({ "lease_id": id, "sync": true }))
        .await
        .refused(502, "gone");
    for _ in 0..5 {
        let later = root.write("sys/leases/revoke", revoke.clone()).await.expect(200);
        assert!(later.json["warnings"][0].as_str().unwrap().contains("revoked later"));
    }
    let stuck = root.data("sys/leases?type=irrevocable").await;
    assert_eq!(stuck["lease_count"], 1);
    assert_eq!(stuck["leases"][0]["lease_id"], id.as_str());
    assert_eq!(stuck["leases"][0]["error"], "it is gone");
    assert_eq!(root.data("sys/leases/count?type=irrevocable").await["lease_count"], 1);
    root.read("sys/leases/count").await.refused(404, "");
    root.write("sys/leases/revoke-force/loans", json!({})).await.expect(204);
    assert_eq!(root.data("sys/leases/count?type=irrevocable").await["lease_count"], 0);
    root.write("sys/leases/lookup", revoke).await.refused(400, "invalid lease");
}

/// CVE-2026-45808: a lease id of another namespace means nothing here.
#[tokio::test]
async fn a_namespace_knows_only_its_own_leases() {
    let server = server().await;
    let root = server.root();
    for name in ["a", "b"] {
        root.put(&format!("sys/namespaces/{name}"), json!({})).await;
        root.at(name).put("sys/mounts/loans", json!({ "type": "loans" })).await;
    }
    let id = borrow(&root.at("b"), "ann").await;
    for elsewhere in [root.at("a"), root.clone()] {
        for path in ["sys/leases/lookup", "sys/leases/renew", "sys/renew"] {
            let answer = elsewhere.write(path, json!({ "lease_id": id })).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
        }
        for path in ["sys/leases/revoke", "sys/revoke"] {
            elsewhere.write(path, json!({ "lease_id": id })).await.expect(204);
        }
        for path in ["revoke-prefix", "leases/revoke-prefix", "revoke-force", "leases/revoke-force"]
        {
            elsewhere.write(&format!("sys/{path}/loans"), json!({})).await.expect(204);
        }
        elsewhere.list("sys/leases/lookup/loans").await.refused(404, "");
    }
    root.at("b").put("sys/leases/lookup", json!({ "lease_id": id })).await;
}
