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

/// A system that does not answer is left with nothing that nobody ends.
#[tokio::test(start_paused = true)]
async fn a_whole_id_as_a_prefix_is_a_lease() {
    let server = server().await;
    let root = server.root();
    let (one, two) = (borrow(&root, "away-1").await, borrow(&root, "away-2").await);
    let path = |id: &str| format!("sys/leases/revoke-prefix/{id}");
    let lookup = |id: &str| root.write("sys/leases/lookup", json!({ "lease_id": id }));
    root.write(&path(&one), json!({})).await.refused(503, "failed to revoke entry: nobody answers");
    root.write("sys/leases/renew", json!({ "lease_id": one })).await.refused(400, "lease expired");
    let waiting = || async { root.data("sys/leases/targets").await["targets"][0].clone() };
    assert_eq!(waiting().await["waiting"], 1);
    root.write(&path(&two), json!({ "sync": false })).await.expect(202);
    assert_eq!(waiting().await["waiting"], 2);
    for id in [&one, &two] {
        lookup(id).await.expect(200);
        root.write(&format!("sys/leases/revoke-force/{id}"), json!({})).await.expect(204);
        lookup(id).await.refused(400, "invalid lease");
    }
    let ann = borrow(&root, "ann").await;
    root.write(&path(&ann), json!({ "sync": false })).await.expect(202);
    until(|| async { lookup(&ann).await.status == 400 }).await;
}

/// Lets the server's own work go on until `done` holds; for tests with a paused runtime clock.
async fn until<F: Future<Output = bool>>(done: impl Fn() -> F) {
    for _ in 0..10_000 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it never came about");
}

#[tokio::test(start_paused = true)]
async fn what_an_engine_cannot_take_back_is_listed_until_it_is_forced() {
    let server = server().await;
    let root = server.root();
    let id = borrow(&root, "stuck").await;
    let revoke = json!({ "lease_id": id });
    root.write("sys/leases/revoke", revoke.clone())
        .await
        .refused(400, "failed to revoke entry: it is gone");
    root.write("sys/leases/renew", revoke.clone()).await.refused(400, "lease expired");
    let count = || async { root.data("sys/leases/count?type=irrevocable").await };
    until(|| async {
        server.clock.advance(Ttl::from_seconds(10));
        count().await["lease_count"] == 1
    })
    .await;
    let mount = root.data("sys/mounts/loans").await["accessor"].clone();
    assert_eq!(count().await["counts"][mount.as_str().unwrap()], 1);
    let stuck = root.data("sys/leases?type=irrevocable").await;
    assert_eq!(stuck["lease_count"], 1);
    let cause = "out of retries: it is gone";
    let listed = json!({"lease_id": id, "mount_id": mount, "error": cause});
    assert_eq!(stuck["leases"], json!([listed]));
    let shown = root.put("sys/leases/lookup", revoke.clone()).await;
    assert_eq!((&shown["revoke_error"], &shown["renewable"]), (&json!(cause), &json!(false)));
    root.write("sys/leases/renew", revoke.clone())
        .await
        .refused(400, "lease is expired and has failed previous revocation attempts");
    let metrics = root.read("sys/metrics?format=prometheus").await.expect(200).raw.unwrap();
    assert!(metrics.contains("\nvault_expire_num_irrevocable_leases 1\n"), "{metrics}");
    root.read("sys/leases/count").await.refused(404, "");

    // On request it is tried anew, and fails anew.
    root.write("sys/leases/retry", json!({})).await.expect(202);
    assert_eq!(count().await["lease_count"], 0);
    until(|| async {
        server.clock.advance(Ttl::from_seconds(10));
        count().await["lease_count"] == 1
    })
    .await;
    root.write("sys/leases/revoke-force/loans", json!({})).await.expect(204);
    assert_eq!(count().await["lease_count"], 0);
    root.write("sys/leases/lookup", revoke).await.refused(400, "invalid lease");
}

