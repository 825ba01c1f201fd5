use std::sync::Arc;

use base_types::ErrorKind;
use core_engine_api::Verb;
use serde_json::json;

use crate::world::{With, World};

#[tokio::test]
async fn an_expired_token_is_refused_at_its_very_end() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    world.advance(3599);
    assert!(world.read("auth/token/lookup-self", &token).await.is_ok());
    world.advance(1);
    world.read("auth/token/lookup-self", &token).await.denied();
}

#[tokio::test]
async fn no_chain_of_renewals_goes_past_the_maximum() {
    let world = World::start().await;
    let (token, _) =
        world.token(json!({"policies": ["default"], "ttl": "10m", "explicit_max_ttl": "1h"})).await;
    let mut lived = 0;
    while world.is_alive(&token).await {
        let _ = world
            .send(
                Verb::Write,
                "auth/token/renew-self",
                With { token: Some(&token), body: json!({"increment": "10m"}), ..With::default() },
            )
            .await;
        world.advance(299);
        lived += 299;
        assert!(lived < 3600 + 299, "it outlived its maximum");
    }
    assert!(lived >= 3600);
    let error = world.send(
        Verb::Write,
        "auth/token/renew-self",
        With { token: Some(&token), ..With::default() },
    );
    error.await.denied();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_concurrent_requests_exactly_as_many_succeed_as_there_are_uses() {
    let world = Arc::new(World::start().await);
    for uses in [1, 7, 20] {
        let (token, _) = world.token(json!({"policies": ["default"], "num_uses": uses})).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let (world, token) = (world.clone(), token.clone());
            tasks.spawn(async move { world.read("auth/token/lookup-self", &token).await.is_ok() });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.into_iter().filter(|ok| *ok).count(), uses);
        assert!(!world.is_alive(&token).await);
        let id = world.id(&token);
        assert!(
            world.core.tokens.by_id(&id).await.unwrap().is_none(),
            "it is gone after its last use"
        );
    }
}

#[tokio::test]
async fn the_last_use_leaves_nothing_behind() {
    let world = World::start().await;
    world
        .policy("", "all", "path \"*\" { capabilities = [\"create\", \"update\", \"read\"] }")
        .await;
    let (token, accessor) = world.token(json!({"policies": ["all"], "num_uses": 2})).await;
    world.write("cubbyhole/a", &token, json!({"v": 1})).await;
    let id = world.id(&token);
    assert!(world.store.keys("").await.iter().any(|key| key.contains(id.as_str())));
    // The last request still finds what belongs to its token.
    assert!(world.read("cubbyhole/a", &token).await.is_ok());
    let keys = world.store.keys("").await;
    assert!(!keys.iter().any(|key| key.contains(id.as_str()) || key.contains(&accessor)));
}

#[tokio::test(start_paused = true)]
async fn what_expires_leaves_nothing_behind() {
    let world = World::start().await;
    world.policy("", "all", "path \"*\" { capabilities = [\"create\", \"update\"] }").await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(world.token(json!({"policies": ["all"], "ttl": "1m"})).await.0);
    }
    let [_bare, parent, keeper, lender] = &tokens[..] else { unreachable!() };
    let (child, _) = world.token_at("auth/token/create", parent, json!({"ttl": "1h"})).await;
    world.write("cubbyhole/a", keeper, json!({"v": 1})).await;
    world.write("lab/creds/a", lender, json!({"ttl": "1h"})).await;
    let with = With { token: Some(lender), wrap_ttl: Some(60), ..With::default() };
    world.send(Verb::Write, "auth/token/create", with).await.ok();
    assert!(!world.store.keys("wrapped/").await.is_empty());
    let ids: Vec<_> = tokens.iter().chain([&child]).map(|token| world.id(token)).collect();
    world.advance(60);
    let is_clean = || async {
        let keys = world.store.keys("").await;
        ids.iter().all(|id| !keys.iter().any(|key| key.contains(id.as_str())))
            && !keys.iter().any(|key| key.starts_with("wrapped/"))
    };
    world.until(is_clean).await;
    assert_eq!(world.lab.revoked(), ["a"]);
}

