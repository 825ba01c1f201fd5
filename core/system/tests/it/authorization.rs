use std::collections::BTreeSet;

use core_engine_api::{Endpoint, Kind, Role};
use serde_json::{Value, json};

use crate::harness::Server;

/// Endpoints that answer a caller without a token with something else than "permission denied".
/// This list only shrinks; whoever must lengthen it says why, here.
const OPEN: &[&str] = &[
    // How one gets a token at all.
    "Write auth/userpass/login/{username}",
    // Shows strangers no path.
    "Read sys/internal/specs/openapi",
    // Shows strangers only mounts that are tuned to be shown.
    "Read sys/internal/ui/mounts",
    // Whoever holds a wrapping token names it in the body.
    "Read sys/wrapping/lookup",
    "Write sys/wrapping/lookup",
    // Holding the wrapping token is what counts.
    "Write sys/wrapping/unwrap",
];

/// Endpoints that answer a token with the policy `default`, besides the open ones. This list only
/// shrinks too.
const DEFAULT: &[&str] = &[
    "Read auth/token/lookup-self",
    "Write auth/token/renew-self",
    "Write auth/token/revoke-self",
    "Delete cubbyhole/{path..}",
    "List cubbyhole/{path..}",
    "Read cubbyhole/{path..}",
    "Write cubbyhole/{path..}",
    "Write sys/capabilities-self",
    "Read sys/internal/ui/namespaces",
    "Read sys/internal/ui/resultant-acl",
    "Write sys/leases/lookup",
    "Write sys/leases/renew",
    "Write sys/renew",
    "Write sys/tools/hash",
    "Write sys/tools/hash/{algorithm}",
    "Write sys/wrapping/wrap",
];

#[tokio::test]
async fn every_endpoint_of_every_engine_refuses_strangers() {
    let server = server().await;
    let mut answering = BTreeSet::new();
    for (name, endpoint, path) in endpoints(&server) {
        let answer = server.nobody().send(endpoint.verb, &path, json!({})).await;
        if answer.status != 403 {
            assert!(endpoint.open, "{name} answers {answer:?} and is not even declared open");
            answering.insert(name);
        }
    }
    assert_eq!(answering, OPEN.iter().map(|name| (*name).to_owned()).collect());
}

#[tokio::test]
async fn the_default_policy_grants_nothing_else() {
    let server = server().await;
    let mut answering = BTreeSet::new();
    for (name, endpoint, path) in endpoints(&server) {
        // One of them revokes its caller, so each is asked by another.
        let (token, _) = server.root().token(&["default"]).await;
        let answer = server.with(&token).send(endpoint.verb, &path, Value::Null).await;
        if answer.status != 403 {
            answering.insert(name);
        }
    }
    assert_eq!(answering, OPEN.iter().chain(DEFAULT).map(|name| (*name).to_owned()).collect());
    assert!(!server.core.is_sealed());
}

async fn server() -> Server {
    let server = Server::start().await;
    let root = server.root();
    for (path, kind) in [("kv1", "kv-v1"), ("kv2", "kv-v2"), ("loans", "loans")] {
        root.put(&format!("sys/mounts/{path}"), json!({ "type": kind })).await;
    }
    root.put("sys/auth/userpass", json!({ "type": "userpass" })).await;
    server
}

/// Every endpoint: its name in the lists, itself, and a path that leads to it.
fn endpoints(server: &Server) -> Vec<(String, Endpoint, String)> {
    let mut all = Vec::new();
    for kind in server.core.kinds() {
        for endpoint in kind.endpoints() {
            let pattern = format!("{}{}", mount(kind), endpoint.pattern);
            let fill = |segment: &str| {
                if segment.starts_with('{') { "x".to_owned() } else { segment.to_owned() }
            };
            let path = pattern.split('/').map(fill).collect::<Vec<_>>().join("/");
            all.push((format!("{:?} {pattern}", endpoint.verb), endpoint.clone(), path));
        }
    }
    assert!(all.len() > 150, "{}", all.len());
    all
}

fn mount(kind: &Kind) -> String {
    let meta = kind.meta();
    match (meta.role, meta.name) {
        (Role::Auth, name) => format!("auth/{name}/"),
        (Role::Secrets, "system") => "sys/".to_owned(),
        (Role::Secrets, name) => format!("{name}{}/", meta.version.unwrap_or_default()),
    }
}
