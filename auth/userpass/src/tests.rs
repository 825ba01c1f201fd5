#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use core_engine_api::TokenType;
use core_engine_api::testing::Harness;
use serde_json::{Value, json};

use super::*;

async fn harness() -> Harness {
    let harness = Harness::open::<Userpass>().await;
    let user = json!({"password": "pw", "token_policies": "a,b", "token_ttl": "1h"});
    harness.ok(Verb::Write, "users/bob", user).await;
    harness
}

async fn login(harness: &Harness, name: &str, password: &str) -> core_engine_api::testing::Answer {
    harness.send(Verb::Write, &format!("login/{name}"), json!({"password": password})).await
}

#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Userpass>().await;
    assert!(harness.replay(include_str!("../tests/fixtures/userpass.json")).await >= 20);
}

/// CVE-2025-6004: variants of a name were users of their own for the lockout.
#[tokio::test]
async fn all_spellings_of_a_name_are_one_user() {
    let harness = harness().await;
    for name in ["bob", "BOB", " bob", "Bob "] {
        let grant = login(&harness, name, "pw").await.login.unwrap();
        assert_eq!((grant.alias.as_str(), grant.display_name.as_str()), ("bob", "bob"));
        let alias = harness.alias(&format!("login/{name}"), &json!({"password": "x"}));
        assert_eq!(alias.as_deref(), Some("bob"));
    }
    harness.ok(Verb::Write, "users/BOB", json!({"token_ttl": 5})).await;
    assert_eq!(harness.ok(Verb::List, "users", Value::Null).await, json!({"keys": ["bob"]}));
    assert_eq!(harness.exists("users/Bob").await, Some(true));
    assert_eq!(harness.exists("users/eve").await, Some(false));
}

/// CVE-2025-6011, CVE-2025-6010, CVE-2023-3462: the answer told whether a user exists.
#[tokio::test]
async fn an_unknown_name_looks_like_a_wrong_password() {
    let harness = harness().await;
    let wrong = login(&harness, "bob", "no").await;
    assert_eq!(wrong.status, 400);
    for name in ["eve", "b\u{1}ob", &"x".repeat(600)] {
        let unknown = login(&harness, name, "pw").await;
        assert_eq!((unknown.status, unknown.errors), (wrong.status, wrong.errors.clone()));
    }
}

#[tokio::test]
async fn a_password_is_not_cut_off() {
    let harness = harness().await;
    let long = "x".repeat(72);
    harness.ok(Verb::Write, "users/bob/password", json!({"password": long})).await;
    assert!(login(&harness, "bob", &long).await.login.is_some());
    assert!(login(&harness, "bob", &"x".repeat(73)).await.login.is_none());
    let body = json!({"password": "x".repeat(73)});
    for path in ["users/bob", "users/bob/password", "users/new"] {
        let answer = harness.send(Verb::Write, path, body.clone()).await;
        assert_eq!(answer.status, 400);
        assert!(answer.errors[0].contains("72 bytes"), "{answer:?}");
        assert!(!answer.errors[0].contains("xxx"));
    }
}

#[tokio::test]
async fn only_the_bound_addresses_may_log_in() {
    let mut harness = harness().await;
    harness.ok(Verb::Write, "users/bob", json!({"token_bound_cidrs": "10.0.0.0/8"})).await;
    assert_eq!(login(&harness, "bob", "pw").await.status, 403);
    assert_eq!(login(&harness, "bob", "no").await.status, 400);
    harness.caller.remote = Some(SocketAddr::from(([10, 1, 2, 3], 1)));
    let grant = login(&harness, "bob", "pw").await.login.unwrap();
    assert_eq!(grant.bound_cidrs, ["10.0.0.0/8"]);
    harness.caller.remote = None;
    assert_eq!(login(&harness, "bob", "pw").await.status, 403);
}

#[tokio::test]
async fn a_token_may_be_bound_to_the_address_of_the_login() {
    let harness = harness().await;
    harness.ok(Verb::Write, "users/bob", json!({"token_strictly_bind_ip": true})).await;
    let grant = login(&harness, "bob", "pw").await.login.unwrap();
    assert_eq!(grant.bound_cidrs, ["127.0.0.1"]);
}

#[tokio::test]
async fn a_renewal_looks_at_the_user_again() {
    let mut harness = harness().await;
    let grant = login(&harness, "bob", "pw").await.login.unwrap();
    let internal = grant.internal.unwrap();
    harness.ok(Verb::Write, "users/bob", json!({"token_ttl": "2h", "token_type": "service"})).await;
    harness.reopen().await;
    let renewed = harness.backend.renew_login(internal.clone()).await.unwrap();
    assert_eq!(renewed.ttl.seconds(), 7200);
    assert_eq!(renewed.token_type, TokenType::Service);
    assert_eq!(renewed.policies, ["a", "b"]);

    harness.ok(Verb::Write, "users/bob", json!({"token_policies": "b,a,a"})).await;
    assert!(harness.backend.renew_login(internal.clone()).await.is_ok());
    harness.ok(Verb::Write, "users/bob", json!({"token_policies": "a"})).await;
    let error = harness.backend.renew_login(internal.clone()).await.unwrap_err();
    assert_eq!(error.public(), "policies have changed, not renewing");
    harness.ok(Verb::Delete, "users/bob", Value::Null).await;
    assert!(harness.backend.renew_login(internal).await.is_err());
}

#[tokio::test]
async fn the_password_is_stored_as_a_hash_and_never_shown() {
    let harness = harness().await;
    let shown = harness.ok(Verb::Read, "users/bob", Value::Null).await.to_string();
    assert!(!shown.contains("password") && !shown.contains("$2b$"), "{shown}");
    let user: user::User = harness.storage.get("user/bob").await.unwrap().unwrap();
    assert!(user.password_hash.starts_with("$2b$10$"));
}

#[tokio::test]
async fn only_the_login_is_open() {
    let harness = harness().await;
    for endpoint in harness.endpoints() {
        assert_eq!(endpoint.open, endpoint.pattern.starts_with("login"), "{}", endpoint.pattern);
    }
}
