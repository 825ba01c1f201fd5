//! Against a real RabbitMQ, first the engine alone and then within a whole server.
#![allow(clippy::unwrap_used)]

mod tls;

use std::sync::Arc;
use std::time::Duration;

use core_engine_api::Verb;
use core_engine_api::testing::{Harness, PlainHttp};
use engine_rabbitmq::Rabbitmq;
use serde_json::{Value, json};
use testkit::TestServer;
use testkit::rabbitmq::{ADMINISTRATOR, RabbitMq};

fn connection(rabbitmq: &RabbitMq) -> Value {
    let (username, password) = ADMINISTRATOR;
    json!({"connection_uri": rabbitmq.url(), "username": username, "password": password})
}

/// One broker for all, since it takes seconds to start.
#[tokio::test]
async fn users_live_as_long_as_their_leases() {
    let mut rabbitmq = RabbitMq::start().await;
    verifies_the_connection(&rabbitmq).await;
    gives_exactly_the_permissions_of_the_role(&rabbitmq).await;
    leaves_nothing_behind_when_rabbitmq_refuses(&rabbitmq).await;
    keeps_hostile_names_in_their_place(&rabbitmq).await;
    ends_users_with_their_leases(&mut rabbitmq).await;
}

async fn harness(rabbitmq: &RabbitMq) -> Harness {
    let harness = Harness::open_towards::<Rabbitmq>(Arc::new(PlainHttp::default())).await;
    harness.ok(Verb::Write, "config/connection", connection(rabbitmq)).await;
    harness
}

async fn verifies_the_connection(rabbitmq: &RabbitMq) {
    let harness = harness(rabbitmq).await;
    let mut wrong = connection(rabbitmq);
    wrong["password"] = "hunter2".into();
    let answer = harness.send(Verb::Write, "config/connection", wrong).await;
    let start = "failed to validate the connection: RabbitMQ: Error 401 (not_authorized): ";
    assert!(answer.errors[0].starts_with(start), "{answer:?}");
    // Somebody who may log in and is no administrator.
    let plain = json!({"password": "pw", "tags": "management"});
    rabbitmq.api(ADMINISTRATOR, "PUT", "users/plain", Some(plain)).await;
    let mut plain = connection(rabbitmq);
    (plain["username"], plain["password"]) = ("plain".into(), "pw".into());
    let answer = harness.send(Verb::Write, "config/connection", plain).await;
    assert!(answer.errors[0].contains("Error 401"), "{answer:?}");
    rabbitmq.api(ADMINISTRATOR, "DELETE", "users/plain", None).await;
}

async fn gives_exactly_the_permissions_of_the_role(rabbitmq: &RabbitMq) {
    let harness = harness(rabbitmq).await;
    let role = json!({
        "tags": "management,monitoring",
        "vhosts": r#"{"/": {"configure": "c.*", "write": "w.*", "read": "r.*"}}"#,
        "vhost_topics": r#"{"/": {"amq.topic": {"write": "tw", "read": "tr"}}}"#,
    });
    harness.ok(Verb::Write, "roles/web", role).await;
    let answer = harness.send(Verb::Read, "creds/web", Value::Null).await;
    let name = answer.data["username"].as_str().unwrap();
    let password = answer.data["password"].as_str().unwrap();
    assert_eq!(password.len(), 36);
    let who = rabbitmq.api((name, password), "GET", "whoami", None).await;
    assert_eq!(who.json()["tags"], json!(["management", "monitoring"]));
    let path = format!("users/{name}/permissions");
    let permissions = rabbitmq.api(ADMINISTRATOR, "GET", &path, None).await.json();
    let expected =
        json!([{"user": name, "vhost": "/", "configure": "c.*", "write": "w.*", "read": "r.*"}]);
    assert_eq!(permissions, expected);
    let path = format!("users/{name}/topic-permissions");
    let permissions = rabbitmq.api(ADMINISTRATOR, "GET", &path, None).await.json();
    let expected =
        json!([{"user": name, "vhost": "/", "exchange": "amq.topic", "write": "tw", "read": "tr"}]);
    assert_eq!(permissions, expected);

    let lease = answer.lease.unwrap();
    for _ in 0..2 {
        harness.revoke(&lease).await.unwrap();
        assert_eq!(rabbitmq.users().await, ["admin"]);
    }
    assert_eq!(rabbitmq.api((name, password), "GET", "whoami", None).await.status, 401);
}

async fn leaves_nothing_behind_when_rabbitmq_refuses(rabbitmq: &RabbitMq) {
    let harness = harness(rabbitmq).await;
    for (vhost, regex, fault) in [
        ("missing", ".*", "RabbitMQ: Error 400 (bad_request): vhost_or_user_not_found"),
        ("/", "(", "RabbitMQ: Error 400 (bad_request): "),
    ] {
        let vhosts = json!({vhost: {"configure": regex}}).to_string();
        harness.ok(Verb::Write, "roles/broken", json!({"vhosts": vhosts})).await;
        let answer = harness.send(Verb::Read, "creds/broken", Value::Null).await;
        assert!(answer.errors[0].starts_with(fault), "{answer:?}");
        assert_eq!(rabbitmq.users().await, ["admin"]);
    }
}

