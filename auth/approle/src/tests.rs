#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use core_engine_api::testing::{Answer, Harness};
use core_engine_api::{LoginGrant, TokenType};
use serde_json::{Value, json};

use super::*;

/// A role `a` with the role id `ra` and the secret id `mine`.
async fn harness() -> Harness {
    let harness = Harness::open::<Approle>().await;
    let role = json!({"role_id": "ra", "token_policies": "pa", "token_ttl": "1h"});
    harness.ok(Verb::Write, "role/a", role).await;
    harness.ok(Verb::Write, "role/a/custom-secret-id", json!({"secret_id": "mine"})).await;
    harness
}

async fn login(harness: &Harness, role_id: &str, secret_id: &str) -> Answer {
    let body = json!({"role_id": role_id, "secret_id": secret_id});
    harness.send(Verb::Write, "login", body).await
}

async fn granted(harness: &Harness, role_id: &str, secret_id: &str) -> LoginGrant {
    let answer = login(harness, role_id, secret_id).await;
    answer.login.unwrap_or_else(|| panic!("{:?}", answer.errors))
}

async fn keys_of(harness: &Harness, prefix: &str) -> Vec<String> {
    harness.storage.keys(prefix, "", 0).await.unwrap()
}

#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Approle>().await;
    assert!(harness.replay(include_str!("../tests/fixtures/approle.json")).await >= 40);
}

#[tokio::test]
async fn whoever_fails_learns_nothing_about_why() {
    let harness = harness().await;
    let body = json!({"secret_id": "old", "ttl": 60});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    let body = json!({"secret_id": "once", "num_uses": 1});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    granted(&harness, "ra", "once").await;
    harness.clock.advance(Ttl::from_seconds(60));
    for (role_id, secret_id) in [
        ("ra", "wrong"),
        ("none", "mine"),
        ("RA", "mine"),
        ("ra", "old"),
        ("ra", "once"),
        ("none", ""),
    ] {
        let answer = login(&harness, role_id, secret_id).await;
        assert_eq!(answer.status, 400, "{role_id} {secret_id}");
        assert_eq!(answer.errors, ["invalid role or secret ID"], "{role_id} {secret_id}");
    }
}

/// CVE-2023-24999: one role's endpoints destroyed the secret ids of another.
#[tokio::test]
async fn a_role_reaches_only_its_own_secret_ids() {
    let harness = harness().await;
    harness.ok(Verb::Write, "role/b", json!({"role_id": "rb"})).await;
    let issued = harness.ok(Verb::Write, "role/a/secret-id", json!({})).await;
    let (secret_id, accessor) = (&issued["secret_id"], &issued["secret_id_accessor"]);
    for (path, body) in [
        ("role/b/secret-id/destroy", json!({"secret_id": secret_id})),
        ("role/b/secret-id/lookup", json!({"secret_id": secret_id})),
        ("role/b/secret-id-accessor/destroy", json!({"secret_id_accessor": accessor})),
        ("role/b/secret-id-accessor/lookup", json!({"secret_id_accessor": accessor})),
    ] {
        let answer = harness.send(Verb::Write, path, body.clone()).await;
        assert!(answer.data.is_null() && [204, 404].contains(&answer.status), "{path} {answer:?}");
        harness.send(Verb::Delete, path, body).await;
    }
    granted(&harness, "ra", secret_id.as_str().unwrap()).await;
    assert_eq!(login(&harness, "rb", secret_id.as_str().unwrap()).await.status, 400);
}

#[tokio::test]
async fn a_secret_id_is_good_for_as_many_logins_as_it_says() {
    let harness = Arc::new(harness().await);
    let body = json!({"secret_id": "three", "num_uses": 3, "ttl": "1h"});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    let attempt = || {
        let harness = harness.clone();
        tokio::spawn(async move { login(&harness, "ra", "three").await.login.is_some() })
    };
    let attempts: Vec<_> = (0..8).map(|_| attempt()).collect();
    let mut logins = 0;
    for attempt in attempts {
        logins += usize::from(attempt.await.unwrap());
    }
    assert_eq!(logins, 3);
    assert!(keys_of(&harness, "expiry/").await.is_empty());
    assert_eq!(keys_of(&harness, "accessor/").await.len(), 1);
    assert_eq!(keys_of(&harness, "secret/").await.len(), 1);
}

