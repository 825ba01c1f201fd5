//! What is kept in memory must never be older than what was acknowledged.

use std::sync::Arc;

use core_engine_api::Verb;
use serde_json::json;

use crate::world::{With, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_revoked_token_is_refused_whoever_looked_it_up_meanwhile() {
    let world = Arc::new(World::start().await);
    for _ in 0..40 {
        let (token, _) = world.token(json!({"policies": ["default"]})).await;
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (world, token) = (world.clone(), token.clone());
            readers.spawn(async move {
                for _ in 0..20 {
                    world.is_alive(&token).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        world.write("auth/token/revoke", &world.root, json!({"token": token})).await;
        for _ in 0..20 {
            assert!(!world.is_alive(&token).await);
            tokio::task::yield_now().await;
        }
        readers.join_all().await;
        assert!(!world.is_alive(&token).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_changed_policy_decides_the_very_next_request() {
    let world = Arc::new(World::start().await);
    let (token, _) = world.token(json!({"policies": ["p"]})).await;
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (world, token) = (world.clone(), token.clone());
        others.spawn(async move {
            for _ in 0..150 {
                let _ = world.read("secret/config", &token).await;
            }
        });
    }
    for round in 0..30 {
        let capability = if round % 2 == 0 { "read" } else { "deny" };
        let text = format!("path \"secret/config\" {{ capabilities = [\"{capability}\"] }}");
        world.policy("", "p", &text).await;
        for _ in 0..3 {
            assert_eq!(
                world.read("secret/config", &token).await.is_ok(),
                round % 2 == 0,
                "{round}"
            );
        }
    }
    others.join_all().await;
    let name = base_types::Name::parse("p").unwrap();
    world
        .core
        .policies
        .write("root", &name, "path \"secret/config\" { capabilities = [\"read\"] }")
        .await
        .unwrap();
    assert!(world.read("secret/config", &token).await.is_ok());
    world.core.policies.delete("root", &name).await.unwrap();
    world.read("secret/config", &token).await.denied();
}

#[tokio::test]
async fn a_policy_with_templates_is_each_entitys_own() {
    let world = World::start().await;
    let text = "path \"secret/data/{{identity.entity.aliases.ACCESSOR.name}}\" { capabilities = [\"create\", \"update\", \"read\"] }";
    let door = world.core.mount_at(&base_types::Namespace::root(), "auth/door").unwrap();
    world.policy("", "own", &text.replace("ACCESSOR", &door.record.accessor)).await;
    let mut tokens = Vec::new();
    for name in ["alice", "bob"] {
        let body = json!({"password": "open", "policies": ["own"]});
        let path = format!("auth/door/login/{name}");
        let login = world.send(Verb::Write, &path, With { body, ..With::default() }).await;
        tokens.push(login.ok()["auth"]["client_token"].as_str().unwrap().to_owned());
    }
    for _ in 0..2 {
        world.write("secret/data/alice", &tokens[0], json!({"data": {"a": 1}})).await;
        world.write("secret/data/bob", &tokens[1], json!({"data": {"b": 1}})).await;
        world.read("secret/data/bob", &tokens[0]).await.denied();
        world.read("secret/data/alice", &tokens[1]).await.denied();
        let (nobody, _) = world.token(json!({"policies": ["own"]})).await;
        world.read("secret/data/alice", &nobody).await.denied();
    }
    // A token made from one that logged in belongs to the same person; an orphan does not.
    world.policy("", "maker", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let body = json!({"password": "open", "policies": ["own", "maker"]});
    let login = world
        .send(Verb::Write, "auth/door/login/alice", With { body, ..With::default() })
        .await
        .ok();
    let alice = login["auth"]["client_token"].as_str().unwrap();
    let (child, _) = world.token_at("auth/token/create", alice, json!({})).await;
    assert!(world.read("secret/data/alice", &child).await.is_ok());
    let (orphan, _) = world.token_at("auth/token/create-orphan", alice, json!({})).await;
    world.read("secret/data/alice", &orphan).await.denied();
}
