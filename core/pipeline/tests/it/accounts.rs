use base_types::ErrorKind;
use core_engine_api::Verb;
use serde_json::json;

use crate::world::{Answer, With, World};

async fn knock(world: &World, name: &str, password: &str) -> Answer {
    let body = json!({"password": password, "policies": ["default"]});
    world
        .send(Verb::Write, &format!("auth/door/login/{name}"), With { body, ..With::default() })
        .await
}

/// CVE-2025-6004: spellings of one account share one count.
#[tokio::test]
async fn repeated_wrong_words_lock_one_account_out_for_a_while() {
    let world = World::start().await;
    let door = world.core.mount_at(&base_types::Namespace::root(), "auth/door").unwrap();
    let lockout = Some(core_pipeline::LockoutConfig::default());
    world
        .core
        .tune(&door, |record| {
            record.config.lockout = lockout;
            Ok(())
        })
        .await
        .unwrap();
    for name in ["alice", "Alice", "ALICE", "aLice", "alicE"] {
        let (kind, _) = knock(&world, name, "sesame").await.error();
        assert_eq!(kind, ErrorKind::Invalid);
    }
    // A lockout looks like any refusal, also for the right word.
    assert_eq!(
        knock(&world, "alice", "open").await.error(),
        (ErrorKind::Denied, "permission denied".into())
    );
    assert!(knock(&world, "bob", "open").await.is_ok());
    world.advance(15 * 60);
    assert!(knock(&world, "alice", "open").await.is_ok());
    for _ in 0..4 {
        knock(&world, "alice", "sesame").await.error();
    }
    assert!(knock(&world, "alice", "open").await.is_ok(), "a success starts anew");
    knock(&world, "alice", "sesame").await.error();
    assert!(knock(&world, "alice", "open").await.is_ok());
}

#[tokio::test]
async fn one_person_is_one_entity_however_often_they_come() {
    let mut world = World::start().await;
    let id = |answer: Answer| answer.ok()["auth"]["entity_id"].as_str().unwrap().to_owned();
    let first = id(knock(&world, "alice", "open").await);
    assert_eq!(id(knock(&world, "ALICE", "open").await), first);
    assert_ne!(id(knock(&world, "bob", "open").await), first);
    world.restart().await;
    assert_eq!(id(knock(&world, "alice", "open").await), first);
    let token = knock(&world, "alice", "open").await.ok()["auth"]["client_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        world.read("auth/token/lookup-self", &token).await.ok()["data"]["entity_id"],
        first.as_str()
    );
}

#[tokio::test]
async fn a_login_is_renewed_as_its_method_decides_today() {
    let world = World::start().await;
    let answer = knock(&world, "alice", "open").await.ok();
    let token = answer["auth"]["client_token"].as_str().unwrap();
    let renewed = world.write("auth/token/renew-self", token, json!({"increment": 60})).await;
    assert_eq!(renewed["auth"]["lease_duration"], 60);
    assert_eq!(renewed["auth"]["client_token"], token);
    let door = world.core.mount_at(&base_types::Namespace::root(), "auth/door").unwrap();
    world.core.unmount(&door).await.unwrap();
    assert!(!world.is_alive(token).await, "with the method its tokens are gone");
}

#[tokio::test]
async fn a_mount_may_give_out_batch_tokens_only() {
    let world = World::start().await;
    let door = world.core.mount_at(&base_types::Namespace::root(), "auth/door").unwrap();
    world
        .core
        .tune(&door, |record| {
            record.config.token_type = "batch".into();
            Ok(())
        })
        .await
        .unwrap();
    let answer = knock(&world, "alice", "open").await.ok();
    assert_eq!(answer["auth"]["token_type"], "batch");
    assert_eq!(answer["auth"]["accessor"], "");
}
