//! Who gets past the endpoints that are answered in front of the pipeline. Those behind it are in the
//! tests of the system engine.

use std::collections::BTreeSet;

use serde_json::json;
use testkit::{Answer, TestServer, server, server_with};

/// What answers a caller without a token: methods, endpoint below `sys/`, and why it must. The list
/// only shrinks; whoever must lengthen it says why, here.
const OPEN: &[(&[&str], &str, &str)] = &[
    (&["GET", "HEAD"], "health", "load balancers ask it, and they have no token"),
    (&["GET"], "init", "who sets a server up must know whether that has been done"),
    (&["POST", "PUT"], "init", "there are no tokens yet; refused once it has been done"),
    (&["GET"], "leader", "clients ask it to find the server to talk to"),
    (&["GET"], "seal-status", "who holds a share must see how many are still missing"),
    (&["POST", "PUT"], "unseal", "no token can be read while sealed; a share is the proof"),
];

/// What answers besides, while the server is sealed.
const SEALED: &[(&[&str], &str, &str)] =
    &[(&["POST", "PUT"], "seal", "there is nothing left to close, and clients take 204 for done")];

/// What answers besides, where a listener was told so.
const SWITCHED: &[(&[&str], &str, &str)] = &[
    (&["GET"], "metrics", "unauthenticated_metrics_access: collectors have no token"),
    (&["DELETE", "GET", "POST", "PUT"], "generate-root/attempt", GENERATE_ROOT),
    (&["POST", "PUT"], "generate-root/update", GENERATE_ROOT),
    (&["DELETE", "GET", "POST", "PUT"], "rekey/init", REKEY),
    (&["POST", "PUT"], "rekey/update", REKEY),
    (&["DELETE", "GET", "POST", "PUT"], "rekey/verify", REKEY),
    (&["DELETE", "GET"], "rekey/backup", REKEY),
    (&["DELETE", "GET"], "rekey/recovery-key-backup", REKEY),
    (&["DELETE", "GET", "POST", "PUT"], "rekey-recovery-key/init", REKEY),
    (&["POST", "PUT"], "rekey-recovery-key/update", REKEY),
    (&["DELETE", "GET", "POST", "PUT"], "rekey-recovery-key/verify", REKEY),
];
const GENERATE_ROOT: &str =
    "disable_unauthed_generate_root_endpoints: the root token is lost, shares are the proof";
const REKEY: &str = "disable_unauthed_rekey_endpoints: as in old versions, shares are the proof";

const METHODS: [&str; 9] =
    ["DELETE", "GET", "HEAD", "LIST", "OPTIONS", "PATCH", "POST", "PUT", "SCAN"];

/// A second listener that opens everything that can be opened.
const OPEN_LISTENER: &str = "listener \"tcp\" {
    address = \"127.0.0.1:0\"
    tls_disable = true
    disable_unauthed_rekey_endpoints = false
    disable_unauthed_generate_root_endpoints = false
    telemetry { unauthenticated_metrics_access = true }
}";

type Names = BTreeSet<String>;

