//! Every endpoint of every engine that can be mounted, asked by those who may not. A new engine is in
//! these tests by being registered. What is answered in front of the pipeline is in `doors.rs`.

use std::collections::BTreeSet;
use std::sync::Weak;

use core_engine_api::{Endpoint, Kind, Role, Verb};
use serde_json::{Value, json};
use testkit::{Answer, TestServer, server};

/// Endpoints that answer a caller without a token with something else than "permission denied".
/// This list only shrinks; whoever must lengthen it says why, here.
const OPEN: &[&str] = &[
    // How one gets a token at all.
    "Write auth/approle/login",
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

/// Endpoints that refuse a token which may do everything but `sudo`. This list only grows; whoever
/// must shorten it says why, here.
const SUDO: &[&str] = &[
    // As OpenBao has it: the paths that its engines declare for root, and `seal` and `step-down`.
    "List auth/token/accessors",
    "Read sys/audit",
    "Delete sys/audit/{path..}",
    "Write sys/audit/{path..}",
    "Delete sys/auth/{path..}",
    "Read sys/auth/{path..}",
    "Write sys/auth/{path..}",
    "Read sys/auth/{path..}/tune",
    "Write sys/auth/{path..}/tune",
    "Read sys/config/auditing/request-headers",
    "Delete sys/config/auditing/request-headers/{header}",
    "Read sys/config/auditing/request-headers/{header}",
    "Write sys/config/auditing/request-headers/{header}",
    "Delete sys/config/cors",
    "Read sys/config/cors",
    "Write sys/config/cors",
    "List sys/config/ui/headers",
    "Delete sys/config/ui/headers/{header}",
    "Read sys/config/ui/headers/{header}",
    "Write sys/config/ui/headers/{header}",
    "Read sys/leases",
    "List sys/leases/lookup",
    "List sys/leases/lookup/{prefix..}",
    "Write sys/leases/revoke-force/{prefix..}",
    "Write sys/leases/revoke-prefix/{prefix..}",
    "List sys/plugins/catalog/{type}",
    "Read sys/plugins/catalog/{type}/{name}",
    "Write sys/remount",
    "Write sys/revoke-force/{prefix..}",
    "Write sys/revoke-prefix/{prefix..}",
    "Write sys/rotate",
    "Write sys/rotate/keyring",
    "Write sys/seal",
    "Write sys/step-down",
    // OpenBao is content with less, but these end in a root token or in new keys, or load anew what
    // the server was started with.
    "Write sys/config/reload/{subsystem}",
    "Delete sys/generate-root-token/attempt",
    "Write sys/generate-root-token/attempt",
    "Write sys/generate-root-token/update",
    "Delete sys/rotate/recovery/backup",
    "Delete sys/rotate/recovery/init",
    "Write sys/rotate/recovery/init",
    "Write sys/rotate/recovery/update",
    "Delete sys/rotate/recovery/verify",
    "Write sys/rotate/recovery/verify",
    "Delete sys/rotate/root/backup",
    "Delete sys/rotate/root/init",
    "Write sys/rotate/root/init",
    "Write sys/rotate/root/update",
    "Delete sys/rotate/root/verify",
    "Write sys/rotate/root/verify",
    // OpenBao has none of these. They reach over the leases of a whole namespace.
    "Read sys/leases/jobs",
    "Read sys/leases/jobs/{id}",
    "Write sys/leases/retry",
    "Read sys/leases/targets",
];

/// An endpoint that refuses whoever asks for a mount that is not there, as these tests do.
const ABSENT: &str = "Read sys/internal/ui/mounts/{path..}";

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_of_every_engine_refuses_strangers() {
    let server = with_every_engine().await;
    let mut answering = BTreeSet::new();
    for Asked { name, endpoint, path } in endpoints() {
        let answer = send(&server, "", endpoint.verb, &path, Some(json!({}))).await;
        if answer.status != 403 {
            assert!(endpoint.open, "{name} answers {answer:?} and is not even declared open");
            answering.insert(name);
        }
    }
    assert_eq!(answering, names(&[OPEN]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_policy_grants_nothing_else() {
    let server = with_every_engine().await;
    let default = json!({ "policies": ["default"] });
    assert_eq!(answering(&server, &default).await, names(&[OPEN, DEFAULT]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_declared_to_need_sudo_is_refused_without_it() {
    let server = with_every_engine().await;
    let policy = r#"path "*" {
        capabilities = ["create", "delete", "list", "patch", "read", "recover", "scan", "update"]
    }"#;
    put(&server, "sys/policies/acl/all-but-sudo", json!({ "policy": policy })).await;
    let limited = json!({ "policies": ["all-but-sudo"], "no_default_policy": true });
    let answering = answering(&server, &limited).await;
    let all: BTreeSet<String> = endpoints().map(|asked| asked.name).collect();
    let refused: BTreeSet<String> = all.difference(&answering).cloned().collect();
    assert_eq!(refused, names(&[SUDO, &[ABSENT]]));
    let answer = server.call("GET", "sys/internal/ui/mounts/x", &server.root, None).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    let declared = endpoints().filter(|asked| asked.endpoint.sudo).map(|asked| asked.name);
    assert_eq!(declared.collect::<BTreeSet<_>>(), names(&[SUDO]));
}

/// One endpoint of one engine.
struct Asked {
    /// As in the lists.
    name: String,
    endpoint: Endpoint,
    /// One that leads to it.
    path: String,
}

fn names(lists: &[&[&str]]) -> BTreeSet<String> {
    lists.concat().into_iter().map(str::to_owned).collect()
}

/// A server on which all that can be mounted is mounted, each at its own name.
async fn with_every_engine() -> TestServer {
    let server = server().await;
    for kind in kinds().iter().filter(|kind| !kind.meta().built_in) {
        let meta = kind.meta();
        let folder = if meta.role == Role::Auth { "sys" } else { "sys/mounts" };
        let options = match meta.version {
            Some(version) => json!({ "version": version.to_string() }),
            None => json!({}),
        };
        let path = format!("{folder}/{}", mount(kind).trim_end_matches('/'));
        put(&server, &path, json!({ "type": meta.name, "options": options })).await;
    }
    server
}

async fn put(server: &TestServer, path: &str, body: Value) -> Value {
    let answer = server.call("PUT", path, &server.root, Some(body)).await;
    assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
    answer.json()
}

/// The endpoints that do not refuse a token made with this body.
async fn answering(server: &TestServer, token: &Value) -> BTreeSet<String> {
    let mut answering = BTreeSet::new();
    for Asked { name, endpoint, path } in endpoints() {
        // One of them revokes its caller, so each is asked by another.
        let made = put(server, "auth/token/create", token.clone()).await;
        let token = made["auth"]["client_token"].as_str().unwrap();
        let answer = send(server, token, endpoint.verb, &path, None).await;
        assert_ne!(answer.status, 0, "{name}: {answer:?}");
        if answer.status != 403 {
            answering.insert(name);
        }
    }
    let status = server.call("GET", "sys/seal-status", "", None).await.json();
    assert_eq!(status["sealed"], false, "{status}");
    answering
}

async fn send(
    server: &TestServer,
    token: &str,
    verb: Verb,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let method = match verb {
        Verb::Delete => "DELETE",
        Verb::List => "LIST",
        Verb::Patch => "PATCH",
        Verb::Read => "GET",
        Verb::Scan => "SCAN",
        Verb::Write => "PUT",
    };
    let kind = [("Content-Type", "application/merge-patch+json")];
    let kind = if verb == Verb::Patch { &kind[..] } else { &[] };
    server.call_with(method, path, token, kind, body).await
}

fn kinds() -> Vec<Kind> {
    server::kinds(&Weak::new())
}

fn endpoints() -> impl Iterator<Item = Asked> {
    let mut all = Vec::new();
    for kind in kinds() {
        for endpoint in kind.endpoints() {
            let pattern = format!("{}{}", mount(&kind), endpoint.pattern);
            let fill = |segment: &str| {
                if segment.starts_with('{') { "x".to_owned() } else { segment.to_owned() }
            };
            let path = pattern.split('/').map(fill).collect::<Vec<_>>().join("/");
            let name = format!("{:?} {pattern}", endpoint.verb);
            all.push(Asked { name, endpoint: endpoint.clone(), path });
        }
    }
    assert!(all.len() > 250, "{}", all.len());
    all.into_iter()
}

fn mount(kind: &Kind) -> String {
    let meta = kind.meta();
    match (meta.role, meta.name) {
        (Role::Auth, name) => format!("auth/{name}/"),
        (Role::Secrets, "system") => "sys/".to_owned(),
        (Role::Secrets, name) => format!("{name}{}/", meta.version.unwrap_or_default()),
    }
}
