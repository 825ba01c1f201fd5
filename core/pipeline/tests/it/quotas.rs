use base_types::{ErrorKind, Ttl};
use core_engine_api::Verb;
use core_quota::{Limit, Quota};
use serde_json::json;

use crate::world::{With, World};

fn quota(path: &str, limit: Limit) -> Quota {
    Quota { name: "q".into(), path: path.into(), inheritable: false, limit }
}

fn rate(rate: f64) -> Limit {
    Limit::Requests { rate, interval: Ttl::from_seconds(10), block_interval: Ttl::ZERO }
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_so_before_anything_else() {
    let world = World::start().await;
    world.core.write_quota(quota("secret/", rate(3.0))).await.unwrap();
    let ask = |token: String, from: &'static str| {
        let world = &world;
        async move {
            let with = With { token: Some(&token), from: Some(from), ..With::default() };
            world.send(Verb::Read, "secret/config", with).await.outcome.err().map(|error| error.0)
        }
    };
    for _ in 0..3 {
        assert_eq!(ask(world.root.clone(), "10.0.0.1").await, None);
    }
    assert_eq!(ask(world.root.clone(), "10.0.0.1").await, Some(ErrorKind::RateLimited));
    // Guessing tokens is limited too.
    assert_eq!(ask("guess".into(), "10.0.0.1").await, Some(ErrorKind::RateLimited));
    assert_eq!(ask(world.root.clone(), "10.0.0.2").await, None);
    world.advance(10);
    assert_eq!(ask(world.root.clone(), "10.0.0.1").await, None);
    world.core.delete_quota("q").await.unwrap();
    for _ in 0..10 {
        assert_eq!(ask(world.root.clone(), "10.0.0.1").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn leases_are_counted_until_they_end() {
    let mut world = World::start().await;
    world.write("lab/creds/before", &world.root, json!({"ttl": "1h"})).await;
    world.core.write_quota(quota("lab/", Limit::Leases { max: 3 })).await.unwrap();
    let root = world.root.clone();
    for _ in 0..2 {
        world.write("lab/creds/a", &root, json!({"ttl": "1h"})).await;
    }
    let text = world.refused("lab/creds/a", &root, json!({})).await;
    assert!(text.contains("lease count quota exceeded"), "{text}");
    world.restart().await;
    world.refused("lab/creds/a", &root, json!({})).await;
    world.advance(3600);
    world.until(|| async { world.core.quotas.leases("q") == 0 }).await;
    for _ in 0..3 {
        world.write("lab/creds/a", &root, json!({"ttl": "1h"})).await;
    }
    world.refused("lab/creds/a", &root, json!({})).await;
    world.core.revoke_prefix("root", "lab/", false).await.unwrap();
    assert_eq!(world.core.quotas.leases("q"), 0);
}

#[tokio::test]
async fn tokens_count_and_batch_and_wrapping_tokens_do_not() {
    let world = World::start().await;
    world.core.write_quota(quota("auth/token/", Limit::Leases { max: 4 })).await.unwrap();
    let at_start = world.core.quotas.leases("q");
    let (token, _) = world.token(json!({"policies": ["default"]})).await;
    assert_eq!(world.core.quotas.leases("q"), at_start + 1);
    world.token(json!({"policies": ["default"], "type": "batch"})).await;
    assert_eq!(world.core.quotas.leases("q"), at_start + 1);
    world.write("auth/token/revoke", &world.root, json!({"token": token})).await;
    assert_eq!(world.core.quotas.leases("q"), at_start);
    let with = With { token: Some(&world.root), wrap_ttl: Some(60), ..With::default() };
    let wrapped = world.send(Verb::Read, "auth/token/lookup-self", with).await.ok();
    let wrapping = wrapped["wrap_info"]["token"].as_str().unwrap();
    world.write("auth/token/revoke", &world.root, json!({"token": wrapping})).await;
    assert_eq!(world.core.quotas.leases("q"), at_start);
}