async fn keeps_hostile_names_in_their_place(rabbitmq: &RabbitMq) {
    let mut harness = harness(rabbitmq).await;
    let vhost = "a/../b?x=y#z %2F";
    let encoded = "a%2F..%2Fb%3Fx%3Dy%23z%20%252F";
    let made = rabbitmq.api(ADMINISTRATOR, "PUT", &format!("vhosts/{encoded}"), None).await;
    assert_eq!(made.status, 201, "{made:?}");
    let role = json!({"vhosts": json!({vhost: {"read": ".*"}}).to_string(), "tags": "management"});
    harness.ok(Verb::Write, "roles/web", role).await;
    for name in [
        "../../users/admin",
        "admin/",
        "admin?x=",
        "admin#",
        "%61dmin",
        "\u{2028}\"'\\{}",
        "..",
        "ä b",
    ] {
        harness.caller.display_name = name.into();
        let answer = harness.send(Verb::Read, "creds/web", Value::Null).await;
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let username = answer.data["username"].as_str().unwrap();
        assert!(username.starts_with(&format!("{name}-")), "{username}");
        let password = answer.data["password"].as_str().unwrap();
        let who = rabbitmq.api((username, password), "GET", "whoami", None).await;
        assert_eq!(who.json()["name"], username);
        assert_eq!(rabbitmq.users().await.len(), 2, "{name}");
        let all = rabbitmq.api(ADMINISTRATOR, "GET", "permissions", None).await.json();
        let own = all.as_array().unwrap().iter().find(|it| it["user"] == username).unwrap();
        assert_eq!(own["vhost"], vhost);
        harness.revoke(&answer.lease.unwrap()).await.unwrap();
        assert_eq!(rabbitmq.users().await, ["admin"], "{name}");
    }
    rabbitmq.api(ADMINISTRATOR, "DELETE", &format!("vhosts/{encoded}"), None).await;
    let whoami = rabbitmq.api(ADMINISTRATOR, "GET", "whoami", None).await;
    assert_eq!(whoami.status, 200, "the administrator is as before");
}

async fn ends_users_with_their_leases(rabbitmq: &mut RabbitMq) {
    let server = testkit::server().await;
    let root = server.root.clone();
    let write = async |path: &str, body: Value| {
        let answer = server.call("POST", path, &root, Some(body)).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json()
    };
    write("sys/mounts/rabbitmq", json!({"type": "rabbitmq"})).await;
    write("rabbitmq/config/connection", connection(rabbitmq)).await;
    write("rabbitmq/config/lease", json!({"ttl": "1h", "max_ttl": "2h"})).await;
    write("rabbitmq/roles/web", json!({"tags": "management"})).await;
    let creds = async |server: &TestServer| {
        let answer = server.call("GET", "rabbitmq/creds/web", &root, None).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    };

    let first = creds(&server).await;
    assert_eq!((&first["lease_duration"], &first["renewable"]), (&json!(3600), &json!(true)));
    let lease = json!({"lease_id": first["lease_id"]});
    write("rabbitmq/config/lease", json!({"ttl": "90m", "max_ttl": "2h"})).await;
    assert_eq!(write("sys/leases/renew", lease.clone()).await["lease_duration"], 5400);
    assert_eq!(rabbitmq.users().await.len(), 2);
    write("sys/leases/revoke", json!({"lease_id": first["lease_id"], "sync": true})).await;
    assert_eq!(rabbitmq.users().await, ["admin"]);

    // One that nobody ends does so by itself.
    write("rabbitmq/config/lease", json!({"ttl": "1s"})).await;
    let short = creds(&server).await;
    let name = short["data"]["username"].as_str().unwrap();
    until(async || !rabbitmq.users().await.iter().any(|user| user == name)).await;

    // A broker that is away gives nothing, and what should have ended meanwhile does so when it is
    // back.
    write("rabbitmq/config/lease", json!({"ttl": "1h"})).await;
    let kept = creds(&server).await;
    let lost = creds(&server).await;
    rabbitmq.stop();
    let lease = json!({"lease_id": lost["lease_id"]});
    server.call("POST", "sys/leases/revoke", &root, Some(lease)).await;
    let answer = server.call("GET", "rabbitmq/creds/web", &root, None).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.error().starts_with("cannot reach http://127.0.0.1:"), "{answer:?}");
    rabbitmq.start_again().await;
    let expected = ["admin", kept["data"]["username"].as_str().unwrap()];
    until(async || rabbitmq.users().await == expected).await;

    let audit = server.audit_log();
    let (_, password) = ADMINISTRATOR;
    let given = first["data"]["password"].as_str().unwrap();
    assert!(!audit.contains(password) && !audit.contains(given));
}

async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it has not come to pass in half a minute");
}
