//! The client against a scripted server on loopback: what goes over the wire, what comes back.
#![allow(clippy::unwrap_used)]

mod script;
mod tls;

use std::time::Duration;

use base_types::Secret;
use client::{Client, Config, Request};
use script::Script;

fn client(script: &Script) -> Client {
    Client::new(config(script)).unwrap()
}

fn config(script: &Script) -> Config {
    Config {
        address: script.address.clone(),
        token: Some(Secret::new("s.hunter2".to_owned())),
        retry_wait: Duration::ZERO,
        ..Config::default()
    }
}

const DATA: &str = r#"{"request_id":"r","data":{"a":"b"},"lease_duration":5}"#;

#[tokio::test]
async fn a_read_sends_token_and_headers_and_returns_the_envelope() {
    let script = Script::serve([(200, DATA)]).await;
    let secret = client(&script).secret(&Request::read("secret/a")).await.unwrap().unwrap();
    assert_eq!(secret.data.unwrap().get(), r#"{"a":"b"}"#);
    assert_eq!(secret.lease_duration, 5);
    let sent = script.requests().await;
    assert_eq!(sent[0].line, "GET /v1/secret/a");
    assert_eq!(sent[0].header("x-vault-token"), Some("s.hunter2"));
    assert_eq!(sent[0].header("x-vault-request"), Some("true"));
    assert_eq!(sent[0].header("x-vault-namespace"), None);
}

#[tokio::test]
async fn each_verb_has_its_form() {
    let script = Script::serve([(200, DATA); 6]).await;
    let mut config = config(&script);
    config.namespace = "team/".to_owned();
    config.wrap_ttl = Some("60".to_owned());
    let client = Client::new(config).unwrap();
    let body = serde_json::json!({ "k": "v" });
    for request in [
        Request::list("kv"),
        Request::scan("kv"),
        Request::put("kv").json(&body).unwrap(),
        Request::post("kv").unwrapped(),
        Request::patch("kv").json(&body).unwrap(),
        Request::delete("kv"),
    ] {
        client.send(&request).await.unwrap();
    }
    let sent = script.requests().await;
    let lines: Vec<_> = sent.iter().map(|request| request.line.as_str()).collect();
    let expected = ["GET /v1/kv?list=true", "GET /v1/kv?scan=true", "PUT /v1/kv", "POST /v1/kv"];
    assert_eq!(lines[..4], expected);
    assert_eq!(lines[4..], ["PATCH /v1/kv", "DELETE /v1/kv"]);
    assert_eq!(sent[2].body, r#"{"k":"v"}"#);
    assert_eq!(sent[4].header("content-type"), Some("application/merge-patch+json"));
    assert!(sent.iter().all(|request| request.header("x-vault-namespace") == Some("team/")));
    let wrapped: Vec<_> = sent.iter().map(|r| r.header("x-vault-wrap-ttl").is_some()).collect();
    assert_eq!(wrapped, [true, true, true, false, true, true]);
}

#[tokio::test]
async fn an_error_carries_status_and_texts_and_never_the_token() {
    let script = Script::serve([(403, r#"{"errors":["permission denied"]}"#), (400, "oops")]).await;
    let client = client(&script);
    let error = client.secret(&Request::read("secret/a")).await.unwrap_err();
    assert_eq!(error.status(), Some(403));
    assert!(error.says("permission denied"));
    assert!(error.to_string().ends_with("Code: 403. Errors:\n\n* permission denied"));
    assert!(!format!("{error}{error:?}{:?}", client.config()).contains("hunter2"));
    let error = client.secret(&Request::read("secret/a")).await.unwrap_err();
    assert!(error.to_string().ends_with("Raw Message:\n\noops"));
}

#[tokio::test]
async fn nothing_there_is_none_when_reading_and_an_error_when_writing() {
    let deleted = r#"{"data":{"data":null,"metadata":{"version":1}}}"#;
    let none = r#"{"errors":[]}"#;
    let script = Script::serve([(404, none), (404, deleted), (404, none), (204, "")]).await;
    let client = client(&script);
    assert!(client.secret(&Request::read("a")).await.unwrap().is_none());
    assert!(client.secret(&Request::read("a")).await.unwrap().is_some());
    assert_eq!(client.secret(&Request::put("a")).await.unwrap_err().status(), Some(404));
    assert!(client.secret(&Request::put("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn passing_trouble_is_retried_twice_and_refusals_are_not() {
    let script = Script::serve([(500, "{}"), (412, "{}"), (200, DATA)]).await;
    assert!(client(&script).secret(&Request::read("a")).await.unwrap().is_some());
    assert_eq!(script.requests().await.len(), 3);

    let script = Script::serve([(503, r#"{"errors":["sealed"]}"#); 3]).await;
    assert_eq!(client(&script).send(&Request::read("a")).await.unwrap_err().status(), Some(503));
    assert_eq!(script.requests().await.len(), 3);

    for status in [400, 403, 404, 405, 501] {
        let script = Script::serve([(status, r#"{"errors":[]}"#)]).await;
        let error = client(&script).send(&Request::put("a")).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        assert_eq!(script.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn one_redirect_is_followed_with_body_and_token() {
    let target = Script::serve([(200, DATA)]).await;
    let location = format!("{}/v1/elsewhere", target.address);
    let script = Script::redirecting(&location).await;
    let request = Request::put("here").json(&serde_json::json!({ "k": 1 })).unwrap();
    assert!(client(&script).secret(&request).await.unwrap().is_some());
    let sent = target.requests().await;
    assert_eq!(sent[0].line, "PUT /v1/elsewhere");
    assert_eq!(sent[0].body, r#"{"k":1}"#);
    assert_eq!(sent[0].header("x-vault-token"), Some("s.hunter2"));

    let script = Script::redirecting(&location).await;
    let client = Client::new(Config { redirects: false, ..config(&script) }).unwrap();
    assert_eq!(client.send(&request).await.unwrap().status, 307);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let address = Script::closed_port().await;
    let config = Config { address: address.clone(), retries_max: 0, ..Config::default() };
    let error = Client::new(config).unwrap().send(&Request::read("a")).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("GET {address}/v1/a: cannot connect to 127.0.0.1:")),
        "{text}"
    );
    assert_eq!(error.status(), None);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let script = Script::silent().await;
    let config = Config { timeout: Duration::from_millis(20), ..config(&script) };
    let error = Client::new(config).unwrap().send(&Request::read("a")).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 0.02 seconds"), "{error}");
}

#[tokio::test]
async fn a_unix_socket_is_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::on_socket(&folder.path().join("s"), [(200, DATA)]).await;
    assert!(client(&script).secret(&Request::read("a")).await.unwrap().is_some());
    assert_eq!(script.requests().await[0].line, "GET /v1/a");
}

#[tokio::test]
async fn a_token_that_cannot_be_a_header_is_refused_unseen() {
    let script = Script::serve([]).await;
    let client = client(&script).with_token(Some(Secret::new("s.hunter2\n".to_owned())));
    let error = client.send(&Request::read("a")).await.unwrap_err();
    assert!(!error.to_string().contains("hunter2") && error.to_string().contains("token"));
}
