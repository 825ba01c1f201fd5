use serde_json::{Value, json};
use testkit::databases::Postgresql;

use crate::world::{CREATE, World, connection, until};

/// What a static role gives out.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    username: String,
    password: String,
}

impl World {
    async fn given(&self, role: &str) -> Given {
        let answer = self.ok("GET", &format!("database/static-creds/{role}"), Value::Null).await;
        let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        Given { username: text("username"), password: text("password") }
    }

    async fn status(&self, role: &str) -> Value {
        let answer = self.ok("GET", &format!("database/static-roles/{role}"), Value::Null).await;
        answer["data"].clone()
    }

    async fn counted(&self, metric: &str) -> u64 {
        let root = &self.server.root;
        let answer = self.server.call("GET", "sys/metrics?format=prometheus", root, None).await;
        let line = answer.text.lines().find(|line| line.starts_with(&format!("{metric} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap()
    }
}

fn works(postgresql: &Postgresql, given: &Given) -> bool {
    let who = postgresql.query_as(&given.username, &given.password, "SELECT session_user");
    who.is_ok_and(|who| who == given.username)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changes_by_itself_and_on_demand() {
    let postgresql = Postgresql::start();
    let mut world = World::with(&postgresql).await;
    postgresql
        .query("CREATE ROLE one LOGIN PASSWORD 'first'; CREATE ROLE two LOGIN PASSWORD 'first'");
    let body = json!({ "db_name": "db", "username": "one", "rotation_period": "10s" });
    world.ok("POST", "database/static-roles/one", body).await;
    let first = world.given("one").await;
    assert!(works(&postgresql, &first));
    assert!(postgresql.query_as("one", "first", "SELECT 1").is_err());
    world.ok("POST", "database/rotate-role/one", Value::Null).await;
    let second = world.given("one").await;
    assert!(works(&postgresql, &second) && !works(&postgresql, &first));
    // It becomes due while the server is down, and is caught up with.
    world.server.restart().await;
    until("it is rotated", || async { world.given("one").await != second }).await;
    until("what is given out works", || async { works(&postgresql, &world.given("one").await) })
        .await;

    // A password that is known is kept until the first rotation.
    let body = json!({ "db_name": "db", "username": "two", "rotation_schedule": "0 0 29 2 *",
        "rotation_window": "1h", "password": "wrong", "skip_import_rotation": true });
    let (_, error) = world.fails("POST", "database/static-roles/two", body.clone()).await;
    assert_eq!(error, "the database refuses the password of \"two\"");
    let mut body = body;
    body["password"] = json!("first");
    world.ok("POST", "database/static-roles/two", body).await;
    assert_eq!(world.given("two").await.password, "first");
    let status = world.status("two").await;
    assert_eq!(
        (&status["rotation_schedule"], &status["rotation_window"]),
        (&json!("0 0 29 2 *"), &json!(3600))
    );
    assert!(
        status["next_vault_rotation"].as_str().unwrap().ends_with("-02-29T00:00:00Z"),
        "{status}"
    );
    assert_eq!(status["last_vault_rotation"], Value::Null);
    world.ok("DELETE", "database/static-roles/two", Value::Null).await;
    assert!(postgresql.query_as("two", "first", "SELECT 1").is_ok(), "it is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_take_turns() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE ROLE a LOGIN PASSWORD 'a'; CREATE ROLE b LOGIN PASSWORD 'b'");
    let body = json!({ "db_name": "db", "usernames": ["a", "b"], "rotation_period": "1h", "grace_period": "10s" });
    world.ok("POST", "database/static-roles/pair", body).await;
    let first = world.given("pair").await;
    assert_eq!(first.username, "a");
    // Nobody needs to know the password that the other one had.
    let refused = |user: &str| postgresql.query_as(user, user, "SELECT 1").is_err();
    assert!(refused("a"));
    until("the second is retired", || async { refused("b") }).await;
    let answer = world.ok("POST", "database/rotate-role/pair", Value::Null).await;
    assert_eq!(answer["warnings"], Value::Null);
    let answer = world.ok("GET", "database/static-creds/pair", Value::Null).await;
    assert_eq!(
        (&answer["data"]["username"], &answer["data"]["previous_username"]),
        (&json!("b"), &json!("a"))
    );
    assert!(answer["data"]["previous_retires"].is_string(), "{answer}");
    let second = world.given("pair").await;
    assert!(works(&postgresql, &second));
    until("the first retires after its grace", || async { !works(&postgresql, &first) }).await;
    until("that is told", || async {
        let answer = world.ok("GET", "database/static-creds/pair", Value::Null).await;
        answer["data"]["previous_username"].is_null()
    })
    .await;
    world.ok("POST", "database/rotate-role/pair", Value::Null).await;
    let third = world.given("pair").await;
    assert_eq!(third.username, "a");
    assert!(
        works(&postgresql, &third) && works(&postgresql, &second),
        "both, for the grace period"
    );
    let body = json!({ "grace_period": "1800s" });
    world.ok("POST", "database/static-roles/pair", body).await;
    world.ok("POST", "database/rotate-role/pair", Value::Null).await;
    let answer = world.ok("POST", "database/rotate-role/pair", Value::Null).await;
    assert!(
        answer["warnings"][0].as_str().unwrap().contains("within its grace period"),
        "{answer}"
    );
    assert!(works(&postgresql, &world.given("pair").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_and_retried() {
    let mut postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN PASSWORD 'first'");
    let body = json!({ "db_name": "db", "username": "one", "rotation_period": "5s" });
    world.ok("POST", "database/static-roles/one", body).await;
    postgresql.stop();
    until("a rotation fails", || async {
        world.status("one").await["rotation_failure"].is_object()
    })
    .await;
    let failure = world.status("one").await["rotation_failure"].clone();
    assert!(
        failure["last_error"].as_str().unwrap().contains("failed to connect to PostgreSQL"),
        "{failure}"
    );
    assert!(
        failure["attempts"].as_u64().unwrap() >= 1 && failure["next_try"].is_string(),
        "{failure}"
    );
    assert!(world.counted("strongroom_password_rotation_failures_total").await >= 1);
    // Whether the database heard of the new password nobody knows, so none is given out.
    let (status, error) = world.fails("GET", "database/static-creds/one", Value::Null).await;
    assert_eq!(status, 503, "{error}");
    postgresql.resume();
    assert!(works(&postgresql, &world.given("one").await));
    let rotations = world.counted("strongroom_password_rotations_total").await;
    world.ok("POST", "database/rotate-role/one", Value::Null).await;
    assert!(world.counted("strongroom_password_rotations_total").await > rotations);
    assert_eq!(world.status("one").await["rotation_failure"], Value::Null);

    // A database that refuses: the old password is still the right one.
    let body = json!({ "rotation_period": "1h", "rotation_statements": ["ALTER ROLE nobody PASSWORD '{{password}}'"] });
    world.ok("POST", "database/static-roles/one", body).await;
    let before = world.given("one").await;
    let (status, error) = world.fails("POST", "database/rotate-role/one", Value::Null).await;
    assert!(status == 400 && error.contains("role \"nobody\" does not exist"), "{error}");
    assert_eq!(world.given("one").await, before);
    // One that does it before it refuses something else: the new password is the right one.
    let late = ["ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'; COMMIT", "SELECT 1/0"];
    world.ok("POST", "database/static-roles/one", json!({ "rotation_statements": late })).await;
    world.ok("POST", "database/rotate-role/one", Value::Null).await;
    let after = world.given("one").await;
    assert!(after != before && works(&postgresql, &after));
    let before = after;
    // One that says yes and does not do it is found out by logging in.
    let body = json!({ "rotation_statements": ["SELECT 1"] });
    world.ok("POST", "database/static-roles/one", body).await;
    let (_, error) = world.fails("POST", "database/rotate-role/one", Value::Null).await;
    assert!(error.contains("does not let \"one\" log in"), "{error}");
    assert_eq!(world.given("one").await, before);
    assert!(works(&postgresql, &before));
}

/// A new role never loses the only password of its user.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_password_is_known_to_somebody() {
    let mut postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE ROLE three LOGIN");
    let alter = "ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'; COMMIT";
    let role = |username: &str, then: &str| {
        json!({ "db_name": "db", "username": username, "rotation_period": "1h",
            "rotation_statements": [alter, then] })
    };
    // The database refuses something after it has taken the password.
    world.ok("POST", "database/static-roles/one", role("one", "SELECT 1/0")).await;
    assert!(works(&postgresql, &world.given("one").await));
    // The connection breaks after it.
    let body = role("two", "SELECT pg_terminate_backend(pg_backend_pid())");
    let (status, error) = world.fails("POST", "database/static-roles/two", body).await;
    assert!(status == 503 && error.contains("the role is kept"), "{error}");
    assert!(works(&postgresql, &world.given("two").await));
    // Nothing was told to a database that is not there.
    postgresql.stop();
    let body = role("three", "");
    let (status, error) = world.fails("POST", "database/static-roles/three", body).await;
    assert!(status == 503 && error.contains("failed to connect to PostgreSQL"), "{error}");
    let (status, _) = world.fails("GET", "database/static-roles/three", Value::Null).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE ROLE \"o\"\"; DROP TABLE t; --'\" LOGIN");
    postgresql.query("CREATE TABLE t (x int)");
    let body =
        json!({ "db_name": "db", "username": "o\"; DROP TABLE t; --'", "rotation_period": "1h" });
    world.ok("POST", "database/static-roles/hostile", body).await;
    assert!(works(&postgresql, &world.given("hostile").await));
    assert_eq!(postgresql.query("SELECT count(*) FROM t"), "0");
    let good = json!({ "db_name": "db", "username": "one", "rotation_period": "1h" });
    world.ok("POST", "database/static-roles/one", good.clone()).await;
    for (change, fault) in [
        (
            json!({ "username": "one" }),
            "the password of \"one\" is already changed by static role \"one\"",
        ),
        (
            json!({ "username": "postgres" }),
            "this is the administrator of the connection: use rotate-root",
        ),
        (
            json!({ "usernames": ["two", "one"] }),
            "usernames are two different ones, in place of username",
        ),
        (
            json!({ "username": null, "usernames": ["two", "two"] }),
            "usernames are two different ones, in place of username",
        ),
        (json!({ "username": "two", "grace_period": "1m" }), "grace_period needs two usernames"),
        (
            json!({ "username": null, "usernames": ["two", "three"], "grace_period": "1h" }),
            "grace_period must be shorter than rotation_period",
        ),
        (
            json!({ "username": "two", "rotation_schedule": "* * * * *" }),
            "mutually exclusive fields rotation_period and rotation_schedule were both specified; only one of them can be provided",
        ),
        (
            json!({ "username": "two", "rotation_window": "2h" }),
            "rotation_window is invalid with use of rotation_period",
        ),
        (
            json!({ "username": "two", "rotation_period": null, "rotation_schedule": "* * * * *", "rotation_window": 60 }),
            "rotation_window must be 3600 seconds or more",
        ),
        (
            json!({ "username": "two", "rotation_period": null, "rotation_schedule": "never" }),
            "could not parse rotation_schedule: expected 5 fields (minute hour day month weekday), found 1",
        ),
        (
            json!({ "username": "two", "credential_type": "rsa_private_key" }),
            "unsupported credential_type: \"rsa_private_key\"",
        ),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, error) = world.fails("POST", "database/static-roles/new", body).await;
        assert_eq!((status, error.as_str()), (400, fault));
    }
    // A change is held to the same.
    let mut other = connection(&postgresql);
    (other["username"], other["verify_connection"]) = (json!("one"), json!(false));
    world.ok("POST", "database/config/other", other).await;
    for (change, fault) in [
        (
            json!({ "credential_type": "rsa_private_key" }),
            "unsupported credential_type: \"rsa_private_key\"",
        ),
        (
            json!({ "db_name": "other" }),
            "this is the administrator of the connection: use rotate-root",
        ),
    ] {
        let (status, error) = world.fails("POST", "database/static-roles/one", change).await;
        assert_eq!((status, error.as_str()), (400, fault));
    }
    assert_eq!(world.status("one").await["credential_type"], "password");
    world.ok("DELETE", "database/static-roles/one", Value::Null).await;
    world.ok("POST", "database/static-roles/again", good).await;
    world.role("dynamic", CREATE).await;
    let body = json!({ "db_name": "db", "username": "two", "rotation_period": "1h" });
    world.fails("POST", "database/static-roles/dynamic", body).await;
}
