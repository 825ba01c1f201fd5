use base_types::{ErrorKind, Namespace};
use core_engine_api::Verb;
use serde_json::json;

use crate::world::{With, World};

const ALL: &str = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\", \"sudo\"] }";

/// A world with `ns1/`, `ns1/deep/` and `ns2/`, and in each a token that may do everything there.
async fn tenants() -> (World, Vec<(&'static str, String, String)>) {
    let world = World::start().await;
    let mut tokens = Vec::new();
    for path in ["ns1/", "ns1/deep/", "ns2/"] {
        world.add_namespace(path).await;
        world.policy(path, "all", ALL).await;
        world.mount(path, "secret/", "kv-v2").await;
        let at = format!("{path}auth/token/create-orphan");
        let (token, accessor) =
            world.token_at(&at, &world.root, json!({"policies": ["all"]})).await;
        tokens.push((path, token, accessor));
    }
    (world, tokens)
}

#[tokio::test]
async fn a_token_acts_in_its_namespace_and_below_and_nowhere_else() {
    let (world, tokens) = tenants().await;
    for (own, token, _) in &tokens {
        for other in ["", "ns1/", "ns1/deep/", "ns2/"] {
            let body = json!({"data": {"from": own}});
            let by_path = With { token: Some(token), body: body.clone(), ..With::default() };
            let by_path = world.send(Verb::Write, &format!("{other}secret/data/x"), by_path).await;
            let by_header = With { token: Some(token), body, namespace: other, ..With::default() };
            let by_header = world.send(Verb::Write, "secret/data/x", by_header).await;
            let allowed = other.starts_with(own);
            assert_eq!(
                (by_path.is_ok(), by_header.is_ok()),
                (allowed, allowed),
                "{own} in {other}"
            );
        }
    }
}

/// CVE-2026-40264, CVE-2026-45808: by accessor or by text, tokens of other namespaces are out of
/// reach, also for whoever may do everything in their own.
#[tokio::test]
async fn tokens_of_other_namespaces_are_out_of_reach() {
    let (world, tokens) = tenants().await;
    let (victim, accessor) = world.token(json!({"policies": ["default"]})).await;
    let mut targets = vec![("", victim, accessor)];
    targets.extend(tokens.iter().cloned());
    for (own, token, _) in &tokens {
        for (other, target, accessor) in
            targets.iter().filter(|(other, ..)| !other.starts_with(own))
        {
            for path in ["lookup-accessor", "renew-accessor"] {
                let path = format!("{own}auth/token/{path}");
                assert_eq!(
                    world.refused(&path, token, json!({"accessor": accessor})).await,
                    "invalid accessor"
                );
            }
            let path = format!("{own}auth/token/revoke-accessor");
            let answer = world.write(&path, token, json!({"accessor": accessor})).await;
            assert_eq!(answer["warnings"], json!(["No token found with this accessor"]));
            for path in ["lookup", "renew", "revoke", "revoke-orphan"] {
                let path = format!("{own}auth/token/{path}");
                world.refused(&path, token, json!({"token": target})).await;
            }
            assert!(world.is_alive(target).await, "{own} ended one of {other:?}");
        }
    }
    // Accessors work in exactly one namespace.
    let (_, token, accessor) = &tokens[1];
    for path in ["", "ns1/", "ns2/"] {
        let path = format!("{path}auth/token/lookup-accessor");
        assert_eq!(
            world.refused(&path, &world.root, json!({"accessor": accessor})).await,
            "invalid accessor"
        );
    }
    let found = world
        .write("ns1/deep/auth/token/lookup-accessor", &world.root, json!({"accessor": accessor}))
        .await;
    assert_eq!(
        (&found["data"]["namespace_path"], &found["data"]["id"]),
        (&json!("ns1/deep/"), &json!(""))
    );
    // From above they can be ended by their text.
    world.write("ns1/auth/token/revoke", &tokens[0].1, json!({"token": token})).await;
    assert!(!world.is_alive(token).await);
}

/// CVE-2024-9180 and its kin: the policy `root` of a tenant is not that of the server.
#[tokio::test]
async fn nobody_becomes_root_through_a_namespace() {
    let (world, tokens) = tenants().await;
    for policy in ["root", "ROOT", " root ", "\u{a0}Root\u{2003}"] {
        let body = json!({"policies": [policy]});
        assert_eq!(
            world.refused("ns1/auth/token/create", &world.root, body.clone()).await,
            "root tokens may not be created from a parent namespace"
        );
        world.refused("ns1/auth/token/create", &tokens[0].1, body.clone()).await;
    }
    // Nor does it come down by inheritance.
    let made = world.write("ns1/auth/token/create", &world.root, json!({})).await;
    assert_eq!(made["auth"]["policies"], json!(["default"]));
    for name in ["root", "Root", "ROOT", " root", "sys", "auth", "a b/../c", "..", "cubbyhole"] {
        assert!(Namespace::parse(&format!("ns1/{name}")).is_err(), "{name:?}");
    }
}

#[tokio::test]
async fn a_role_of_one_namespace_is_none_of_another() {
    let (world, tokens) = tenants().await;
    world.write("ns1/auth/token/roles/r", &tokens[0].1, json!({"allowed_policies": "all"})).await;
    assert_eq!(
        world.refused("ns2/auth/token/create/r", &tokens[2].1, json!({})).await,
        "unknown role r"
    );
    assert_eq!(
        world.refused("ns1/deep/auth/token/create/r", &tokens[1].1, json!({})).await,
        "unknown role r"
    );
    world.read("ns2/auth/token/roles/r", &tokens[2].1).await.error();
    assert!(world.read("ns1/auth/token/roles/r", &tokens[0].1).await.is_ok());
}

/// CVE-2026-42186: deleting a namespace leaves nothing of it.
#[tokio::test]
async fn deleting_a_namespace_leaves_no_trace() {
    let (world, tokens) = tenants().await;
    let (_, token, _) = &tokens[1];
    world.mount("ns1/deep/", "lab/", "lab").await;
    world.mount("ns1/deep/", "auth/door/", "door").await;
    let before = world.store.keys("").await;
    let id = world.namespace("ns1/deep/").id().clone();
    let door = world.core.mount_at(&Namespace::parse("ns1/deep").unwrap(), "auth/door").unwrap();
    let body = json!({"password": "open", "policies": ["all"]});
    let at = With { namespace: "ns1/deep", body, ..With::default() };
    let login = world.send(Verb::Write, "auth/door/login/alice", at).await.ok();
    let alice = login["auth"]["client_token"].as_str().unwrap();
    for path in ["secret/data/a", "cubbyhole/a", "lab/creds/a"] {
        world.write(&format!("ns1/deep/{path}"), alice, json!({"data": {"a": 1}})).await;
    }
    world.write("ns1/deep/auth/token/roles/r", token, json!({})).await;
    // A token of this namespace whose parent lives above, and one below that was made from it.
    let (child, _) = world
        .token_at("ns1/deep/auth/token/create", &world.root, json!({"policies": ["all"]}))
        .await;
    let (batch, _) =
        world.token_at("ns1/deep/auth/token/create", token, json!({"type": "batch"})).await;
    let mounts: Vec<String> = world
        .core
        .mounts_in(&world.namespace("ns1/deep"))
        .iter()
        .map(|mount| mount.record.uuid.clone())
        .collect();
    assert!(
        world.core.delete_namespace(&Namespace::parse("ns1").unwrap()).await.is_err(),
        "it is not empty"
    );
    world.core.delete_namespace(&Namespace::parse("ns1/deep").unwrap()).await.unwrap();

    let keys = world.store.keys("").await;
    for trace in mounts.iter().map(String::as_str).chain([&*id, door.record.accessor.as_str()]) {
        let left: Vec<_> = keys.iter().filter(|key| key.contains(trace)).collect();
        assert!(left.is_empty(), "{trace}: {left:?}");
    }
    assert!(keys.len() < before.len());
    assert_eq!(world.lab.revoked(), ["a"]);
    for token in [token, alice, &child] {
        assert!(!world.is_alive(token).await);
    }
    world.read("ns1/deep/secret/data/a", &world.root).await.error();
    world.add_namespace("ns1/deep").await;
    world.mount("ns1/deep", "secret/", "kv-v2").await;
    world.read("ns1/deep/secret/data/a", &batch).await.denied();
    let (kind, _) = world.read("ns1/deep/secret/data/a", &world.root).await.error();
    assert_eq!(kind, ErrorKind::NotFound);
}

/// GHSA-xp3c-3jw3-4vcr and its kin: no spelling of a path leads elsewhere.
#[tokio::test]
async fn a_path_cannot_be_spelt_around_a_policy() {
    let world = World::start().await;
    world
        .policy(
            "",
            "p",
            "path \"secret/data/open/*\" { capabilities = [\"read\", \"create\", \"update\"] }",
        )
        .await;
    world.write("secret/data/closed", &world.root, json!({"data": {"a": 1}})).await;
    let (token, _) = world.token(json!({"policies": ["p"]})).await;
    for path in
        ["secret/data/closed", "secret/data/open", "secret/data/Open/x", "secret/metadata/open/x"]
    {
        world.read(path, &token).await.denied();
    }
    for path in [
        "secret/data/open/../closed",
        "secret/data/open/./x",
        "secret//data/open/x",
        "secret/data/open/x\0",
    ] {
        assert!(base_types::RequestPath::parse(path).is_err(), "{path:?}");
    }
    let (kind, _) = world.read("secret/data/open/..%2fclosed", &token).await.error();
    assert_eq!(kind, ErrorKind::NotFound, "what is encoded twice is a name like any other");
}
