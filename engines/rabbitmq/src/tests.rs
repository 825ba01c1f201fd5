#![allow(clippy::unwrap_used)]

use core_engine_api::testing::Harness;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Rabbitmq>().await;
    let recording = include_str!("../tests/fixtures/rabbitmq.json");
    assert_eq!(harness.replay(recording).await, 39);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_it_is_stored() {
    let harness = Harness::open::<Rabbitmq>().await;
    let connection = |field: &str, value: &str| {
        let mut body = json!({
            "connection_uri": "http://127.0.0.1:15672",
            "username": "admin",
            "password": "hunter2",
            "verify_connection": false,
        });
        body[field] = value.into();
        body
    };
    for (field, value, fault) in [
        ("connection_uri", "127.0.0.1:15672", "connection_uri: the URL"),
        ("connection_uri", "amqp://127.0.0.1", "connection_uri: the URL is neither"),
        ("connection_uri", "http://a:hunter2@h", "connection_uri: the URL holds a user"),
        ("username_template", "{{ .RoleName }}", "invalid username template: template: it gives"),
        ("username_template", "{{ .Nope }}", "invalid username template: template: 1:"),
        ("verify_connection", "true", "failed to validate the connection: "),
    ] {
        let answer = harness.send(Verb::Write, "config/connection", connection(field, value)).await;
        assert!(answer.status >= 400, "{field} {value}");
        assert!(answer.errors[0].starts_with(fault), "{field} {value}: {answer:?}");
        assert!(!answer.errors[0].contains("hunter2"), "{answer:?}");
    }
    harness.ok(Verb::Write, "roles/web", json!({"tags": "management"})).await;
    let answer = harness.send(Verb::Read, "creds/web", Value::Null).await;
    assert!(answer.errors[0].starts_with("there is no connection to RabbitMQ"), "{answer:?}");
}

/// Names become parts of URLs; none of them may lead elsewhere.
#[tokio::test]
async fn a_name_that_no_url_can_hold_is_refused_before_anything_is_made() {
    let harness = Harness::open::<Rabbitmq>().await;
    let connection = json!({
        "connection_uri": "http://127.0.0.1:1",
        "username": "admin",
        "password": "pw",
        "verify_connection": false,
    });
    harness.ok(Verb::Write, "config/connection", connection).await;
    let role = json!({"vhosts": r#"{"..": {"read": ".*"}}"#});
    harness.ok(Verb::Write, "roles/dots", role).await;
    let answer = harness.send(Verb::Read, "creds/dots", Value::Null).await;
    assert_eq!(answer.errors, ["\"..\" cannot be a name in a URL"]);
    assert!(answer.lease.is_none());
}
