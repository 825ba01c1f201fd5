//! The engine over memory with a real database: states that only a crash leaves, and long times.

use std::time::Duration;

use base_types::{Result, Secret, Timestamp, Ttl};
use core_barrier::{Sealed, Tx};
use core_engine_api::Verb;
use core_engine_api::testing::Harness;
use core_rotation::{Change, Purpose};
use serde_json::{Value, json};
use testkit::databases::{Mariadb, Postgresql};

use crate::Database;
use crate::connection::Connection;
use crate::static_role::StaticRole;

/// All passwords that a harness makes.
const GENERATED: &str = "generated";

async fn harness(postgresql: &Postgresql) -> Harness {
    let harness = Harness::open::<Database>().await;
    harness
        .ok(Verb::Write, "config/db", connection(postgresql, "postgres", Postgresql::PASSWORD))
        .await;
    harness
}

fn connection(postgresql: &Postgresql, username: &str, password: &str) -> Value {
    json!({
        "plugin_name": "postgresql-database-plugin", "connection_url": postgresql.url(),
        "username": username, "password": password, "allowed_roles": "*",
    })
}

async fn change(harness: &Harness, change: impl Fn(&mut StaticRole) + Send + Sync) {
    let change = &change;
    let work = |tx: Tx| async move {
        let old = StaticRole::get(&tx, "one").await?.unwrap();
        let mut role = old.clone();
        change(&mut role);
        role.put(&tx, "one", Some(&old))
    };
    harness.storage.transact(work).await.unwrap();
}

async fn given(harness: &Harness) -> String {
    let data = harness.ok(Verb::Read, "static-creds/one", Value::Null).await;
    data["password"].as_str().unwrap().to_owned()
}

/// Its only job is to rotate what is due.
async fn run(harness: &Harness) -> Result<()> {
    harness.backend.run(0).await
}

