//! Secrets that are made in another system once their lease is stored.

use std::sync::Arc;
use std::time::Duration;

use base_types::Ttl;
use core_engine_api::Verb;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::world::{Answer, With, World};

fn made(world: &World) -> Vec<String> {
    world.lab.made.lock().unwrap().keys().cloned().collect()
}

/// Asks for a secret whose making waits for the gate.
async fn begin(world: &Arc<World>, token: &str, act: &str) -> (Arc<Notify>, JoinHandle<Answer>) {
    let gate = Arc::new(Notify::new());
    *world.lab.act_gate.lock().unwrap() = Some(gate.clone());
    let (world, token) = (world.clone(), token.to_owned());
    let body = json!({"ttl": "1h", "act": act});
    let making = tokio::spawn(async move {
        let with = With { token: Some(&token), body, ..With::default() };
        world.send(Verb::Write, "lab/creds/a", with).await
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    (gate, making)
}

async fn settled(world: &World) {
    world.until(|| async { world.store.keys("lease/id/root/lab/").await.is_empty() }).await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_there_before_the_secret() {
    let world = Arc::new(World::start().await);
    let (gate, making) = begin(&world, &world.root, "make").await;
    assert_eq!(world.core.leases.count("root", "lab/").await.unwrap(), 1);
    assert!(made(&world).is_empty());
    gate.notify_one();
    let answer = making.await.unwrap().ok();
    assert_eq!(answer["lease_duration"], 3600);
    let end = world.lab.made.lock().unwrap()["a"];
    let id = answer["lease_id"].as_str().unwrap();
    let lease = world.core.leases.read("root", id).await.unwrap().unwrap();
    assert_eq!(lease.expires, Some(end), "the engine is told when the lease ends");
    world.advance(3600);
    settled(&world).await;
    assert_eq!((made(&world), world.lab.revoked()), (vec![], vec!["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_failed_to_be_made_is_cleaned_up_however_far_it_got() {
    for act in ["fail", "half"] {
        let world = World::start().await;
        let body = json!({"ttl": "1h", "act": act});
        let error = world.refused("lab/creds/a", &world.root, body).await;
        assert!(["no connection", "the connection broke"].contains(&&*error), "{error}");
        settled(&world).await;
        assert_eq!((made(&world), world.lab.revoked()), (vec![], vec!["a".to_owned()]), "{act}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_to_be_made_has_its_place_in_a_quota_until_it_is_cleaned_up() {
    let world = World::start().await;
    let quota = core_quota::Quota {
        name: "q".into(),
        path: "lab/".into(),
        inheritable: false,
        limit: core_quota::Limit::Leases { max: 3 },
    };
    world.core.write_quota(quota).await.unwrap();
    world.write("lab/creds/good", &world.root, json!({"ttl": "1h"})).await;
    for _ in 0..4 {
        world.lab.dead.lock().unwrap().insert(String::new());
        world.refused("lab/creds/a", &world.root, json!({"ttl": "1h", "act": "fail"})).await;
        assert_eq!(world.core.quotas.leases("q"), 2);
        world.lab.dead.lock().unwrap().clear();
        world.until(|| async { world.core.quotas.leases("q") < 2 }).await;
        assert_eq!(world.core.leases.count("root", "lab/").await.unwrap(), 1);
        assert_eq!(world.core.quotas.leases("q"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_lease_and_secret_leaves_a_lease_that_cleans_up() {
    for is_made in [false, true] {
        let mut world = Arc::new(World::start().await);
        let (gate, making) = begin(&world, &world.root, "make").await;
        if is_made {
            // The other system has done it, and nobody hears of that any more.
            world.store.dies_after(0);
            gate.notify_one();
            tokio::time::sleep(Duration::from_millis(10)).await;
            world.store.heal();
        }
        making.abort();
        let _ = making.await;
        Arc::get_mut(&mut world).unwrap().restart().await;
        assert_eq!(made(&world).len(), usize::from(is_made));
        assert_eq!(world.core.leases.count("root", "lab/").await.unwrap(), 1);
        world.advance(3600);
        settled(&world).await;
        assert_eq!((made(&world), world.lab.revoked()), (vec![], vec!["a".to_owned()]));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_secret_whose_token_ended_while_it_was_made() {
    let world = Arc::new(World::start().await);
    let (token, _) = world.token(json!({"policies": ["root"], "ttl": "2h"})).await;
    let (gate, making) = begin(&world, &token, "make").await;
    world.write("auth/token/revoke", &world.root, json!({"token": token})).await;
    // It is not taken back before it is there: then it would stay.
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(world.lab.revoked().is_empty());
    gate.notify_one();
    assert!(making.await.unwrap().error().1.starts_with("Secret cannot be returned"));
    settled(&world).await;
    assert_eq!((made(&world), world.lab.revoked()), (vec![], vec!["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_system_that_never_answers_is_given_up_on() {
    let world = Arc::new(World::start().await);
    let (_gate, making) = begin(&world, &world.root, "make").await;
    let (_, text) = making.await.unwrap().error();
    assert_eq!(text, "the system did not answer within 60 seconds");
    settled(&world).await;
    assert_eq!(world.lab.revoked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_turns_out_short_lived_has_such_a_lease() {
    let world = World::start().await;
    let body = json!({"ttl": "1h", "act": "short"});
    let answer = world.write("lab/creds/a", &world.root, body).await;
    assert_eq!((&answer["lease_duration"], &answer["data"]), (&json!(60), &json!("made")));
    assert_eq!(answer["warnings"], json!(["it is short"]));
    world.advance(60);
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_extends_the_secret_first_and_the_lease_only_if_that_worked() {
    let world = World::start().await;
    let body = json!({"ttl": "1h", "act": "make"});
    let answer = world.write("lab/creds/a", &world.root, body).await;
    let id = answer["lease_id"].as_str().unwrap();
    let lease = || async { world.core.leases.read("root", id).await.unwrap().unwrap() };
    let renew = || async {
        let (lease, mut warnings) = (lease().await, Vec::new());
        world.core.renew_lease(&lease, Ttl::from_seconds(7200), &mut warnings).await
    };
    world.advance(1800);
    renew().await.unwrap();
    let end = lease().await.expires;
    assert_eq!(world.lab.made.lock().unwrap().get("a").copied(), end);
    assert_eq!(lease().await.issued.until(end.unwrap()).seconds(), 1800 + 7200);
    // One that is not answered changes nothing, and one that comes too late revives nothing.
    *world.lab.act_gate.lock().unwrap() = Some(Arc::new(Notify::new()));
    assert!(renew().await.is_err());
    assert_eq!(lease().await.expires, end);
    let gate = Arc::new(Notify::new());
    *world.lab.act_gate.lock().unwrap() = Some(gate.clone());
    let late = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.advance(7200);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(world.lab.revoked().is_empty(), "it waits for the renewal");
        gate.notify_one();
    };
    let (renewed, ()) = tokio::join!(renew(), late);
    assert_eq!(renewed.unwrap_err().public(), "lease expired");
    settled(&world).await;
    assert_eq!((made(&world), world.lab.revoked()), (vec![], vec!["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_made_on_a_mount_that_goes() {
    let world = Arc::new(World::start().await);
    world.lab.dead.lock().unwrap().insert(String::new());
    world.write("lab/creds/old", &world.root, json!({"ttl": "1h"})).await;
    let gate = Arc::new(Notify::new());
    *world.lab.gate.lock().unwrap() = Some(gate.clone());
    let making = tokio::spawn({
        let world = world.clone();
        async move {
            let with = With { token: Some(&world.root), body: Value::Null, ..With::default() };
            world.send(Verb::Write, "lab/creds/new", with).await
        }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    let lab = world.core.mount_at(&base_types::Namespace::root(), "lab").unwrap();
    let error = world.core.unmount(&lab).await.unwrap_err();
    assert!(error.public().contains("no connection"), "{}", error.public());
    gate.notify_one();
    assert_eq!(making.await.unwrap().error().1, "the mount is being removed");
    world.lab.dead.lock().unwrap().clear();
    let lab = world.core.mount_at(&base_types::Namespace::root(), "lab").unwrap();
    world.until(|| async { world.core.unmount(&lab).await.is_ok() }).await;
    assert_eq!(world.lab.revoked(), ["old"]);
}