#[tokio::test]
async fn a_login_without_limits_writes_nothing() {
    let harness = harness().await;
    let path = keys_of(&harness, "secret/").await.remove(0);
    let before: secret_id::SecretId = harness.storage.get(&path).await.unwrap().unwrap();
    harness.clock.advance(Ttl::from_seconds(5));
    granted(&harness, "ra", "mine").await;
    let after: secret_id::SecretId = harness.storage.get(&path).await.unwrap().unwrap();
    assert_eq!(before.updated, after.updated);
}

#[tokio::test]
async fn a_refused_address_costs_no_use() {
    let mut harness = harness().await;
    let body = json!({"secret_id": "bound", "num_uses": 1, "cidr_list": "10.0.0.0/8"});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    let answer = login(&harness, "ra", "bound").await;
    assert_eq!(
        answer.errors,
        ["source address \"127.0.0.1\" unauthorized through CIDR restrictions on the secret ID"]
    );
    harness.caller.remote = None;
    assert_eq!(login(&harness, "ra", "bound").await.status, 400);
    harness.caller.remote = Some("[::ffff:10.9.9.9]:1".parse::<SocketAddr>().unwrap());
    granted(&harness, "ra", "bound").await;
}

#[tokio::test]
async fn the_metadata_of_a_secret_id_cannot_claim_another_role() {
    let harness = harness().await;
    let body = json!({"secret_id": "m", "metadata": "{\"role_name\":\"admin\",\"k\":\"v\"}"});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    let grant = granted(&harness, "ra", "m").await;
    assert_eq!(json!(grant.metadata), json!({"role_name": "a", "k": "v"}));
    assert_eq!((grant.alias.as_str(), grant.display_name.as_str()), ("ra", ""));
}

#[tokio::test]
async fn neither_a_secret_id_nor_its_plain_hash_is_stored() {
    let harness = harness().await;
    for key in keys_of(&harness, "").await {
        assert!(!key.contains("mine"), "{key}");
        assert!(!key.contains(&base_crypto::hex(&base_crypto::sha256(b"mine"))), "{key}");
    }
    let other = Harness::open::<Approle>().await;
    other.ok(Verb::Write, "role/x", json!({})).await; // Draws other random bytes than the first.
    assert_ne!(
        harness.ok(Verb::Read, "role/a/role-id", Value::Null).await,
        other.ok(Verb::Read, "role/x/role-id", Value::Null).await
    );
}

#[tokio::test]
async fn the_job_removes_what_has_expired_and_nothing_else() {
    let harness = harness().await;
    for n in 0..150 {
        let body = json!({"secret_id": format!("s{n}"), "ttl": 10 + n});
        harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    }
    harness.clock.advance(Ttl::from_seconds(109));
    assert_eq!(harness.backend.intervals(), [Ttl::from_seconds(60)]);
    harness.backend.run(0).await.unwrap();
    for (prefix, left) in [("expiry/", 50), ("secret/", 51), ("accessor/", 51)] {
        assert_eq!(keys_of(&harness, prefix).await.len(), left, "{prefix}");
    }
    granted(&harness, "ra", "mine").await;
    granted(&harness, "ra", "s100").await;
    assert_eq!(login(&harness, "ra", "s99").await.status, 400);
    harness.clock.advance(Ttl::from_seconds(100));
    harness.ok(Verb::Write, "tidy/secret-id", Value::Null).await;
    assert_eq!(keys_of(&harness, "secret/").await.len(), 1);
}