fn names(lists: &[&[(&[&str], &str, &str)]]) -> Names {
    let of = |(methods, path, why): &(&[&str], &str, &str)| {
        assert!(!why.is_empty());
        methods.iter().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    lists.iter().flat_map(|list| list.iter().flat_map(of)).collect()
}

/// Refused for want of a token, or because there is no such thing for this caller.
fn is_refused(answer: &Answer) -> bool {
    matches!(answer.status, 403 | 405) || (answer.status == 503 && is_sealed(answer))
}

fn is_sealed(answer: &Answer) -> bool {
    answer.error().contains("sealed")
}

/// The early endpoints that answer to this token with anything but a refusal.
async fn answering(server: &TestServer, token: &str) -> Names {
    let mut found = Names::new();
    for early in &api_vault::EARLY {
        for method in METHODS {
            // Something that each of them understands, and that does no lasting harm.
            let body = matches!(method, "DELETE" | "PATCH" | "POST" | "PUT");
            let kind = [("Content-Type", "application/merge-patch+json")];
            let kind = if method == "PATCH" { &kind[..] } else { &[] };
            let path = format!("sys/{}", early.path);
            let body = body.then(|| json!({}));
            let answer = server.call_with(method, &path, token, kind, body).await;
            assert_ne!(answer.status, 0, "{method} {}: {answer:?}", early.path);
            // A method that the API does not know reaches no endpoint.
            let is_unknown = method == "OPTIONS" && answer.status == 400;
            let is_head = method == "HEAD" && early.path != "health";
            if !is_refused(&answer) && !is_unknown && !is_head {
                found.insert(format!("{method} {}", early.path));
            }
        }
    }
    found
}

async fn limited_token(server: &TestServer) -> String {
    let body = json!({ "policies": ["default"] });
    let made = server.call("POST", "auth/token/create", &server.root, Some(body)).await;
    made.json()["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_only_the_exceptions_answer() {
    let mut server = server_with(OPEN_LISTENER).await;
    let limited = limited_token(&server).await;
    for token in ["", "srs_wrong", &limited] {
        assert_eq!(answering(&server, token).await, names(&[OPEN]), "{token:?}");
    }
    server.address = server.addresses[1];
    for token in ["", "srs_wrong", &limited] {
        assert_eq!(answering(&server, token).await, names(&[OPEN, SWITCHED]), "{token:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_server_answers_no_more_than_it_must() {
    let mut server = server_with(OPEN_LISTENER).await;
    let root = server.root.clone();
    assert_eq!(server.call("PUT", "sys/seal", "", None).await.status, 403);
    assert_eq!(server.call("PUT", "sys/seal", &root, None).await.status, 204);
    for token in ["", root.as_str()] {
        assert_eq!(answering(&server, token).await, names(&[OPEN, SEALED]), "{token:?}");
    }
    server.address = server.addresses[1];
    let found = answering(&server, "").await;
    let open = names(&[OPEN, SEALED, SWITCHED]);
    assert!(found.is_subset(&open), "{found:?}");
    assert!(!found.iter().any(|name| name.contains("rekey")), "{found:?}");
    assert_eq!(server.call("GET", "sys/mounts", &root, None).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_token_gets_everywhere() {
    let server = server().await;
    for path in ["generate-root/attempt", "rekey/init", "rekey-recovery-key/init", "metrics"] {
        let answer = server.call("GET", &format!("sys/{path}"), &server.root, None).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_cannot_be_reached_by_another_spelling() {
    let server = server().await;
    let limited = limited_token(&server).await;
    for early in api_vault::EARLY.iter().filter(|early| !is_open(early.path)) {
        for path in spellings(early.path) {
            for (method, token) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("PUT", &limited)] {
                let body = (method == "PUT").then(|| json!({}));
                let answer = server.call(method, &path, token, body).await;
                let is_harmless = matches!(answer.status, 307 | 400 | 403 | 404 | 405);
                assert!(is_harmless, "{method} {path}: {answer:?}");
            }
        }
    }
    let status = server.call("GET", "sys/seal-status", "", None).await.json();
    assert_eq!(status["sealed"], false);
    let attempt = server.call("GET", "sys/generate-root/attempt", &server.root, None).await.json();
    assert_eq!(attempt["started"], false);
    let rekey = server.call("GET", "sys/rekey/init", &server.root, None).await.json();
    assert_eq!(rekey["started"], false);
}

fn is_open(path: &str) -> bool {
    OPEN.iter().any(|(_, open, _)| *open == path)
}

/// Other ways to write a path: case, space, unicode, dot segments, doubled slash, percent-encoding.
fn spellings(path: &str) -> Vec<String> {
    let first = path.as_bytes()[0];
    vec![
        format!("sys/{path}"),
        format!("sys/%{first:02x}{}", &path[1..]),
        format!("sys/%{first:02X}{}", &path[1..]),
        format!("sys%2f{}", path.replace('/', "%2F")),
        format!("%73ys/{path}"),
        format!("SYS/{path}"),
        format!("sys/{}", path.to_uppercase()),
        format!("sys/{path}/"),
        format!("sys/{path}%20"),
        format!("sys/%20{path}"),
        format!("sys/{path}%00"),
        format!("sys/{path}%e2%80%8b"),
        format!("sys/{path}%cc%81"),
        format!("sys//{path}"),
        format!("sys/./{path}"),
        format!("sys/health/../{path}"),
        format!("sys/health/%2e%2e/{path}"),
        format!("sys/health%2f..%2f{path}"),
        format!("/sys/{path}"),
        format!("sys/{path}?help=1"),
        format!("sys/{path}?list=true"),
    ]
}