fn cut_short(password: &str) -> impl Fn(&mut StaticRole) + Send + Sync {
    let password = Sealed::from(Secret::new(password.to_owned()));
    move |role| {
        let (password, purpose) = (password.clone(), Purpose::Rotate);
        role.change = Some(Change { account: 0, password, purpose });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_database_says_which_password_is_right() {
    let postgresql = Postgresql::start();
    let mut harness = harness(&postgresql).await;
    let logs_in = |password: &str| postgresql.query_as("one", password, "SELECT 1").is_ok();
    postgresql.query("CREATE ROLE one LOGIN");
    let body = json!({ "db_name": "db", "username": "one", "rotation_period": "1h" });
    harness.ok(Verb::Write, "static-roles/one", body).await;
    assert_eq!(given(&harness).await, GENERATED);

    // The server stopped before it told the database.
    change(&harness, cut_short("second")).await;
    harness.reopen().await;
    assert_eq!(given(&harness).await, GENERATED);
    assert!(logs_in(GENERATED));
    run(&harness).await.unwrap();
    assert_eq!(given(&harness).await, "second");
    assert!(logs_in("second") && !logs_in(GENERATED));

    // The server stopped after it.
    change(&harness, cut_short("third")).await;
    postgresql.query("ALTER ROLE one PASSWORD 'third'");
    harness.reopen().await;
    assert_eq!(given(&harness).await, "third");
    run(&harness).await.unwrap();
    assert_eq!(given(&harness).await, "third");

    // Somebody else has changed it meanwhile: nothing is given out that does not work.
    change(&harness, cut_short("fourth")).await;
    postgresql.query("ALTER ROLE one PASSWORD 'foreign'");
    let answer = harness.send(Verb::Read, "static-creds/one", Value::Null).await;
    assert!(answer.status == 503 && answer.errors[0].contains("refuses both"), "{answer:?}");
    run(&harness).await.unwrap();
    assert_eq!(given(&harness).await, "fourth");
    assert!(logs_in("fourth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_survive_a_crash_at_every_step() {
    let postgresql = Postgresql::start();
    let mut harness = harness(&postgresql).await;
    let logs_in =
        |user: &str, password: &str| postgresql.query_as(user, password, "SELECT 1").is_ok();
    postgresql.query("CREATE ROLE a LOGIN PASSWORD 'a'; CREATE ROLE b LOGIN PASSWORD 'b'");
    let body = json!({ "db_name": "db", "usernames": ["a", "b"], "rotation_period": "1h", "grace_period": "10m" });
    harness.ok(Verb::Write, "static-roles/one", body).await;
    run(&harness).await.unwrap();
    assert!(logs_in("a", GENERATED) && !logs_in("b", "b"));
    let cut_short = |account, password: &str, purpose| {
        let password = Sealed::from(Secret::new(password.to_owned()));
        move |role: &mut StaticRole| {
            role.change = Some(Change { account, password: password.clone(), purpose });
        }
    };
    let creds =
        async |harness: &Harness| harness.ok(Verb::Read, "static-creds/one", Value::Null).await;

    for told in [false, true] {
        // The next user gets its password, and what is given out stays as it is.
        let (old, new) = if told { ("b", "a") } else { ("a", "b") };
        let before = creds(&harness).await;
        change(&harness, cut_short(usize::from(!told), "next", Purpose::Rotate)).await;
        if told {
            postgresql.query(&format!("ALTER ROLE {new} PASSWORD 'next'"));
        }
        harness.reopen().await;
        assert_eq!(creds(&harness).await, before);
        assert!(logs_in(old, before["password"].as_str().unwrap()));
        run(&harness).await.unwrap();
        let now = creds(&harness).await;
        assert_eq!((&now["username"], &now["password"]), (&json!(new), &json!("next")));
        assert_eq!(now["previous_username"], old);
        assert!(logs_in(new, "next") && logs_in(old, before["password"].as_str().unwrap()));

        // The one before is retired.
        harness.clock.advance(Ttl::from_seconds(601));
        change(&harness, cut_short(usize::from(told), "unknown", Purpose::Retire)).await;
        if told {
            postgresql.query(&format!("ALTER ROLE {old} PASSWORD 'unknown'"));
        }
        harness.reopen().await;
        run(&harness).await.unwrap();
        let now = creds(&harness).await;
        assert_eq!((&now["username"], &now["previous_username"]), (&json!(new), &Value::Null));
        assert!(logs_in(new, "next") && !logs_in(old, before["password"].as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_administrators_password_is_settled() {
    let postgresql = Postgresql::start();
    let mut harness = harness(&postgresql).await;
    postgresql.query("CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'first'");
    harness.ok(Verb::Write, "config/db", connection(&postgresql, "keeper", "first")).await;
    let creation = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'";
    let body = json!({ "db_name": "db", "creation_statements": creation });
    harness.ok(Verb::Write, "roles/app", body).await;
    for (told, settled) in [(false, "first"), (true, "second")] {
        let pending = Some(Sealed::from(Secret::new("second".to_owned())));
        let stored: Connection = harness.storage.get("config/db").await.unwrap().unwrap();
        let cut_short = Connection { pending_password: pending, ..stored };
        harness.storage.put("config/db", &cut_short).await.unwrap();
        if told {
            postgresql.query("ALTER ROLE keeper PASSWORD 'second'");
        }
        harness.reopen().await;
        harness.ok(Verb::Read, "creds/app", Value::Null).await;
        let stored: Connection = harness.storage.get("config/db").await.unwrap().unwrap();
        assert!(stored.pending_password.is_none());
        assert_eq!(stored.secrets["password"].open().expose(), settled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_rotations_are_caught_up_with_within_their_window() {
    let postgresql = Postgresql::start();
    let mut harness = harness(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN");
    // The clock of the harness stands at midnight.
    let body = json!({ "db_name": "db", "username": "one", "rotation_schedule": "0 6 * * *", "rotation_window": "2h" });
    harness.ok(Verb::Write, "static-roles/one", body).await;
    let times = async |harness: &Harness| {
        let data = harness.ok(Verb::Read, "static-roles/one", Value::Null).await;
        let time = |name: &str| data[name].as_str().unwrap().parse::<Timestamp>().unwrap();
        (time("last_vault_rotation").to_string(), time("next_vault_rotation").to_string())
    };
    let expect = |last: &str, next: &str| (last.to_owned(), next.to_owned());
    run(&harness).await.unwrap();
    assert_eq!(times(&harness).await, expect("2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z"));
    harness.clock.advance(Ttl::from_seconds(7 * 3600 + 1800));
    harness.reopen().await;
    run(&harness).await.unwrap();
    assert_eq!(times(&harness).await, expect("2026-01-01T07:30:00Z", "2026-01-02T06:00:00Z"));
    // Two days later the window has long been closed: it waits for the next.
    harness.clock.advance(Ttl::from_seconds(48 * 3600 + 7200));
    run(&harness).await.unwrap();
    assert_eq!(times(&harness).await, expect("2026-01-01T07:30:00Z", "2026-01-04T06:00:00Z"));
    harness.clock.advance(Ttl::from_seconds(24 * 3600));
    run(&harness).await.unwrap();
    assert_eq!(times(&harness).await.1, "2026-01-05T06:00:00Z");
    // A period knows no window.
    let body = json!({ "rotation_period": "1h" });
    harness.ok(Verb::Write, "static-roles/one", body).await;
    harness.clock.advance(Ttl::from_seconds(100 * 3600));
    let now = times(&harness).await.1;
    run(&harness).await.unwrap();
    assert!(times(&harness).await.1 > now);
}

/// A database that takes connections and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_holds_up_no_other() {
    let postgresql = Postgresql::start();
    let harness = harness(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN");
    harness
        .ok(Verb::Write, "config/dead", connection(&postgresql, "postgres", Postgresql::PASSWORD))
        .await;
    for (role, db) in [("one", "db"), ("two", "dead")] {
        let body = json!({ "db_name": db, "username": role, "rotation_period": "1h" });
        harness.ok(Verb::Write, &format!("static-roles/{role}"), body).await;
    }
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!(
        "postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/db?sslmode=disable"
    );
    let body = json!({ "connection_url": url, "verify_connection": false });
    harness.ok(Verb::Write, "config/dead", body).await;
    let last = async |role: &str| {
        let data = harness.ok(Verb::Read, &format!("static-roles/{role}"), Value::Null).await;
        (
            data["last_vault_rotation"].as_str().unwrap().to_owned(),
            data["rotation_failure"].is_object(),
        )
    };
    harness.clock.advance(Ttl::from_seconds(3600));
    run(&harness).await.unwrap();
    assert_eq!(last("one").await, ("2026-01-01T01:00:00Z".to_owned(), false));
    assert_eq!(last("two").await, ("2026-01-01T00:00:00Z".to_owned(), false), "it still waits");
    harness.clock.advance(Ttl::from_seconds(3600));
    run(&harness).await.unwrap();
    assert_eq!(last("one").await.0, "2026-01-01T02:00:00Z");
}

/// A user that is still being made when its lease has ended would stay for ever.
#[tokio::test]
async fn what_takes_too_long_is_stopped_in_the_database() {
    let postgresql = Postgresql::start();
    let harness = harness(&postgresql).await;
    let creation = "CREATE ROLE \"{{name}}\"; SELECT pg_sleep(600)";
    let body = json!({ "db_name": "db", "creation_statements": creation });
    harness.ok(Verb::Write, "roles/app", body).await;
    let sleeping = || {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        postgresql.query(asked) == "1"
    };
    let hurry = async {
        while !sleeping() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
    };
    let (answer, ()) = tokio::join!(harness.send(Verb::Read, "creds/app", Value::Null), hurry);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.errors, ["the database did not answer within 30 seconds"]);
    assert!(!sleeping());
    assert_eq!(postgresql.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'"), "0");
}

/// The same where it is ended from another connection.
#[tokio::test]
async fn what_takes_too_long_is_stopped_in_mariadb() {
    let mariadb = Mariadb::start();
    let harness = Harness::open::<Database>().await;
    let connection = json!({
        "plugin_name": "mysql-database-plugin", "connection_url": mariadb.url(),
        "username": Mariadb::ADMIN, "password": Mariadb::PASSWORD, "allowed_roles": "*",
    });
    harness.ok(Verb::Write, "config/db", connection).await;
    let asked =
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
    let sleeping = || mariadb.query(asked) == "1";
    let hurry = async || {
        while !sleeping() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
    };
    // The function takes an interruption for an answer, and the next statement would make a user.
    let creation = "SELECT SLEEP(600); CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'";
    let body = json!({ "db_name": "db", "creation_statements": creation });
    harness.ok(Verb::Write, "roles/app", body).await;
    let (answer, ()) = tokio::join!(harness.send(Verb::Read, "creds/app", Value::Null), hurry());
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.errors, ["the database did not answer within 30 seconds"]);
    assert!(!sleeping());
    let users = "SELECT count(*) FROM mysql.user WHERE User LIKE 'v-%'";
    assert_eq!(mariadb.query(users), "0");
    // What was stopped is not used again, and all else goes on.
    let creation = "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'";
    let body = json!({ "creation_statements": creation });
    harness.ok(Verb::Write, "roles/app", body).await;
    harness.ok(Verb::Read, "creds/app", Value::Null).await;
    assert_eq!(mariadb.query(users), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_wait_longer_each_time() {
    let mut postgresql = Postgresql::start();
    let harness = harness(&postgresql).await;
    postgresql.query("CREATE ROLE one LOGIN");
    let body = json!({ "db_name": "db", "username": "one", "rotation_period": "1h" });
    harness.ok(Verb::Write, "static-roles/one", body).await;
    postgresql.stop();
    harness.clock.advance(Ttl::from_seconds(3600));
    let attempts = async |harness: &Harness| {
        run(harness).await.unwrap();
        let data = harness.ok(Verb::Read, "static-roles/one", Value::Null).await;
        data["rotation_failure"]["attempts"].as_u64()
    };
    assert_eq!(attempts(&harness).await, Some(1));
    assert_eq!(attempts(&harness).await, Some(1), "it waits");
    harness.clock.advance(Ttl::from_seconds(13));
    assert_eq!(attempts(&harness).await, Some(2));
    harness.clock.advance(Ttl::from_seconds(13));
    assert_eq!(attempts(&harness).await, Some(2), "longer this time");
    harness.clock.advance(Ttl::from_seconds(13));
    assert_eq!(attempts(&harness).await, Some(3));
    postgresql.resume();
    harness.clock.advance(Ttl::from_seconds(60));
    assert_eq!(attempts(&harness).await, None);
}
