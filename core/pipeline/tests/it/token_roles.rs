//! Token roles. Fields and texts are those of OpenBao 2.7.2.

use core_engine_api::Verb;
use serde_json::{Value, json};

use crate::world::{With, World};

async fn role(world: &World, name: &str, body: Value) -> Result<Value, String> {
    let with = With { token: Some(&world.root), body, ..With::default() };
    let path = format!("auth/token/roles/{name}");
    let written = world.send(Verb::Write, &path, with).await;
    match written.outcome {
        Ok(_) => Ok(world.read(&path, &world.root).await.ok()["data"].clone()),
        Err((_, text)) => Err(text),
    }
}

/// The policies of a token that `caller` makes with the role, or why not.
async fn policies(world: &World, caller: &str, role: &str, body: Value) -> Result<Value, String> {
    let with = With { token: Some(caller), body, ..With::default() };
    let made = world.send(Verb::Write, &format!("auth/token/create/{role}"), with).await;
    made.outcome.map(|answer| answer["auth"]["policies"].clone()).map_err(|(_, text)| text)
}

#[tokio::test]
async fn a_role_is_shown_as_it_was_written() {
    let world = World::start().await;
    let mut expect = json!({
        "allowed_entity_aliases": null, "allowed_policies": [], "allowed_policies_glob": [],
        "disallowed_policies": [], "disallowed_policies_glob": [], "explicit_max_ttl": 0, "name": "x",
        "orphan": false, "path_suffix": "", "period": 0, "renewable": true,
        "token_explicit_max_ttl": 0, "token_no_default_policy": false, "token_period": 0,
        "token_type": "default-service",
    });
    assert_eq!(role(&world, "X", json!({})).await.unwrap(), expect);
    expect["period"] = json!(3600);
    expect["token_period"] = json!(3600);
    assert_eq!(role(&world, "x", json!({"period": "1h"})).await.unwrap(), expect);
    expect["period"] = json!(0);
    expect["token_period"] = json!(60);
    assert_eq!(role(&world, "x", json!({"token_period": 60})).await.unwrap(), expect);
    let full = role(&world, "full", json!({
        "allowed_policies": ["a", "B"], "disallowed_policies": "s", "allowed_policies_glob": ["q-*"],
        "disallowed_policies_glob": ["z*"], "orphan": true, "renewable": false, "path_suffix": "suf",
        "bound_cidrs": ["127.0.0.1/32"], "token_explicit_max_ttl": "1h", "token_num_uses": 5,
        "token_type": "service", "allowed_entity_aliases": ["Foo*", "bar"], "token_no_default_policy": true,
    })).await.unwrap();
    assert_eq!(
        full,
        json!({
            "allowed_entity_aliases": ["bar", "foo*"], "allowed_policies": ["a", "b"],
            "allowed_policies_glob": ["q-*"], "bound_cidrs": ["127.0.0.1"], "disallowed_policies": ["s"],
            "disallowed_policies_glob": ["z*"], "explicit_max_ttl": 0, "name": "full", "orphan": true,
            "path_suffix": "suf", "period": 0, "renewable": false, "token_bound_cidrs": ["127.0.0.1"],
            "token_explicit_max_ttl": 3600, "token_no_default_policy": true, "token_num_uses": 5,
            "token_period": 0, "token_type": "service",
        })
    );
    let with = || With { token: Some(&world.root), ..With::default() };
    let listed = world.send(Verb::List, "auth/token/roles/", with()).await.ok();
    assert_eq!(listed["data"]["keys"], json!(["full", "x"]));
    for _ in 0..2 {
        world.send(Verb::Delete, "auth/token/roles/x", with()).await.ok();
    }
    world.read("auth/token/roles/x", &world.root).await.error();
    assert_eq!(policies(&world, &world.root, "x", json!({})).await.unwrap_err(), "unknown role x");
}

