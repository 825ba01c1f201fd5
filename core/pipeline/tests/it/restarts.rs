use base_types::ErrorKind;
use serde_json::json;

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn everything_is_there_after_a_restart() {
    let mut world = World::start().await;
    world.add_namespace("ns1").await;
    world
        .policy("ns1", "p", "path \"*\" { capabilities = [\"read\", \"update\", \"create\"] }")
        .await;
    world.mount("ns1", "secret/", "kv-v2").await;
    let (token, accessor) = world
        .token_at("ns1/auth/token/create", &world.root, json!({"policies": ["p"], "num_uses": 3}))
        .await;
    let (batch, _) = world.token(json!({"type": "batch", "policies": ["default"]})).await;
    world.write("ns1/secret/data/a", &token, json!({"data": {"a": 1}})).await;
    world.write("lab/creds/a", &world.root, json!({"ttl": "1h"})).await;
    world.restart().await;
    let found = world
        .write("ns1/auth/token/lookup-accessor", &world.root, json!({"accessor": accessor}))
        .await;
    assert_eq!(found["data"]["num_uses"], 2);
    let read = world.read("ns1/secret/data/a", &token).await.ok();
    assert_eq!(read["data"]["data"]["a"], 1);
    assert!(world.is_alive(&batch).await);
    world.advance(3600);
    world.until(|| async { world.lab.revoked() == ["a"] }).await;
}

#[tokio::test]
async fn a_sealed_server_refuses_and_remembers_nothing() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"]})).await;
    assert!(world.read("auth/token/lookup-self", &token).await.is_ok());
    world.core.seal().await;
    for path in ["auth/token/lookup-self", "secret/data/a", "nothing"] {
        for token in [&token, &world.root] {
            assert_eq!(world.read(path, token).await.error().0, ErrorKind::Sealed, "{path}");
        }
    }
    assert!(world.core.tokens.authenticate(&token).await.is_err());
    assert!(world.core.auto_unseal().await.unwrap());
    assert!(world.read("auth/token/lookup-self", &token).await.is_ok());
}

/// CVE-2026-5807 and its kin: whoever has no share can neither finish nor spoil a new root token.
#[tokio::test]
async fn a_new_root_token_needs_the_shares() {
    let world = World::start().await;
    assert!(world.core.generate_root("nonce", base_types::Secret::new(vec![1; 33])).await.is_err());
    assert!(world.is_alive(&world.root).await);
}
