//! A flipped bit in one value is reported, never served, and stops nothing else.

use base_types::ErrorKind;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_damaged_mount_does_not_keep_the_others_closed() {
    let mut world = World::start().await;
    world.write("secret/data/a", &world.root, json!({"data": {"a": 1}})).await;
    let lab = world.core.mount_at(&base_types::Namespace::root(), "lab").unwrap();
    world.store.damage(&format!("mount/root/{}", lab.record.uuid));
    world.restart().await;
    assert!(world.read("secret/data/a", &world.root).await.is_ok());
    world.refused("lab/creds/a", &world.root, json!({})).await;
}

#[tokio::test]
async fn a_damaged_namespace_does_not_keep_the_others_closed() {
    let mut world = World::start().await;
    world.add_namespace("ns1").await;
    world.add_namespace("ns2").await;
    world.store.damage("namespace/ns1");
    world.restart().await;
    assert!(world.read("ns2/auth/token/lookup-self", &world.root).await.is_ok());
    assert!(!world.read("ns1/auth/token/lookup-self", &world.root).await.is_ok());
}

#[tokio::test]
async fn a_damaged_token_is_reported_and_its_siblings_are_still_revoked() {
    let world = World::start().await;
    world.policy("", "maker", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let (parent, _) = world.token(json!({"policies": ["maker"]})).await;
    let mut children = Vec::new();
    for _ in 0..5 {
        children.push(world.token_at("auth/token/create", &parent, json!({})).await.0);
    }
    let id = world.id(&children[2]);
    world.store.damage(&format!("token/id/{id}"));
    let (kind, text) = world.read("auth/token/lookup-self", &children[2]).await.error();
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(text.contains(id.as_str()), "{text}");
    let error = world.core.revoke_token(&world.id(&parent)).await.unwrap_err();
    assert!(error.is(ErrorKind::Corrupt));
    for (at, child) in children.iter().enumerate().filter(|(at, _)| *at != 2) {
        assert!(!world.is_alive(child).await, "child {at}");
    }
    assert!(!world.is_alive(&parent).await);
    world.store.heal();
    world.core.revoke_token(&world.id(&parent)).await.unwrap();
    assert!(world.core.tokens.by_id(&id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_job_keeps_neither_the_server_shut_nor_the_others_from_going_on() {
    let mut world = World::start().await;
    for (name, prefix) in [("a", "lab/creds/a/"), ("b", "lab/creds/b/")] {
        let body = json!({"ttl": "9h", "target": "dead"});
        world.write(&format!("lab/creds/{name}"), &world.root, body).await;
        world.lab.dead.lock().unwrap().insert("dead".into());
        assert!(world.core.revoke_prefix("root", prefix, false).await.is_err());
        world.advance(1);
    }
    let key = &world.store.keys("lease/job/").await[0];
    world.store.damage(key);
    world.restart().await;
    world.lab.dead.lock().unwrap().clear();
    world.until(|| async { world.lab.revoked() == ["a", "b"] }).await;
    let finished = || async {
        let jobs = world.core.leases.jobs("root").await.unwrap();
        jobs.len() == 1 && jobs[0].prefix == "lab/creds/b/" && jobs[0].finished.is_some()
    };
    world.until(finished).await;
    // Asked for again, it is a new one.
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.write("lab/creds/a", &world.root, json!({"ttl": "9h", "target": "live"})).await;
    world.core.revoke_prefix("root", "lab/creds/a/", false).await.unwrap();
    assert_eq!(world.lab.revoked(), ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_trouble_does_not_keep_leases_from_ending() {
    let mut world = World::start().await;
    let body = json!({"ttl": "1m", "target": "dead"});
    world.write("lab/creds/a", &world.root, body).await;
    world.lab.dead.lock().unwrap().insert("dead".into());
    world.advance(60);
    let is_known = || async { !world.store.keys("lease/trouble/").await.is_empty() };
    world.until(is_known).await;
    let key = &world.store.keys("lease/trouble/").await[0];
    for is_waited_for in [true, false] {
        world.store.damage(key);
        world.restart().await;
        if is_waited_for {
            world.core.revoke_prefix("root", "lab/creds/none/", false).await.unwrap();
            assert!(world.core.leases.troubles().await.unwrap().is_empty());
        }
        world.lab.dead.lock().unwrap().clear();
        world.until(|| async { world.lab.revoked() == ["a"] }).await;
        world.until(|| async { world.store.keys("lease/trouble/").await.is_empty() }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_lease_does_not_keep_the_others_from_ending() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let made =
            world.write(&format!("lab/creds/{name}"), &world.root, json!({"ttl": "1m"})).await;
        ids.push(made["lease_id"].as_str().unwrap().to_owned());
    }
    world.store.damage(&format!("lease/id/root/{}", ids[0]));
    world.advance(60);
    world.until(|| async { world.lab.revoked() == ["b", "c"] }).await;
    assert!(world.store.keys("lease/stuck/").await[0].ends_with(&ids[0]));
    assert!(world.core.leases.stuck("root", "", 0).await.unwrap().is_empty());
    assert!(world.core.leases.read("root", &ids[0]).await.unwrap_err().is(ErrorKind::Corrupt));
    // Those that a token leaves behind are no different.
    let (token, _) = world.token(json!({"policies": ["root"], "ttl": "1h"})).await;
    for name in ["d", "e"] {
        let made = world.write(&format!("lab/creds/{name}"), &token, json!({"ttl": "1h"})).await;
        ids.push(made["lease_id"].as_str().unwrap().to_owned());
    }
    world.store.damage(&format!("lease/id/root/{}", ids[3]));
    world.write("auth/token/revoke", &world.root, json!({"token": token})).await;
    world.until(|| async { world.lab.revoked() == ["b", "c", "e"] }).await;
}
