use std::sync::Arc;
use std::sync::atomic::Ordering;

use base_types::Ttl;
use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::world::{With, World};

const USER: &str = "path \"lab/*\" { capabilities = [\"create\", \"read\", \"update\"] }
    path \"auth/token/create\" { capabilities = [\"update\"] }";

async fn user(world: &World) -> String {
    world.policy("", "user", USER).await;
    world.token(json!({"policies": ["user"]})).await.0
}

fn lease_id(answer: &Value) -> String {
    answer["lease_id"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_taken_back_when_its_lease_ends() {
    let world = World::start().await;
    let token = user(&world).await;
    let made = world.write("lab/creds/a", &token, json!({"ttl": "1h"})).await;
    assert_eq!(made["lease_duration"], 3600);
    assert!(lease_id(&made).starts_with("lab/creds/a/"));
    world.advance(3599);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(world.lab.revoked().is_empty());
    world.advance(1);
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
    world
        .until(|| async {
            world.store.keys("lease/").await.iter().all(|key| !key.contains("lab/"))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn secrets_die_with_the_token_and_with_its_parents() {
    let world = World::start().await;
    let parent = user(&world).await;
    let (child, _) = world.token_at("auth/token/create", &parent, json!({})).await;
    world.write("lab/creds/parent", &parent, json!({})).await;
    world.write("lab/creds/child", &child, json!({})).await;
    world.write("auth/token/revoke", &world.root, json!({"token": parent})).await;
    world.until(|| async { world.lab.revoked() == ["child", "parent"] }).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_die_with_a_token_that_expired() {
    let world = World::start().await;
    world.policy("", "user", USER).await;
    let (token, _) = world.token(json!({"policies": ["user"], "ttl": "1m"})).await;
    world.write("lab/creds/a", &token, json!({"ttl": "1h"})).await;
    let id = world.id(&token);
    world.advance(60);
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
    world.until(|| async { world.core.tokens.by_id(&id).await.unwrap().is_none() }).await;
}

/// CVE-2020-25816 and its kin: nothing made with a token outlives it.
#[tokio::test(start_paused = true)]
async fn secrets_of_a_batch_token_end_with_it_and_with_its_parent() {
    let world = World::start().await;
    let parent = user(&world).await;
    let batch = json!({"type": "batch", "ttl": "5m"});
    let (batch, _) = world.token_at("auth/token/create", &parent, batch).await;
    let made = world.write("lab/creds/a", &batch, json!({"ttl": "1h"})).await;
    assert_eq!((&made["lease_duration"], &made["renewable"]), (&json!(300), &json!(false)));
    world.write("auth/token/revoke", &world.root, json!({"token": parent})).await;
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
    let orphan = json!({"type": "batch", "ttl": "5m", "no_parent": true, "policies": ["user"]});
    let (orphan, _) = world.token(orphan).await;
    world.write("lab/creds/b", &orphan, json!({"ttl": "1h"})).await;
    world.advance(300);
    world.until(|| async { world.lab.revoked() == ["a", "b"] }).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_whose_token_ended_while_it_was_made_is_taken_back() {
    let world = Arc::new(World::start().await);
    let token = user(&world).await;
    let gate = Arc::new(tokio::sync::Notify::new());
    *world.lab.gate.lock().unwrap() = Some(gate.clone());
    let making = tokio::spawn({
        let (world, token) = (world.clone(), token.clone());
        async move {
            let with = With { token: Some(&token), body: json!({"ttl": "1h"}), ..With::default() };
            world.send(Verb::Write, "lab/creds/a", with).await
        }
    });
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    world.write("auth/token/revoke", &world.root, json!({"token": token})).await;
    gate.notify_one();
    assert!(making.await.unwrap().error().1.starts_with("Secret cannot be returned"));
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_that_hung_up_had_asked_for_is_finished() {
    let world = Arc::new(World::start().await);
    let token = user(&world).await;
    let gate = Arc::new(tokio::sync::Notify::new());
    *world.lab.gate.lock().unwrap() = Some(gate.clone());
    let with = With { token: Some(&token), body: json!({"ttl": "1h"}), ..With::default() };
    let call = world.send(Verb::Read, "lab/creds/a", with);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(1), call).await.is_err());
    gate.notify_one();
    world.until(|| async { world.core.leases.count("root", "lab/").await.unwrap() == 1 }).await;
}

#[tokio::test]
async fn a_panic_of_an_engine_is_one_failed_request() {
    let world = World::start().await;
    let (_, text) = world.read("lab/panic", &world.root).await.error();
    assert_eq!(text, "internal error");
    assert!(world.read("auth/token/lookup-self", &world.root).await.is_ok());
}

#[tokio::test]
async fn a_lease_is_renewed_within_its_limits() {
    let world = World::start().await;
    let token = user(&world).await;
    let made = world.write("lab/creds/a", &token, json!({"ttl": "1h"})).await;
    let renew = |seconds| {
        let (world, id) = (&world, lease_id(&made));
        async move {
            let lease = world.core.leases.read("root", &id).await.unwrap().unwrap();
            let mut warnings = Vec::new();
            let renewed =
                world.core.renew_lease(&lease, Ttl::from_seconds(seconds), &mut warnings).await;
            renewed.map(|(_, ttl)| (ttl.seconds(), warnings.len()))
        }
    };
    assert_eq!(renew(7200).await.unwrap(), (7200, 0));
    let month = 32 * 24 * 3600;
    world.advance(7000);
    assert_eq!(renew(month).await.unwrap(), (month - 7000, 1));
    world.advance(month - 7000);
    assert_eq!(renew(60).await.unwrap_err().public(), "lease expired");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_revoked_is_tried_again_and_in_the_end_a_person_is_asked() {
    let world = World::start().await;
    let token = user(&world).await;
    let made = world.write("lab/creds/a", &token, json!({"ttl": "1m"})).await;
    world.write("lab/creds/b", &token, json!({"ttl": "1m"})).await;
    let id = lease_id(&made);
    world.lab.broken.lock().unwrap().insert("a".into());
    world.advance(60);
    let mut waits = Vec::new();
    for attempt in 1..=6 {
        let failures =
            || async { world.core.leases.read("root", &id).await.unwrap().unwrap().failures };
        world.until(|| async { failures().await == attempt }).await;
        let lease = world.core.leases.read("root", &id).await.unwrap().unwrap();
        assert_eq!(lease.cause.as_deref(), Some("it still owns tables"));
        let mut warnings = Vec::new();
        let renewed = world.core.renew_lease(&lease, Ttl::from_seconds(60), &mut warnings).await;
        let refusal = match attempt {
            6 => "lease is expired and has failed previous revocation attempts",
            _ => "lease expired",
        };
        assert_eq!(renewed.unwrap_err().public(), refusal, "it is not the holder's any more");
        if let Some(at) = lease.expires {
            let now = base_types::Clock::now(&*world.clock);
            waits.push(now.until(at).seconds());
            world.advance(now.until(at).seconds());
        }
    }
    assert_eq!(waits, [10, 20, 40, 80, 160]);
    assert_eq!(world.lab.revoked(), ["b"]);
    let stuck = world.core.leases.stuck("root", "", 10).await.unwrap();
    assert!(stuck.len() == 1 && stuck[0].id == id && stuck[0].expires.is_none());
    let asked = world.lab.asked.load(Ordering::SeqCst);
    world.advance(1_000_000);
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(world.lab.asked.load(Ordering::SeqCst), asked);
    // When the person asks, and the engine works again, it is done.
    world.lab.broken.lock().unwrap().clear();
    world.core.queue_lease(&stuck[0]).await.unwrap();
    world.until(|| async { world.lab.revoked() == ["a", "b"] }).await;
    world.until(|| async { world.store.keys("lease/id/root/lab/").await.is_empty() }).await;
    assert!(world.store.keys("lease/stuck/").await.is_empty());
}

#[tokio::test]
async fn a_prefix_is_revoked_and_one_whose_engine_fails_only_by_force() {
    let world = World::start().await;
    let token = user(&world).await;
    for name in ["a", "b", "ab"] {
        world.write(&format!("lab/creds/{name}"), &token, json!({})).await;
    }
    world.core.revoke_prefix("root", "lab/creds/a/", false).await.unwrap();
    assert_eq!(world.lab.revoked(), ["a"]);
    world.lab.failing.store(true, Ordering::SeqCst);
    assert!(world.core.revoke_prefix("root", "lab/", false).await.is_err());
    assert_eq!(world.core.leases.count("root", "lab/").await.unwrap(), 2);
    world.core.revoke_prefix("root", "lab/", true).await.unwrap();
    assert_eq!(world.core.leases.count("root", "lab/").await.unwrap(), 0);
    assert_eq!(world.lab.revoked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ends_what_is_over_and_nothing_else() {
    let world = World::start().await;
    let token = user(&world).await;
    world.write("lab/creds/short", &token, json!({"ttl": "1h"})).await;
    world.write("lab/creds/long", &token, json!({"ttl": "500h"})).await;
    world.clock.set(base_types::Timestamp::from_seconds(1_500_000_000));
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert!(world.lab.revoked().is_empty());
    world.clock.set(base_types::Timestamp::from_seconds(1_767_225_600 + 24 * 3600));
    world.until(|| async { world.lab.revoked() == ["short"] }).await;
}

/// Whatever the engine, the mount and the server say: the least counts, also over renewals.
#[tokio::test]
async fn a_lease_never_outlives_its_limits() {
    let world = World::start().await;
    let hour = 3600;
    let month = 32 * 24 * hour;
    let lab = world.core.mount_at(&base_types::Namespace::root(), "lab").unwrap();
    let check = |asked: u64, role: u64, expect: u64| {
        let world = &world;
        async move {
            let body = json!({"ttl": asked, "max_ttl": role});
            let made = world.write("lab/creds/a", &world.root, body).await;
            assert_eq!(made["lease_duration"], expect, "{asked} of {role}");
            let lease = world.core.leases.read("root", &lease_id(&made)).await.unwrap().unwrap();
            lease.issued.until(lease.expires.unwrap()).seconds()
        }
    };
    assert_eq!(check(2 * month, 0, month).await, month, "the server's");
    assert_eq!(check(2 * hour, hour, hour).await, hour, "the role's");
    let tuned = world
        .core
        .tune(&lab, |record| {
            record.config.max_lease_ttl = Ttl::from_seconds(2 * hour);
            record.config.default_lease_ttl = Ttl::from_seconds(hour);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(check(month, month, 2 * hour).await, 2 * hour, "the mount's");
    let made = world.write("lab/creds/b", &world.root, json!({})).await;
    assert_eq!(made["lease_duration"], hour);
    let renew = || async {
        let lease = world.core.leases.read("root", &lease_id(&made)).await.unwrap().unwrap();
        let renewed =
            world.core.renew_lease(&lease, Ttl::from_seconds(month), &mut Vec::new()).await;
        renewed.map(|(lease, _)| lease.issued.until(lease.expires.unwrap()).seconds())
    };
    for _ in 0..3 {
        world.advance(hour / 2);
        assert_eq!(renew().await.unwrap(), 2 * hour, "counted from the start");
    }
    // The limit of today counts.
    world
        .core
        .tune(&tuned, |record| {
            record.config.max_lease_ttl = Ttl::from_seconds(hour);
            Ok(())
        })
        .await
        .unwrap();
    let shorter = renew().await;
    assert!(shorter.is_err() || shorter.unwrap() <= 2 * hour);
    world.advance(hour / 2);
    assert_eq!(renew().await.unwrap_err().public(), "lease expired");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_token_ends_many_leases_in_small_steps() {
    let world = World::start().await;
    let token = user(&world).await;
    let count = 300;
    for n in 0..count {
        world.write(&format!("lab/creds/{n}"), &token, json!({"ttl": "9h"})).await;
    }
    world.store.largest.store(0, Ordering::SeqCst);
    world.core.revoke_token(&world.id(&token)).await.unwrap();
    assert!(!world.is_alive(&token).await);
    world.until(|| async { world.lab.revoked().len() == count }).await;
    world.until(|| async { world.store.keys("lease/id/root/lab/").await.is_empty() }).await;
    assert!(world.store.keys("lease/queue/").await.is_empty());
    let largest = world.store.largest.load(Ordering::SeqCst);
    assert!(largest <= 1024, "{largest} keys at once");
}
