//! The store stops taking commits at every possible moment; afterwards the server starts again.

use serde_json::json;

use crate::world::World;

/// Keys that belong to tokens, without those of the root token.
async fn traces(world: &World) -> Vec<String> {
    let mut keys = world.store.keys("token/").await;
    keys.extend(world.store.keys("lease/").await);
    keys
}

#[tokio::test(start_paused = true)]
async fn the_revocation_of_a_tree_is_finished_after_a_crash_at_any_moment() {
    for commits in 0.. {
        let mut world = World::start().await;
        let before = traces(&world).await;
        world.policy("", "maker", "path \"*\" { capabilities = [\"update\", \"create\"] }").await;
        let (top, _) = world.token(json!({"policies": ["maker"]})).await;
        let mut tokens = vec![top];
        for parent in [0, 0, 1] {
            let parent = tokens[parent].clone();
            tokens.push(world.token_at("auth/token/create", &parent, json!({})).await.0);
        }
        for token in &tokens {
            world.write("cubbyhole/x", token, json!({"a": 1})).await;
            world.write("lab/creds/x", token, json!({"ttl": "9h"})).await;
        }
        world.store.dies_after(commits);
        let revoked = world.core.revoke_token(&world.id(&tokens[0])).await;
        world.store.heal();
        world.restart().await;
        if commits > 0 {
            assert!(!world.is_alive(&tokens[0]).await, "refused from the first commit on");
            world
                .until(|| async {
                    traces(&world).await == before && world.lab.revoked().len() == 4
                })
                .await;
        } else {
            assert!(world.is_alive(&tokens[0]).await);
        }
        if revoked.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn a_token_is_there_whole_or_not_at_all() {
    for commits in 0.. {
        let mut world = World::start().await;
        let before = traces(&world).await;
        world.store.dies_after(commits);
        let with = crate::world::With {
            token: Some(&world.root.clone()),
            body: json!({"policies": ["default"], "id": "chosen"}),
            ..Default::default()
        };
        let made = world.send(core_engine_api::Verb::Write, "auth/token/create", with).await;
        world.store.heal();
        world.restart().await;
        assert_eq!(world.is_alive("chosen").await, made.is_ok());
        if made.is_ok() {
            assert_eq!(
                traces(&world).await.len(),
                before.len() + 5,
                "record, accessor, parent, lease, due"
            );
            return;
        }
        assert_eq!(traces(&world).await, before);
    }
}

#[tokio::test]
async fn a_secret_is_never_given_out_without_its_lease() {
    for commits in 0..3 {
        let world = World::start().await;
        world.store.dies_after(commits);
        let with = crate::world::With {
            token: Some(&world.root.clone()),
            body: json!({"ttl": "1h"}),
            ..Default::default()
        };
        let made = world.send(core_engine_api::Verb::Write, "lab/creds/a", with).await;
        world.store.heal();
        let leases = world.core.leases.count("root", "lab/").await.unwrap();
        assert_eq!(made.is_ok(), leases == 1);
    }
}