#[tokio::test]
async fn a_use_is_taken_even_if_the_request_is_refused() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"], "num_uses": 2})).await;
    world.read("sys/mounts", &token).await.denied();
    world.read("sys/mounts", &token).await.denied();
    world.read("auth/token/lookup-self", &token).await.denied();
}

#[tokio::test]
async fn revoking_a_token_ends_the_tree_below_it() {
    let world = World::start().await;
    world
        .policy("", "maker", "path \"auth/token/*\" { capabilities = [\"update\", \"sudo\"] }")
        .await;
    let (top, _) = world.token(json!({"policies": ["maker"]})).await;
    let mut tokens = vec![top];
    for _ in 0..2 {
        for at in 0..tokens.len() {
            for _ in 0..3 {
                let parent = tokens[at].clone();
                tokens.push(world.token_at("auth/token/create", &parent, json!({})).await.0);
            }
        }
    }
    let (orphan, _) =
        world.token_at("auth/token/create-orphan", &tokens[0].clone(), json!({})).await;
    world.write("auth/token/revoke", &world.root, json!({"token": tokens[0]})).await;
    for token in &tokens {
        assert!(!world.is_alive(token).await);
        let id = world.id(token);
        assert!(!world.store.keys("").await.iter().any(|key| key.contains(id.as_str())));
    }
    assert!(world.is_alive(&orphan).await);
}

#[tokio::test]
async fn children_of_a_token_that_is_revoked_as_their_parent_only_live_on() {
    let world = World::start().await;
    world.policy("", "maker", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let (parent, _) = world.token(json!({"policies": ["maker"]})).await;
    let (child, _) = world.token_at("auth/token/create", &parent, json!({})).await;
    let (grandchild, _) = world.token_at("auth/token/create", &child, json!({})).await;
    world.write("auth/token/revoke-orphan", &world.root, json!({"token": parent})).await;
    assert!(!world.is_alive(&parent).await);
    assert!(world.is_alive(&child).await && world.is_alive(&grandchild).await);
    let found = world.read("auth/token/lookup-self", &child).await.ok();
    assert_eq!(found["data"]["orphan"], true);
    world.write("auth/token/revoke", &world.root, json!({"token": child})).await;
    assert!(!world.is_alive(&grandchild).await);
}

#[tokio::test]
async fn a_bound_token_works_from_its_network_alone_and_so_do_its_children() {
    let world = World::start().await;
    world
        .write("auth/token/roles/bound", &world.root, json!({"token_bound_cidrs": "10.0.0.0/8"}))
        .await;
    world.policy("", "maker", "path \"auth/token/create\" { capabilities = [\"update\"] }").await;
    let (token, _) = world
        .token_at("auth/token/create/bound", &world.root, json!({"policies": ["maker"]}))
        .await;
    let from = |from: &'static str, token: String| {
        let world = &world;
        async move {
            let with = With { token: Some(&token), from: Some(from), ..With::default() };
            world.send(Verb::Read, "auth/token/lookup-self", with).await
        }
    };
    assert!(from("10.1.2.3", token.clone()).await.is_ok());
    assert!(from("::ffff:10.1.2.3", token.clone()).await.is_ok());
    from("127.0.0.1", token.clone()).await.denied();
    from("::1", token.clone()).await.denied();
    let with = With { token: Some(&token), from: Some("10.0.0.1"), ..With::default() };
    let child = world.send(Verb::Write, "auth/token/create", with).await.ok();
    let child = child["auth"]["client_token"].as_str().unwrap().to_owned();
    from("127.0.0.1", child.clone()).await.denied();
    assert!(from("10.0.0.1", child).await.is_ok());
}

