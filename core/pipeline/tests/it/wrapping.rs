use std::sync::Arc;

use base_types::Secret;
use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::world::{With, World};

async fn wrapped(world: &World, ttl: u64) -> String {
    world.write("secret/data/a", &world.root, json!({"data": {"pass": "word"}})).await;
    let with = With { token: Some(&world.root), wrap_ttl: Some(ttl), ..With::default() };
    let answer = world.send(Verb::Read, "secret/data/a", with).await.ok();
    assert_eq!(answer["data"], Value::Null, "the answer itself does not leave");
    assert_eq!(answer["wrap_info"]["creation_path"], "secret/data/a");
    answer["wrap_info"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_concurrent_callers_one_opens_it() {
    let world = Arc::new(World::start().await);
    for by_body in [true, false] {
        let token = wrapped(&world, 60).await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (world, token) = (world.clone(), token.clone());
            tasks.spawn(async move {
                let (body, own) = if by_body {
                    (json!({"token": token}), Some(world.root.as_str()))
                } else {
                    (Value::Null, Some(token.as_str()))
                };
                let with = With { token: own, body, ..With::default() };
                world.send(Verb::Write, "sys/wrapping/unwrap", with).await
            });
        }
        let answers = tasks.join_all().await;
        let opened: Vec<_> = answers.into_iter().filter_map(|answer| answer.outcome.ok()).collect();
        assert_eq!(opened.len(), 1, "by body: {by_body}");
        assert!(opened[0].to_string().contains("word"));
        assert!(!world.is_alive(&token).await);
        assert!(world.store.keys("wrapped/").await.is_empty());
    }
}

#[tokio::test]
async fn a_wrapping_token_can_do_nothing_else() {
    let world = World::start().await;
    let token = wrapped(&world, 60).await;
    world.read("secret/data/a", &token).await.denied();
    // That attempt was its one use.
    assert!(!world.is_alive(&token).await);
    assert!(world.core.wrapping_token(&Secret::new(token)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_time_and_takes_what_it_holds_along() {
    let world = World::start().await;
    let token = wrapped(&world, 60).await;
    world.advance(60);
    assert!(world.core.wrapping_token(&Secret::new(token)).await.is_err());
    world.until(|| async { world.store.keys("wrapped/").await.is_empty() }).await;
}

#[tokio::test]
async fn ordinary_tokens_wrap_nothing() {
    let world = World::start().await;
    let (token, _) = world.token(json!({"policies": ["default"]})).await;
    for text in [token, world.root.clone(), "nonsense".to_owned()] {
        let error = world.core.wrapping_token(&Secret::new(text)).await.unwrap_err();
        assert_eq!(error.public(), "wrapping token is not valid or does not exist");
    }
    assert_eq!(
        world
            .refused("auth/token/create", &world.root, json!({"policies": [" Response-Wrapping "]}))
            .await,
        "cannot assign policy \"response-wrapping\""
    );
}

#[tokio::test]
async fn what_was_opened_reaches_the_caller_even_if_the_token_cannot_be_removed() {
    let world = World::start().await;
    let token = wrapped(&world, 60).await;
    let token = world.core.wrapping_token(&Secret::new(token)).await.unwrap();
    world.store.dies_after(1);
    let record = world.core.unwrap(&token).await.unwrap();
    assert!(record.response.contains("word"));
    world.store.heal();
    assert!(world.core.unwrap(&token).await.is_err());
}

#[tokio::test]
async fn a_wrapped_token_is_alive_and_its_accessor_is_told() {
    let world = World::start().await;
    let body = json!({"policies": ["default"]});
    let with = With { token: Some(&world.root), wrap_ttl: Some(60), body, ..With::default() };
    let answer = world.send(Verb::Write, "auth/token/create", with).await.ok();
    assert_eq!(answer["auth"], Value::Null);
    let token = Secret::new(answer["wrap_info"]["token"].as_str().unwrap().to_owned());
    let token = world.core.wrapping_token(&token).await.unwrap();
    let record = world.core.unwrap(&token).await.unwrap();
    let inner: Value = serde_json::from_str(&record.response).unwrap();
    assert_eq!(inner["auth"]["accessor"], answer["wrap_info"]["wrapped_accessor"]);
    assert!(world.is_alive(inner["auth"]["client_token"].as_str().unwrap()).await);
}
