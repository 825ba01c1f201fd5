//! Which web pages may call the API. The expected answers are those of OpenBao 2.7.2.

use serde_json::json;
use testkit::{Answer, TestServer, server};

const STANDARD_HEADERS: &str = "Content-Type,Authorization,X-Vault-Token,X-Vault-MFA,\
    X-Vault-No-Request-Forwarding,X-Vault-Wrap-Format,X-Vault-Wrap-TTL,X-Requested-With,\
    X-Vault-AWS-IAM-Server-ID,X-Vault-Policy-Override";

async fn allow(server: &TestServer, settings: serde_json::Value) {
    let answer = server.call("PUT", "sys/config/cors", &server.root, Some(settings)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// What a page of this origin gets; an empty origin is no page.
async fn ask(server: &TestServer, method: &str, path: &str, origin: &str, wanted: &str) -> Answer {
    let mut headers = Vec::new();
    if !origin.is_empty() {
        headers.push(("Origin", origin));
    }
    if !wanted.is_empty() {
        headers.push(("Access-Control-Request-Method", wanted));
        headers.push(("Access-Control-Request-Headers", "x-whatever"));
    }
    server.call_with(method, path, "", &headers, None).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[track_caller]
fn is_admitted(answer: &Answer, origin: &str) {
    assert_eq!(header(answer, "access-control-allow-origin"), Some(origin), "{answer:?}");
    assert_eq!(header(answer, "vary"), Some("Origin"), "{answer:?}");
}

/// No header says anything to a browser, which so keeps the answer from the page.
#[track_caller]
fn says_nothing(answer: &Answer) {
    assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_while_it_is_off() {
    let server = server().await;
    let answer = ask(&server, "GET", "sys/health", "http://a", "").await;
    assert_eq!(answer.status, 200);
    says_nothing(&answer);
    let preflight = ask(&server, "OPTIONS", "secret/a", "http://a", "GET").await;
    assert_eq!(preflight.status, 400, "{preflight:?}");
    says_nothing(&preflight);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_origin_is_answered_and_another_refused() {
    let mut server = server().await;
    allow(
        &server,
        json!({ "allowed_origins": "http://a,http://b", "allowed_headers": "X-Z", "allow_credentials": true }),
    )
    .await;
    for (path, status) in
        [("sys/health", 200), ("sys/mounts", 403), ("no/such", 403), ("a//b", 307)]
    {
        for origin in ["http://a", "http://b"] {
            let answer = ask(&server, "GET", path, origin, "").await;
            assert_eq!(answer.status, status, "{answer:?}");
            is_admitted(&answer, origin);
            assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
        }
        for origin in ["http://c", "http://A", "http://a/", "http://a.example", "null", "*"] {
            for method in ["GET", "PUT", "OPTIONS"] {
                let answer = ask(&server, method, path, origin, "GET").await;
                assert_eq!((answer.status, answer.error()), (403, "origin not allowed".into()));
                says_nothing(&answer);
            }
        }
    }
    let answer = ask(&server, "GET", "sys/health", "", "").await;
    assert_eq!(answer.status, 200);
    says_nothing(&answer);
    // Known after a restart, and while sealed.
    server.restart().await;
    server.call("PUT", "sys/seal", &server.root, None).await;
    is_admitted(&ask(&server, "GET", "sys/seal-status", "http://a", "").await, "http://a");
    assert_eq!(ask(&server, "GET", "sys/seal-status", "http://c", "").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_page_changes_nothing() {
    let server = server().await;
    allow(&server, json!({ "allowed_origins": "http://a" })).await;
    let headers = [("Origin", "http://c")];
    let body = || Some(json!({ "type": "kv" }));
    let answer = server.call_with("PUT", "sys/mounts/plain", &server.root, &headers, body()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(server.call("PUT", "sys/mounts/plain", &server.root, body()).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_names_methods_and_headers() {
    let server = server().await;
    allow(&server, json!({ "allowed_origins": "http://a", "allowed_headers": "X-Z" })).await;
    for wanted in ["GET", "POST", "PUT", "DELETE", "LIST", "SCAN", "OPTIONS"] {
        for path in ["sys/health", "secret/a", "no/such//path"] {
            let answer = ask(&server, "OPTIONS", path, "http://a", wanted).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{answer:?}");
            is_admitted(&answer, "http://a");
            let expected = [
                ("access-control-allow-methods", "DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN"),
                ("access-control-allow-headers", &format!("{STANDARD_HEADERS},X-Z")),
                ("access-control-max-age", "300"),
            ];
            for (name, value) in expected {
                assert_eq!(header(&answer, name), Some(value), "{answer:?}");
            }
            assert_eq!(header(&answer, "access-control-allow-credentials"), None);
        }
    }
    for wanted in ["", "PATCH", "BREW", "get", "GET,PUT"] {
        let answer = ask(&server, "OPTIONS", "secret/a", "http://a", wanted).await;
        assert_eq!((answer.status, answer.text.as_str()), (405, ""), "{wanted}: {answer:?}");
        says_nothing(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_origin_may_be_allowed_and_none_again() {
    let server = server().await;
    allow(&server, json!({ "allowed_origins": "*" })).await;
    for origin in ["http://a", "null", "https://b.example:8443"] {
        is_admitted(&ask(&server, "GET", "sys/health", origin, "").await, origin);
    }
    let answer = server.call("DELETE", "sys/config/cors", &server.root, None).await;
    assert_eq!(answer.status, 204);
    says_nothing(&ask(&server, "GET", "sys/health", "http://a", "").await);
}