#[tokio::test]
async fn a_role_that_cannot_be_is_refused_and_nothing_is_stored() {
    let world = World::start().await;
    let batch = |more: Value| {
        let mut body = json!({"token_type": "batch", "orphan": true, "renewable": false});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let cannot = "'token_type' cannot be 'batch' when role is set to generate";
    for (body, text) in [
        (json!({"token_type": "x"}), "invalid 'token_type' value \"x\"".to_owned()),
        (json!({"token_type": "default"}), "invalid 'token_type' value \"default\"".to_owned()),
        (batch(json!({"renewable": true})), format!("{cannot} renewable tokens")),
        (batch(json!({"orphan": false})), format!("{cannot} non-orphan tokens")),
        (batch(json!({"token_period": 60})), format!("{cannot} periodic tokens")),
        (
            batch(json!({"token_explicit_max_ttl": 60})),
            format!("{cannot} tokens with an explicit max TTL"),
        ),
        (
            json!({"token_num_uses": -1}),
            "error parsing role fields: 'token_num_uses' cannot be negative".to_owned(),
        ),
    ] {
        assert_eq!(role(&world, "bad", body).await.unwrap_err(), text);
    }
    for suffix in ["a", "ab", "a/b", "a b", "..", ".ab", "ab-", "abä"] {
        let text = role(&world, "bad", json!({"path_suffix": suffix})).await.unwrap_err();
        assert!(text.ends_with("must match \\w[\\w-.]+\\w"), "{suffix}: {text}");
    }
    for cidr in ["a b", "10.0.0.0/99", "/tmp/x"] {
        let text = role(&world, "bad", json!({"token_bound_cidrs": cidr})).await.unwrap_err();
        assert!(text.starts_with("error parsing bound_cidrs"), "{text}");
    }
    assert!(role(&world, "bad", json!({"token_period": "-1s"})).await.is_err());
    world.read("auth/token/roles/bad", &world.root).await.error();
}

#[tokio::test]
async fn a_role_decides_about_policies() {
    let world = World::start().await;
    world.policy("", "a", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let (caller, _) = world.token(json!({"policies": ["a"]})).await;
    role(&world, "lists", json!({"allowed_policies": ["x", "y"], "allowed_policies_glob": "q-*", "disallowed_policies": "no", "disallowed_policies_glob": "q-z*"})).await.unwrap();
    role(&world, "glob", json!({"allowed_policies_glob": ["a", "b*"]})).await.unwrap();
    role(&world, "no-default", json!({"disallowed_policies": ["default"]})).await.unwrap();
    role(&world, "bare", json!({})).await.unwrap();
    role(&world, "rooted", json!({"allowed_policies": "root"})).await.unwrap();
    let must = |asked: &str, allowed: &str, glob: &str| {
        Err(format!(
            "token policies ({asked}) must be subset of the role's allowed policies ({allowed}) or glob policies ({glob})"
        ))
    };
    let not_subset = || Err("child policies must be subset of parent".to_owned());
    let not_root =
        || Err("root tokens may not be created without parent token being root".to_owned());
    for (name, asked, expect) in [
        ("lists", json!({}), Ok(json!(["default", "x", "y"]))),
        ("lists", json!({"no_default_policy": true}), Ok(json!(["x", "y"]))),
        ("lists", json!({"policies": ["X"]}), Ok(json!(["default", "x"]))),
        ("lists", json!({"policies": ["q-1"]}), Ok(json!(["default", "q-1"]))),
        (
            "lists",
            json!({"policies": ["q-z1"]}),
            Err("token policy \"q-z1\" is disallowed by this role".to_owned()),
        ),
        (
            "lists",
            json!({"policies": ["o"], "no_default_policy": true}),
            must("[\"o\"]", "[\"x\" \"y\"]", "[\"q-*\"]"),
        ),
        (
            "lists",
            json!({"policies": ["root"], "no_default_policy": true}),
            must("[\"root\"]", "[\"x\" \"y\"]", "[\"q-*\"]"),
        ),
        ("glob", json!({"policies": ["a"]}), Ok(json!(["a", "default"]))),
        ("glob", json!({"policies": ["b1"]}), Ok(json!(["b1", "default"]))),
        ("glob", json!({}), Ok(json!(["default"]))),
        ("no-default", json!({"policies": ["a"]}), Ok(json!(["a"]))),
        (
            "no-default",
            json!({"policies": ["a", "Default"]}),
            Err("token policy \"default\" is disallowed by this role".to_owned()),
        ),
        ("bare", json!({}), Ok(json!(["a", "default"]))),
        ("bare", json!({"policies": ["s"]}), not_subset()),
        ("bare", json!({"policies": ["root"]}), not_subset()),
        ("rooted", json!({}), not_root()),
        ("no-default", json!({"policies": [" ROOT"]}), not_root()),
    ] {
        assert_eq!(policies(&world, &caller, name, asked.clone()).await, expect, "{name} {asked}");
    }
    assert_eq!(policies(&world, &world.root, "rooted", json!({})).await, Ok(json!(["root"])));
    assert_eq!(policies(&world, &world.root, "bare", json!({})).await, Ok(json!(["root"])));
}

#[tokio::test]
async fn a_role_shapes_its_tokens() {
    let world = World::start().await;
    world.policy("", "a", "path \"auth/token/*\" { capabilities = [\"update\"] }").await;
    let (caller, _) = world.token(json!({"policies": ["a"]})).await;
    role(&world, "r", json!({"orphan": true, "renewable": false, "path_suffix": "ci-1", "token_num_uses": 5, "token_bound_cidrs": "127.0.0.0/8", "allowed_entity_aliases": "foo*"})).await.unwrap();
    let (token, _) = world.token_at("auth/token/create/r", &caller, json!({"num_uses": 9})).await;
    let found = world.write("auth/token/lookup", &world.root, json!({"token": token})).await;
    let data = &found["data"];
    for (field, value) in [
        ("path", json!("auth/token/create/r/ci-1")),
        ("role", json!("r")),
        ("orphan", json!(true)),
        ("renewable", json!(false)),
        ("num_uses", json!(5)),
        ("bound_cidrs", json!(["127.0.0.0/8"])),
    ] {
        assert_eq!(data[field], value, "{field}");
    }
    let made = world.write("auth/token/create/r", &caller, json!({"entity_alias": "FooBar"})).await;
    let entity = made["auth"]["entity_id"].as_str().unwrap();
    assert!(!entity.is_empty());
    let again =
        world.write("auth/token/create/r", &caller, json!({"entity_alias": "foobar"})).await;
    assert_eq!(again["auth"]["entity_id"], entity);
    assert_eq!(
        world.refused("auth/token/create/r", &caller, json!({"entity_alias": "xfoo"})).await,
        "invalid 'entity_alias' value"
    );

    // All tokens of a suffix end together.
    world.core.revoke_prefix("root", "auth/token/create/r/ci-1/", false).await.unwrap();
    assert!(!world.is_alive(&token).await);

    role(&world, "here", json!({"token_strictly_bind_ip": true})).await.unwrap();
    let with = With { token: Some(&caller), from: Some("10.9.8.7"), ..With::default() };
    let made = world.send(Verb::Write, "auth/token/create/here", with).await.ok();
    let found = world
        .write("auth/token/lookup", &world.root, json!({"token": made["auth"]["client_token"]}))
        .await;
    assert_eq!(found["data"]["bound_cidrs"], json!(["10.9.8.7"]));
}

#[tokio::test]
async fn a_role_says_which_type_of_token() {
    let world = World::start().await;
    for (kind, asked, made) in [
        ("service", "batch", "service"),
        ("default-service", "batch", "batch"),
        ("default-service", "", "service"),
        ("default-batch", "service", "service"),
        ("default-batch", "", "batch"),
        ("batch", "service", "batch"),
    ] {
        role(&world, "r", json!({"token_type": kind, "orphan": true, "renewable": false}))
            .await
            .unwrap();
        let body = json!({"policies": ["default"], "type": asked});
        let token = world.write("auth/token/create/r", &world.root, body).await;
        assert_eq!(token["auth"]["token_type"], made, "{kind} {asked}");
    }
    role(&world, "r", json!({"token_type": "default-batch", "token_period": 60})).await.unwrap();
    let text = policies(&world, &world.root, "r", json!({"policies": ["default"]})).await;
    assert_eq!(text.unwrap_err(), "batch tokens cannot have \"period\" set");
}

#[tokio::test]
async fn a_roles_limits_are_those_of_today() {
    let world = World::start().await;
    let body = json!({"token_period": "1h", "token_explicit_max_ttl": "10h"});
    role(&world, "r", body).await.unwrap();
    let made = world
        .write(
            "auth/token/create/r",
            &world.root,
            json!({"policies": ["default"], "period": "10m", "explicit_max_ttl": "20h"}),
        )
        .await;
    assert_eq!(made["auth"]["lease_duration"], 600);
    assert_eq!(
        made["warnings"],
        json!([
            "Explicit max TTL specified both during creation call and in role; using the lesser value of 36000 seconds",
            "Period specified both during creation call and in role; using the lesser value of 600 seconds",
        ])
    );
    let (token, _) =
        world.token_at("auth/token/create/r", &world.root, json!({"policies": ["default"]})).await;
    let renewed = |seconds: u64| {
        let (world, token) = (&world, &token);
        async move {
            let answer =
                world.write("auth/token/renew-self", token, json!({"increment": "9h"})).await;
            assert_eq!(answer["auth"]["lease_duration"], seconds);
        }
    };
    renewed(3600).await;
    role(&world, "r", json!({"token_period": "2h"})).await.unwrap();
    renewed(7200).await;
    role(&world, "r", json!({"token_explicit_max_ttl": "1h"})).await.unwrap();
    renewed(3600).await;
    let with = With { token: Some(&world.root), ..With::default() };
    world.send(Verb::Delete, "auth/token/roles/r", with).await.ok();
    assert_eq!(
        world.refused("auth/token/renew-self", &token, json!({})).await,
        "original token role \"r\" could not be found, not renewing"
    );
}