#[tokio::test]
async fn a_deleted_role_takes_its_secret_ids_with_it() {
    let mut harness = harness().await;
    for n in 0..70 {
        let body = json!({"secret_id": format!("s{n}"), "ttl": "1h"});
        harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    }
    harness.ok(Verb::Delete, "role/a", Value::Null).await;
    harness.ok(Verb::Write, "role/a", json!({"role_id": "ra"})).await;
    assert_eq!(login(&harness, "ra", "mine").await.status, 400);
    assert_eq!(harness.send(Verb::List, "role/a/secret-id", Value::Null).await.status, 404);
    harness.reopen().await;
    harness.backend.run(0).await.unwrap();
    for prefix in ["gone/", "secret/", "accessor/", "expiry/"] {
        assert!(keys_of(&harness, prefix).await.is_empty(), "{prefix}");
    }
}

#[tokio::test]
async fn a_damaged_secret_id_does_not_keep_the_job_from_the_others() {
    let harness = harness().await;
    for secret_id in ["x", "y"] {
        let body = json!({"secret_id": secret_id, "ttl": 10});
        harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    }
    let damaged = keys_of(&harness, "expiry/").await.remove(0);
    let damaged = keys::Expiry::parse(&damaged).unwrap();
    harness
        .storage
        .put(&keys::secret(damaged.folder, damaged.hash), &keys::Marker {})
        .await
        .unwrap();
    harness.clock.advance(Ttl::from_seconds(10));
    harness.backend.run(0).await.unwrap();
    assert_eq!(keys_of(&harness, "secret/").await.len(), 1);
    assert!(keys_of(&harness, "expiry/").await.is_empty());
}

