//! `auth/token/` as its clients see it. Fields and texts are those of OpenBao 2.7.2.

use base_types::ErrorKind;
use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::world::{With, World};

const PLAIN: &str = "path \"auth/token/*\" { capabilities = [\"create\", \"update\", \"read\", \"list\", \"delete\"] }
    path \"a/*\" { capabilities = [\"read\"] }";
const SUDO: &str = "path \"auth/token/*\" { capabilities = [\"create\", \"update\", \"read\", \"list\", \"delete\", \"sudo\"] }";

/// A world with a token that may use the engine, and one that may use it with `sudo`.
async fn world() -> (World, String, String) {
    let world = World::start().await;
    world.policy("", "a", PLAIN).await;
    world.policy("", "s", SUDO).await;
    let (plain, _) = world.token(json!({"policies": ["a"]})).await;
    let (sudo, _) = world.token(json!({"policies": ["s"]})).await;
    (world, plain, sudo)
}

#[tokio::test]
async fn a_token_is_described_as_vaults_clients_expect() {
    let world = World::start().await;
    let made = world.write("auth/token/create", &world.root, json!({
        "policies": ["default", "nope"], "meta": {"k": 1}, "ttl": "1h", "display_name": "x y!z",
        "num_uses": "5", "renewable": "true", "period": 1800, "explicit_max_ttl": "2h",
    })).await;
    let auth = &made["auth"];
    let (token, accessor) =
        (auth["client_token"].as_str().unwrap(), auth["accessor"].as_str().unwrap());
    assert_eq!(made["warnings"], json!(["Policy \"nope\" does not exist"]));
    assert_eq!(
        *auth,
        json!({
            "client_token": token, "accessor": accessor, "policies": ["default", "nope"],
            "token_policies": ["default", "nope"], "metadata": {"k": "1"}, "lease_duration": 1800,
            "renewable": true, "entity_id": "", "token_type": "service", "orphan": false,
            "mfa_requirement": null, "num_uses": 5,
        })
    );
    let mut expect = json!({
        "accessor": accessor, "creation_time": 1_767_225_600, "creation_ttl": 1800,
        "display_name": "token-x-y-z", "entity_id": "", "expire_time": "2026-01-01T00:30:00Z",
        "explicit_max_ttl": 7200, "id": token, "issue_time": "2026-01-01T00:00:00Z",
        "meta": {"k": "1"}, "num_uses": 5, "orphan": false, "path": "auth/token/create",
        "period": 1800, "policies": ["default", "nope"], "renewable": true, "ttl": 1800, "type": "service",
    });
    let found = world.write("auth/token/lookup", &world.root, json!({"token": token})).await;
    assert_eq!(found["data"], expect);
    expect["num_uses"] = json!(4);
    assert_eq!(world.read("auth/token/lookup-self", token).await.ok()["data"], expect);
    world.advance(600);
    world.write("auth/token/renew-self", token, json!({})).await;
    expect["id"] = json!("");
    expect["num_uses"] = json!(3);
    expect["expire_time"] = json!("2026-01-01T00:40:00Z");
    expect["last_renewal"] = json!("2026-01-01T00:10:00Z");
    expect["last_renewal_time"] = json!(1_767_226_200);
    let found =
        world.write("auth/token/lookup-accessor", &world.root, json!({"accessor": accessor})).await;
    assert_eq!(found["data"], expect);
}

#[tokio::test]
async fn a_root_token_never_ends() {
    let world = World::start().await;
    let made = world.write("auth/token/create", &world.root, json!({})).await;
    let auth = &made["auth"];
    assert_eq!(
        (&auth["policies"], &auth["lease_duration"], &auth["renewable"]),
        (&json!(["root"]), &json!(0), &json!(false))
    );
    let token = auth["client_token"].as_str().unwrap();
    let found = world.read("auth/token/lookup-self", token).await.ok();
    assert_eq!((&found["data"]["expire_time"], &found["data"]["ttl"]), (&Value::Null, &json!(0)));
    assert_eq!(
        world.refused("auth/token/renew-self", token, json!({})).await,
        "lease is not renewable"
    );
    world.advance(1_000_000_000);
    assert!(world.is_alive(token).await);
    for limited in
        [json!({"ttl": "1h"}), json!({"period": "1h"}), json!({"explicit_max_ttl": "1h"})]
    {
        let made = world.write("auth/token/create", &world.root, limited).await;
        assert_eq!(made["auth"]["lease_duration"], 3600);
        let token = made["auth"]["client_token"].as_str().unwrap();
        assert_eq!(
            world.refused("auth/token/create", token, json!({})).await,
            "expiring root tokens cannot create non-expiring root tokens"
        );
        world.write("auth/token/create", token, json!({"ttl": "2h"})).await;
    }
}

