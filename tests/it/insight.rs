//! What the server says of itself while it works: its loggers, and the requests in flight.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::server;
use tokio::io::AsyncWriteExt;

use crate::log;

#[tokio::test(flavor = "multi_thread")]
async fn a_logger_is_set_and_reverted() {
    log::file();
    let server = server().await;
    let root = &server.root;
    let level = async || {
        let answer = server.call("GET", "sys/loggers/command", root, None).await;
        answer.json()["data"].clone()
    };
    assert_eq!(level().await, json!({ "command": "trace" }));
    let all = server.call("GET", "sys/loggers", root, None).await.json();
    assert!(all["data"].as_object().unwrap().len() > 5, "{all}");
    let set = async |path: &str, body: Value| server.call("PUT", path, root, Some(body)).await;
    assert_eq!(set("sys/loggers/command", json!({ "level": "WARN" })).await.status, 204);
    assert_eq!(level().await, json!({ "command": "warn" }));
    for (path, body, text) in [
        ("sys/loggers/command", json!({}), "level is required"),
        ("sys/loggers", json!({}), "level is required"),
        ("sys/loggers", json!({ "level": "odd" }), "unknown log level: odd"),
        ("sys/loggers/nosuch", json!({ "level": "info" }), "logger \"nosuch\" not found"),
    ] {
        let answer = set(path, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.error().contains(text), "{answer:?}");
    }
    let answer = server.call("DELETE", "sys/loggers/command", root, None).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(level().await, json!({ "command": "trace" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_shown_while_it_is_answered() {
    let server = server().await;
    let answer = server.call("GET", "sys/in-flight-req?x=secret", &server.root, None).await;
    let flights = answer.json();
    let flights = flights.as_object().unwrap();
    assert_eq!(flights.len(), 1, "{answer:?}");
    let flight = flights.values().next().unwrap();
    assert_eq!(flight["request_path"], "/v1/sys/in-flight-req");
    assert_eq!(flight["request_method"], "GET");
    assert!(flight["client_remote_address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert!(flight["start_time"].as_str().unwrap().ends_with('Z'), "{flight}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_shown_until_its_client_goes_away() {
    let server = server().await;
    let put = async |path: &str, body: Value| {
        let answer = server.call("PUT", path, &server.root, Some(body)).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
    };
    // A system that never answers, so that the request takes as long as its client is there.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connection = json!({
        "connection_uri": format!("http://{}", silent.local_addr().unwrap()),
        "username": "admin",
        "password": "pw",
        "verify_connection": false,
    });
    put("sys/mounts/rabbitmq", json!({ "type": "rabbitmq" })).await;
    put("rabbitmq/config/connection", connection).await;
    put("rabbitmq/roles/web", json!({ "tags": "management" })).await;
    let mut client = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET /v1/rabbitmq/creds/web HTTP/1.1\r\nHost: a\r\nX-Vault-Token: {}\r\n\r\n",
        server.root
    );
    client.write_all(head.as_bytes()).await.unwrap();
    let (asked, _) = silent.accept().await.unwrap();
    let is_shown = async || {
        let shown = server.call("GET", "sys/in-flight-req", &server.root, None).await.json();
        let mut flights = shown.as_object().unwrap().values();
        flights.any(|flight| flight["request_path"] == "/v1/rabbitmq/creds/web")
    };
    assert!(is_shown().await);
    drop(client);
    let gone = async || while is_shown().await {};
    // The server itself gives up on the other system later, after 30 seconds.
    tokio::time::timeout(Duration::from_secs(20), gone()).await.unwrap();
    drop(asked);
}