#[tokio::test]
async fn a_role_id_belongs_to_one_role() {
    let harness = harness().await;
    harness.ok(Verb::Write, "role/b", json!({"role_id": "rb"})).await;
    for (path, body) in
        [("role/b", json!({"role_id": "ra"})), ("role/b/role-id", json!({"role_id": "ra"}))]
    {
        let answer = harness.send(Verb::Write, path, body).await;
        assert_eq!(answer.errors, ["role_id already in use"]);
    }
    harness.ok(Verb::Write, "role/a/role-id", json!({"role_id": "new"})).await;
    assert_eq!(login(&harness, "ra", "mine").await.status, 400);
    granted(&harness, "new", "mine").await;
    harness.ok(Verb::Write, "role/b/role-id", json!({"role_id": "ra"})).await;
    harness.ok(Verb::Delete, "role/b", Value::Null).await;
    assert_eq!(keys_of(&harness, "role-id/").await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_of_one_setting_changes_only_this_one() {
    let harness = harness().await;
    let body = json!({"token_ttl": 60, "token_policies": "root", "bind_secret_id": false});
    let answer = harness.send(Verb::Write, "role/a/token-ttl", body).await;
    assert_eq!(answer.status, 204);
    // As in Vault: an answer without content stays one, whatever was ignored.
    assert!(answer.warnings.is_empty(), "{answer:?}");
    let role = harness.ok(Verb::Read, "role/a", Value::Null).await;
    assert_eq!((&role["token_ttl"], &role["token_policies"]), (&json!(60), &json!(["pa"])));
    assert_eq!(role["bind_secret_id"], true);
}

#[tokio::test]
async fn every_setting_can_be_read_changed_and_reset() {
    let harness = harness().await;
    for (part, field, value, default) in [
        ("bind-secret-id", "bind_secret_id", json!(false), json!(true)),
        ("period", "token_period", json!(60), json!(0)),
        ("policies", "token_policies", json!(["x"]), json!([])),
        ("secret-id-bound-cidrs", "secret_id_bound_cidrs", json!(["127.0.0.0/8"]), Value::Null),
        ("secret-id-num-uses", "secret_id_num_uses", json!(3), json!(0)),
        ("secret-id-ttl", "secret_id_ttl", json!(60), json!(0)),
        ("token-bound-cidrs", "token_bound_cidrs", json!(["127.0.0.0/8"]), json!([])),
        ("token-max-ttl", "token_max_ttl", json!(7200), json!(0)),
        ("token-num-uses", "token_num_uses", json!(2), json!(0)),
        ("token-ttl", "token_ttl", json!(60), json!(0)),
    ] {
        // Something must bind the role while it needs no secret id.
        harness.ok(Verb::Write, "role/a", json!({"token_bound_cidrs": "127.0.0.1"})).await;
        let path = format!("role/a/{part}");
        harness.ok(Verb::Write, &path, json!({field: value})).await;
        assert_eq!(harness.ok(Verb::Read, &path, Value::Null).await, json!({field: value}));
        harness.ok(Verb::Delete, &path, Value::Null).await;
        assert_eq!(harness.ok(Verb::Read, &path, Value::Null).await, json!({field: default}));
        assert_eq!(harness.send(Verb::Write, &path, json!({})).await.status, 400, "{part}");
        let elsewhere = format!("role/none/{part}");
        assert_eq!(harness.send(Verb::Write, &elsewhere, json!({field: value})).await.status, 404);
    }
}

#[tokio::test]
async fn what_a_deprecated_name_sets_is_read_under_the_new_one() {
    let harness = harness().await;
    harness.ok(Verb::Write, "role/a", json!({})).await;
    let (path, blocks) = ("role/a/bound-cidr-list", json!(["127.0.0.0/8"]));
    harness.ok(Verb::Write, path, json!({"bound_cidr_list": blocks})).await;
    let old = harness.ok(Verb::Read, path, Value::Null).await;
    assert_eq!(old, json!({"bound_cidr_list": null}));
    let new = harness.ok(Verb::Read, "role/a/secret-id-bound-cidrs", Value::Null).await;
    assert_eq!(new, json!({"secret_id_bound_cidrs": blocks}));
}

#[tokio::test]
async fn all_spellings_of_a_name_are_one_role() {
    let harness = harness().await;
    harness.ok(Verb::Write, "role/ A ", json!({"token_ttl": 5})).await;
    assert_eq!(harness.ok(Verb::List, "role", Value::Null).await, json!({"keys": ["a"]}));
    assert_eq!(harness.exists("role/A").await, Some(true));
    assert_eq!(harness.exists("role/b").await, Some(false));
    let alias = harness.alias("login", &json!({"role_id": " ra ", "secret_id": "x"}));
    assert_eq!(alias.as_deref(), Some("ra"));
}

#[tokio::test]
async fn a_renewal_looks_at_the_role_again() {
    let mut harness = harness().await;
    let internal = granted(&harness, "ra", "mine").await.internal.unwrap();
    harness.ok(Verb::Write, "role/a", json!({"token_ttl": "2h", "token_type": "service"})).await;
    harness.reopen().await;
    let renewed = harness.backend.renew_login(internal.clone()).await.unwrap();
    assert_eq!((renewed.ttl.seconds(), renewed.token_type), (7200, TokenType::Service));
    granted(&harness, "ra", "mine").await; // The hash key survives a restart.
    harness.ok(Verb::Delete, "role/a", Value::Null).await;
    let error = harness.backend.renew_login(internal).await.unwrap_err();
    assert_eq!(error.public(), "role \"a\" does not exist during renewal");
}

#[tokio::test]
async fn the_blocks_of_a_secret_id_bind_its_tokens() {
    let harness = harness().await;
    harness.ok(Verb::Write, "role/a", json!({"token_bound_cidrs": "127.0.0.0/8"})).await;
    assert_eq!(granted(&harness, "ra", "mine").await.bound_cidrs, ["127.0.0.0/8"]);
    let body = json!({"secret_id": "one", "token_bound_cidrs": "127.0.0.1/32"});
    harness.ok(Verb::Write, "role/a/custom-secret-id", body).await;
    assert_eq!(granted(&harness, "ra", "one").await.bound_cidrs, ["127.0.0.1"]);
    let strict = json!({"token_bound_cidrs": [], "token_strictly_bind_ip": true});
    harness.ok(Verb::Write, "role/a", strict).await;
    assert_eq!(granted(&harness, "ra", "one").await.bound_cidrs, ["127.0.0.1"]);
}

#[tokio::test]
async fn only_the_login_is_open() {
    for endpoint in harness().await.endpoints() {
        assert_eq!(endpoint.open, endpoint.pattern == "login", "{}", endpoint.pattern);
    }
}