#[tokio::test]
async fn who_may_make_which_token() {
    let (world, plain, sudo) = world().await;
    let root = world.root.clone();
    for (caller, body, outcome) in [
        (&plain, json!({}), Ok(json!(["a", "default"]))),
        (&plain, json!({"policies": ["a"]}), Ok(json!(["a", "default"]))),
        (&plain, json!({"policies": "A"}), Ok(json!(["a", "default"]))),
        (&plain, json!({"policies": ["a"], "no_default_policy": true}), Ok(json!(["a"]))),
        (&plain, json!({"no_default_policy": true}), Ok(json!(["a"]))),
        (&plain, json!({"policies": ["s"]}), Err("child policies must be subset of parent")),
        (&plain, json!({"policies": ["root"]}), Err("child policies must be subset of parent")),
        (&plain, json!({"policies": [" ROOT "]}), Err("child policies must be subset of parent")),
        (&plain, json!({"id": "foo"}), Err("root or sudo privileges required to specify token id")),
        (
            &plain,
            json!({"no_parent": true}),
            Err("root or sudo privileges required to create orphan token"),
        ),
        (
            &plain,
            json!({"period": "1h"}),
            Err("root or sudo privileges required to create periodic token"),
        ),
        (&sudo, json!({"policies": ["a"]}), Ok(json!(["a", "default"]))),
        (
            &sudo,
            json!({"policies": ["root"]}),
            Err("root tokens may not be created without parent token being root"),
        ),
        (
            &sudo,
            json!({"policies": ["a", " Root"]}),
            Err("root tokens may not be created without parent token being root"),
        ),
        (&sudo, json!({"id": "foo.bar"}), Err("custom token ID cannot have a '.' in the value")),
        (&sudo, json!({"id": "s.foo"}), Err("custom token ID cannot have the 's.' prefix")),
        (
            &sudo,
            json!({"id": "srb_foo"}),
            Err("custom token ID cannot have the prefix of the server's own tokens"),
        ),
        (&sudo, json!({"id": "foo"}), Ok(json!(["default", "s"]))),
        (&sudo, json!({"id": "foo"}), Err("cannot create a token with a duplicate ID")),
        (
            &sudo,
            json!({"id": root}),
            Err("custom token ID cannot have the prefix of the server's own tokens"),
        ),
        (&sudo, json!({"no_parent": true}), Ok(json!(["default", "s"]))),
        (&root, json!({"policies": ["a", "root", "s"]}), Ok(json!(["root"]))),
        (&root, json!({"policies": [""]}), Ok(json!(["default"]))),
        (&root, json!({"policies": null}), Ok(json!(["root"]))),
        (
            &root,
            json!({"policies": ["response-wrapping"]}),
            Err("cannot assign policy \"response-wrapping\""),
        ),
        (
            &root,
            json!({"policies": ["a"], "entity_alias": "x"}),
            Err("'entity_alias' is only allowed in combination with token role"),
        ),
        (&root, json!({"policies": ["a"], "type": "x"}), Err("invalid 'token_type' value")),
        (
            &root,
            json!({"policies": ["a"], "num_uses": -3}),
            Err("number of uses cannot be negative"),
        ),
        (&root, json!({"type": "batch"}), Err("batch tokens cannot be root tokens")),
        (
            &root,
            json!({"type": "batch", "policies": ["a"], "period": 60}),
            Err("batch tokens cannot have \"period\" set"),
        ),
        (
            &root,
            json!({"type": "batch", "policies": ["a"], "explicit_max_ttl": 60}),
            Err("batch tokens cannot have \"explicit_max_ttl\" set"),
        ),
        (
            &root,
            json!({"type": "batch", "policies": ["a"], "num_uses": 3}),
            Err("batch tokens cannot have \"num_uses\" set"),
        ),
    ] {
        let with = With { token: Some(caller), body: body.clone(), ..With::default() };
        let answer = world.send(Verb::Write, "auth/token/create", with).await.outcome;
        let answer =
            answer.map(|answer| answer["auth"]["policies"].clone()).map_err(|(_, text)| text);
        assert_eq!(answer, outcome.map_err(str::to_owned), "{body}");
    }
    let orphan = world.write("auth/token/create-orphan", &plain, json!({})).await;
    assert_eq!(orphan["auth"]["orphan"], true);
    let (limited, _) = world.token(json!({"policies": ["a"], "num_uses": 2})).await;
    assert_eq!(
        world.refused("auth/token/create", &limited, json!({})).await,
        "restricted use token cannot generate child tokens"
    );
}