#[tokio::test]
async fn a_batch_token_is_its_own_record_and_dies_with_its_parent() {
    let world = World::start().await;
    world.policy("", "maker", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let (parent, _) = world.token(json!({"policies": ["maker"]})).await;
    let keys = world.store.keys("").await;
    let (batch, accessor) =
        world.token_at("auth/token/create", &parent, json!({"type": "batch", "ttl": "1h"})).await;
    assert_eq!(accessor, "");
    assert_eq!(world.store.keys("").await, keys, "nothing is stored for it");
    assert!(world.is_alive(&batch).await);
    for at in (0..batch.len()).step_by(3) {
        let mut forged = batch.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        assert!(!world.is_alive(&String::from_utf8(forged).unwrap()).await, "forged at {at}");
        assert!(!world.is_alive(&batch[..at]).await, "cut at {at}");
    }
    assert!(!world.is_alive(&format!("{batch}A")).await);
    for path in ["create", "renew-self", "revoke-self"] {
        let error = world.refused(&format!("auth/token/{path}"), &batch, json!({})).await;
        assert!(error.starts_with("batch tokens cannot"), "{error}");
    }
    world.write("auth/token/revoke", &world.root, json!({"token": parent})).await;
    assert!(!world.is_alive(&batch).await);
}

#[tokio::test]
async fn a_batch_token_ends_in_time_and_after_the_keys_are_forgotten() {
    let world = World::start().await;
    let (batch, _) =
        world.token(json!({"type": "batch", "ttl": "1h", "policies": ["default"]})).await;
    world.core.seal().await;
    assert!(world.core.tokens.authenticate(&batch).await.is_err());
    world.core.auto_unseal().await.unwrap();
    assert!(world.is_alive(&batch).await);
    world.advance(3600);
    assert!(!world.is_alive(&batch).await);
}

#[tokio::test]
async fn a_clock_that_was_set_back_revives_nothing_that_was_revoked() {
    let world = World::start().await;
    let (revoked, _) = world.token(json!({"policies": ["default"]})).await;
    let (living, _) = world.token(json!({"policies": ["default"], "ttl": "1h"})).await;
    world.write("auth/token/revoke", &world.root, json!({"token": revoked})).await;
    world.clock.set(base_types::Timestamp::from_seconds(1_000_000_000));
    assert!(!world.is_alive(&revoked).await);
    assert!(world.is_alive(&living).await);
    let renewed =
        world.write("auth/token/renew-self", &living, json!({"increment": "9000h"})).await;
    // Whatever the clock says, the maximum counts from the issue.
    assert!(renewed["auth"]["lease_duration"].as_u64().unwrap() > 0);
    world.clock.set(base_types::Timestamp::from_seconds(4_000_000_000));
    assert!(!world.is_alive(&living).await);
    assert!(world.is_alive(&world.root).await);
}

#[tokio::test]
async fn an_unknown_token_is_refused_as_any_other() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"]})).await;
    let long = "x".repeat(100_000);
    for bad in [
        "",
        " ",
        "x",
        "s.x",
        "srs_",
        "srb_",
        "srs_0",
        &token.to_lowercase(),
        &format!(" {token}"),
        &format!("{token} "),
        &long,
        "ä€",
    ] {
        let (kind, text) = world.read("auth/token/lookup-self", bad).await.error();
        assert_eq!((kind, text.as_str()), (ErrorKind::Denied, "permission denied"), "{bad:.20}");
    }
    world.send(Verb::Read, "auth/token/lookup-self", With::default()).await.denied();
}

#[tokio::test]
async fn only_a_hash_of_a_token_is_stored() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"], "id": "chosen-by-me"})).await;
    assert_eq!(token, "chosen-by-me");
    assert!(world.store.keys("").await.iter().all(|key| !key.contains("chosen-by-me")));
    assert!(
        world
            .core
            .tokens
            .by_id(&base_types::TokenId(token.as_str().into()))
            .await
            .unwrap()
            .is_none()
    );
    assert!(!world.is_alive(world.id(&token).as_str()).await, "the hash is no token");
}