#[tokio::test(start_paused = true)]
async fn a_system_that_does_not_answer_is_shown_with_what_waits_for_it() {
    let server = server().await;
    let root = server.root();
    for name in ["away-1", "away-2", "ann"] {
        borrow(&root, name).await;
    }
    assert_eq!(root.data("sys/leases/targets").await["targets"], json!([]));
    server.clock.advance(Ttl::from_seconds(60));
    let targets = || async { root.data("sys/leases/targets").await["targets"].clone() };
    until(|| async { targets().await[0]["state"] == "failing" }).await;
    until(|| async { root.list("sys/leases/lookup/loans/creds/ann").await.status == 404 }).await;
    let shown = targets().await;
    assert_eq!(shown.as_array().unwrap().len(), 1);
    for (field, value) in [
        ("mount", json!("loans/")),
        ("target", json!("away")),
        ("waiting", json!(2)),
        ("last_error", json!("nobody answers")),
        ("since", json!("2026-01-01T00:01:00Z")),
    ] {
        assert_eq!(shown[0][field], value, "{field}");
    }
    assert!(shown[0]["next_try"].is_string(), "{shown}");
    let metrics = root.read("sys/metrics?format=prometheus").await.expect(200).raw.unwrap();
    let waiting = metrics.lines().find(|line| line.starts_with("strongroom_lease_target_waiting{"));
    assert!(waiting.unwrap().ends_with("target=\"away\"} 2"), "{metrics}");
    // It is no irrevocable lease, and asking again changes nothing but the number of tries.
    assert_eq!(root.data("sys/leases/count?type=irrevocable").await["lease_count"], 0);
    let tries = || async { targets().await[0]["tries"].as_u64().unwrap() };
    until(|| async { tries().await > 8 }).await;
    root.write("sys/leases/retry", json!({})).await.expect(202);
    root.write("sys/leases/revoke-force/loans", json!({})).await.expect(204);
    until(|| async { targets().await == json!([]) }).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_prefix_can_be_waited_for_or_watched() {
    let server = server().await;
    let root = server.root();
    for name in ["ann", "bob", "away-1"] {
        borrow(&root, name).await;
    }
    assert_eq!(root.data("sys/leases/jobs").await["jobs"], json!([]));
    let path = "sys/leases/revoke-prefix/loans/creds";
    root.write(path, json!({"sync": false})).await.expect(202);
    let jobs = || async { root.data("sys/leases/jobs").await["jobs"].clone() };
    until(|| async { jobs().await[0]["remaining"] == 1 }).await;
    until(|| async { jobs().await[0]["state"] == "waiting" }).await;
    until(|| async { jobs().await[0]["error"] != "" }).await;
    let job = jobs().await[0].clone();
    for (field, value) in [
        ("prefix", json!("loans/creds/")),
        ("total", json!(3)),
        ("handled", json!(3)),
        ("finished", Value::Null),
        ("irrevocable", json!(0)),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
    let id = job["id"].as_str().unwrap();
    assert_eq!(root.data(&format!("sys/leases/jobs/{id}")).await["id"], id);
    root.read("sys/leases/jobs/none").await.refused(404, "no such job");
    root.write(path, json!({})).await.refused(502, "nobody answers");
    root.write("sys/leases/revoke-force/loans", json!({})).await.expect(204);
    until(|| async {
        let jobs = jobs().await;
        jobs.as_array().unwrap().iter().all(|job| job["state"] == "finished")
    })
    .await;
    // Nothing there is no failure, waited for or not.
    root.write("sys/leases/revoke-prefix/none", json!({})).await.expect(204);
    root.write("sys/leases/revoke-prefix/none", json!({"sync": false})).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_revoked_behind_the_answer_on_request() {
    let server = server().await;
    let root = server.root();
    let id = borrow(&root, "ann").await;
    let revoke = json!({ "lease_id": id, "sync": false });
    root.write("sys/leases/revoke", revoke.clone()).await.expect(202);
    until(|| async {
        root.write("sys/leases/lookup", json!({ "lease_id": id })).await.status == 400
    })
    .await;
    root.write("sys/leases/revoke", revoke).await.expect(202);
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
        assert_eq!(elsewhere.data("sys/leases/jobs").await["jobs"], json!([]));
    }
    root.at("b").put("sys/leases/lookup", json!({ "lease_id": id })).await;
}