#[tokio::test]
async fn times_are_held_to_the_limits() {
    let world = World::start().await;
    for (body, seconds, warning) in [
        (json!({}), 2_764_800, None),
        (
            json!({"ttl": "9000h"}),
            2_764_800,
            Some(
                "TTL of \"9000h\" exceeded the effective max_ttl of \"768h\"; TTL value is capped accordingly",
            ),
        ),
        (
            json!({"ttl": "2h", "explicit_max_ttl": "1h"}),
            3600,
            Some(
                "TTL of \"2h\" exceeded the effective max_ttl of \"1h\"; TTL value is capped accordingly",
            ),
        ),
        (
            json!({"explicit_max_ttl": "1h"}),
            3600,
            Some(
                "TTL of \"768h\" exceeded the effective max_ttl of \"1h\"; TTL value is capped accordingly",
            ),
        ),
        (json!({"explicit_max_ttl": "9000h"}), 2_764_800, None),
        (
            json!({"period": "9000h"}),
            2_764_800,
            Some(
                "period of \"9000h\" exceeded the effective max_ttl of \"768h\"; period value is capped accordingly",
            ),
        ),
        (
            json!({"period": "10h", "explicit_max_ttl": "1h"}),
            3600,
            Some(
                "period of \"10h\" exceeded the effective max_ttl of \"1h\"; period value is capped accordingly",
            ),
        ),
        (json!({"period": "1h", "ttl": "5m"}), 3600, None),
        (json!({"lease": "2h"}), 7200, None),
        (json!({"ttl": "0"}), 2_764_800, None),
    ] {
        let mut body = body;
        body["policies"] = json!(["default"]);
        let made = world.write("auth/token/create", &world.root, body.clone()).await;
        assert_eq!(made["auth"]["lease_duration"], seconds, "{body}");
        let warnings = made["warnings"].as_array().map(|list| list[0].as_str().unwrap());
        assert_eq!(warnings, warning, "{body}");
    }
}

