#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use base_types::Ttl;
use core_engine_api::testing::Harness;
use core_engine_api::{Kind, Verb};
use serde_json::{Value, json};

use super::data::Data;
use super::*;

#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Kv2>().await;
    assert!(harness.replay(include_str!("../../tests/fixtures/kv2.json")).await >= 60);
}

#[tokio::test]
async fn a_life_ends_when_its_time_has_come() {
    let harness = Harness::open::<Kv2>().await;
    harness.ok(Verb::Write, "config", json!({"delete_version_after": "1h"})).await;
    harness.ok(Verb::Write, "data/a", json!({"data": {"x": 1}})).await;
    harness.clock.advance(Ttl::from_seconds(3599));
    assert_eq!(harness.send(Verb::Read, "data/a", Value::Null).await.status, 200);
    harness.clock.advance(Ttl::from_seconds(1));
    let gone = harness.send(Verb::Read, "data/a", Value::Null).await;
    assert_eq!((gone.status, &gone.data["data"]), (404, &Value::Null));
    harness.ok(Verb::Write, "undelete/a", json!({"versions": [1]})).await;
    assert_eq!(harness.send(Verb::Read, "data/a", Value::Null).await.status, 200);
    harness.clock.advance(Ttl::from_seconds(3600));
    assert_eq!(harness.send(Verb::Read, "data/a", Value::Null).await.status, 404);
}

#[tokio::test]
async fn what_is_destroyed_or_too_old_leaves_the_store() {
    let harness = Harness::open::<Kv2>().await;
    for x in 1..=12 {
        harness.ok(Verb::Write, "data/a", json!({"data": {"x": x}})).await;
    }
    harness.ok(Verb::Write, "destroy/a", json!({"versions": [5]})).await;
    let mut keys = harness.storage.keys("data/", "", 0).await.unwrap();
    keys.sort_by_key(|key| key.rsplit('/').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(keys, [3, 4, 6, 7, 8, 9, 10, 11, 12].map(|n| format!("data/a/{n}")));
    harness.ok(Verb::Delete, "metadata/a", Value::Null).await;
    assert!(harness.storage.keys("", "", 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_and_a_folder_of_the_same_name_know_nothing_of_each_other() {
    let harness = Harness::open::<Kv2>().await;
    for path in ["a", "a/b", "a/1", "ab", "a/1/2"] {
        harness.ok(Verb::Write, &format!("data/{path}"), json!({"data": {"at": path}})).await;
    }
    harness.ok(Verb::Delete, "metadata/a", Value::Null).await;
    assert_eq!(harness.send(Verb::Read, "data/a", Value::Null).await.status, 404);
    for path in ["a/b", "a/1", "ab", "a/1/2"] {
        let data = harness.ok(Verb::Read, &format!("data/{path}"), Value::Null).await;
        assert_eq!(data["data"]["at"], path);
    }
    let keys = harness.ok(Verb::List, "metadata/a", Value::Null).await;
    assert_eq!(keys["keys"], json!(["1", "1/", "b"]));
    let keys = harness.ok(Verb::Scan, "metadata?after=a/1&limit=2", Value::Null).await;
    assert_eq!(keys["keys"], json!(["a/1/2", "a/b"]));
}

#[tokio::test]
async fn of_two_writers_with_the_same_expectation_one_wins() {
    let harness = Arc::new(Harness::open::<Kv2>().await);
    let write = |x: u32| {
        let harness = harness.clone();
        async move {
            let body = json!({"data": {"x": x}, "options": {"cas": 0}});
            harness.send(Verb::Write, "data/a", body).await.status
        }
    };
    let mut statuses: Vec<u16> = Vec::new();
    let tasks: Vec<_> = (0..8).map(|x| tokio::spawn(write(x))).collect();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn the_text_of_the_data_survives() {
    let harness = Harness::open::<Kv2>().await;
    let text = r#"{"data":{"big":12345678901234567890123,"f":1.10,"e":1e400,"u":"\u00e4"}}"#;
    assert_eq!(harness.send_text(Verb::Write, "data/a", text).await.status, 200);
    let data: Data = harness.storage.get("data/a/1").await.unwrap().unwrap();
    let kept = serde_json::to_string(&data).unwrap();
    assert_eq!(kept, r#"{"big":12345678901234567890123,"f":1.10,"e":1e400,"u":"\u00e4"}"#);
}

#[tokio::test]
async fn metadata_makes_a_write_an_update() {
    let harness = Harness::open::<Kv2>().await;
    assert_eq!(harness.exists("data/a").await, Some(false));
    harness.ok(Verb::Write, "metadata/a", json!({"max_versions": 3})).await;
    assert_eq!(harness.exists("data/a").await, Some(true));
    assert_eq!(harness.exists("metadata/a").await, Some(true));
    assert_eq!(harness.exists("config").await, None);
    assert_eq!(harness.exists("delete/a").await, None);
}

#[tokio::test]
async fn data_that_is_lost_is_reported_and_stops_nothing_else() {
    let harness = Harness::open::<Kv2>().await;
    harness.ok(Verb::Write, "data/a", json!({"data": {"x": 1}})).await;
    harness.ok(Verb::Write, "data/a", json!({"data": {"x": 2}})).await;
    harness.storage.delete("data/a/2").await.unwrap();
    let answer = harness.send(Verb::Read, "data/a", Value::Null).await;
    assert_eq!(answer.status, 500);
    assert!(answer.errors[0].starts_with("data/a/2: "), "{answer:?}");
    harness.ok(Verb::Read, "data/a?version=1", Value::Null).await;
    harness.ok(Verb::Write, "data/a", json!({"data": {"x": 3}})).await;
}

#[tokio::test]
async fn a_deleted_version_is_asked_for_by_its_own_number_only() {
    let harness = Harness::open::<Kv2>().await;
    harness.ok(Verb::Write, "data/a", json!({"data": {"x": 1}})).await;
    for action in ["delete", "destroy"] {
        harness.ok(Verb::Write, &format!("{action}/a"), json!({"versions": [0]})).await;
        harness.ok(Verb::Read, "data/a", Value::Null).await;
    }
}

#[tokio::test]
async fn whoever_takes_it_for_unversioned_is_told() {
    let harness = Harness::open::<Kv2>().await;
    for (verb, path, command) in
        [(Verb::Read, "foo", "get"), (Verb::Write, "foo/bar", "put"), (Verb::List, "", "list")]
    {
        let answer = harness.send(verb, path, Value::Null).await;
        assert_eq!((answer.status, answer.warnings.len()), (404, 1));
        assert!(answer.warnings[0].contains(&format!("'strongroom kv {command}'")), "{answer:?}");
    }
}

#[test]
fn every_head_is_known() {
    for endpoint in Kind::of::<Kv2>().endpoints() {
        let head = endpoint.pattern.split('/').next().unwrap();
        assert!(head == "{path..}" || HEADS.contains(&head), "{head}");
    }
}