#[tokio::test]
async fn lookups_renewals_and_revocations_say_what_vault_says() {
    let (world, plain, sudo) = world().await;
    let root = world.root.clone();
    let (token, accessor) = world.token(json!({"policies": ["a"], "ttl": "5m"})).await;
    let bad = json!({"token": "x", "accessor": "x"});
    for (path, caller, body, text) in [
        ("lookup", &plain, bad.clone(), "bad token"),
        ("lookup-accessor", &plain, json!({}), "missing accessor"),
        ("lookup-accessor", &plain, bad.clone(), "invalid accessor"),
        ("renew", &plain, json!({}), "missing token ID"),
        ("renew", &plain, bad.clone(), "token not found"),
        ("renew-accessor", &plain, json!({}), "missing accessor"),
        ("renew-accessor", &plain, bad.clone(), "invalid accessor"),
        ("revoke", &plain, json!({}), "missing token ID"),
        ("revoke-accessor", &plain, json!({}), "missing accessor"),
        (
            "revoke-orphan",
            &plain,
            json!({"token": token}),
            "root or sudo privileges required to revoke and orphan",
        ),
        ("revoke-orphan", &sudo, json!({}), "missing token ID"),
        ("revoke-orphan", &sudo, bad.clone(), "token to revoke not found"),
    ] {
        assert_eq!(
            world.refused(&format!("auth/token/{path}"), caller, body).await,
            text,
            "{path}"
        );
    }
    // The token is repeated only to whoever showed it.
    for (path, caller, body, text) in [
        ("renew-self", &token, json!({}), token.as_str()),
        ("renew-self", &token, json!({"token": "ignored", "increment": 0}), &token),
        ("renew", &root, json!({"token": token}), &token),
        ("renew-accessor", &root, json!({"accessor": accessor}), ""),
    ] {
        let renewed = world.write(&format!("auth/token/{path}"), caller, body).await;
        assert_eq!(renewed["auth"]["client_token"], text, "{path}");
        assert_eq!(renewed["auth"]["lease_duration"], 300);
        assert_eq!(renewed["data"], Value::Null);
    }
    let over = world.write("auth/token/renew-self", &token, json!({"increment": "9000h"})).await;
    assert_eq!(over["auth"]["lease_duration"], 2_764_800);
    assert_eq!(over["warnings"].as_array().unwrap().len(), 1);
    let short = world.write("auth/token/renew-self", &token, json!({"increment": "10s"})).await;
    assert_eq!(short["auth"]["lease_duration"], 10);
    let (rigid, _) = world.token(json!({"policies": ["a"], "renewable": false})).await;
    assert_eq!(
        world.refused("auth/token/renew-self", &rigid, json!({})).await,
        "lease is not renewable"
    );
    // Without a token, a lookup is about the caller.
    let own = world.write("auth/token/lookup", &token, json!({})).await;
    assert_eq!(own["data"]["id"], token.as_str());

    world.write("auth/token/revoke", &plain, bad.clone()).await;
    let none = world.write("auth/token/revoke-accessor", &plain, json!({"accessor": "x"})).await;
    assert_eq!(none["warnings"], json!(["No token found with this accessor"]));
    world.write("auth/token/revoke-accessor", &plain, json!({"accessor": accessor})).await;
    assert!(!world.is_alive(&token).await);
    world.write("auth/token/revoke-self", &rigid, json!({})).await;
    assert!(!world.is_alive(&rigid).await);
}

#[tokio::test]
async fn accessors_are_listed_to_those_with_sudo_only() {
    let (world, plain, sudo) = world().await;
    let list = |token: String| {
        let world = &world;
        async move {
            let with = With { token: Some(&token), ..With::default() };
            world.send(Verb::List, "auth/token/accessors/", with).await
        }
    };
    list(plain).await.denied();
    assert_eq!(list(sudo).await.ok()["data"]["keys"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn other_verbs_and_other_paths_are_told_apart() {
    let world = World::start().await;
    for (verb, path, kind) in [
        (Verb::Read, "create", ErrorKind::Unsupported),
        (Verb::Delete, "lookup-self", ErrorKind::Unsupported),
        (Verb::Read, "accessors", ErrorKind::Unsupported),
        (Verb::Read, "nothing", ErrorKind::NotFound),
        (Verb::Write, "create/a/b", ErrorKind::NotFound),
    ] {
        let with = With { token: Some(&world.root), ..With::default() };
        let answer = world.send(verb, &format!("auth/token/{path}"), with).await;
        assert_eq!(answer.error().0, kind, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tidy_removes_what_points_nowhere_and_keeps_the_rest() {
    let (world, plain, _) = world().await;
    let (lost, accessor) = world.token(json!({"policies": ["a"]})).await;
    world.core.state.delete(&format!("token/id/{}", world.id(&lost))).await.unwrap();
    let before = world.store.keys("token/accessor/").await;
    let started = world.write("auth/token/tidy", &plain, json!({})).await;
    assert!(
        started["warnings"][0].as_str().unwrap().starts_with("Tidy operation successfully started")
    );
    world.until(|| async { world.store.keys("token/accessor/").await.len() < before.len() }).await;
    let after = world.store.keys("token/accessor/").await;
    assert!(after.len() == before.len() - 1 && after.iter().all(|key| !key.contains(&accessor)));
    assert!(world.is_alive(&plain).await);
}
