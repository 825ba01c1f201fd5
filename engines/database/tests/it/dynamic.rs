use std::process::Command;

use serde_json::{Value, json};
use testkit::databases::Postgresql;

use crate::world::{CREATE, Creds, World, connection, until};

/// The exercise of every reader, by the real command line: point the engine at a database, fetch a
/// credential, log in with it, see it die.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_lives_as_long_as_its_lease() {
    let postgresql = Postgresql::start();
    let world = World { server: testkit::server().await };
    let bao = |arguments: &[&str]| bao(&world, arguments);
    bao(&["secrets", "enable", "database"]);
    let password = format!("password={}", Postgresql::PASSWORD);
    let url = format!("connection_url={}", postgresql.url());
    let said = bao(&[
        "write",
        "database/config/db",
        "plugin_name=postgresql-database-plugin",
        "allowed_roles=app",
        "username=postgres",
        &password,
        &url,
    ]);
    assert!(said.contains("Success! Data written to: database/config/db"), "{said}");
    let creation = format!("creation_statements={CREATE}");
    bao(&["write", "database/roles/app", "db_name=db", &creation, "default_ttl=10s", "max_ttl=1h"]);
    let text = bao(&["read", "-format=json", "database/creds/app"]);
    let creds = Creds::of(&serde_json::from_str(&text).unwrap());
    let whoami = "SELECT session_user";
    let who = postgresql.query_as(&creds.username, &creds.password, whoami);
    assert_eq!(who.as_ref(), Ok(&creds.username));
    assert!(creds.username.starts_with("v-root-app-"), "{creds:?}");
    assert!((1..=10).contains(&creds.seconds), "{creds:?}");
    until("the user is refused", || async {
        postgresql.query_as(&creds.username, &creds.password, whoami).is_err()
    })
    .await;
    until("the role is gone", || async { users(&postgresql) == "0" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_and_revoked_with_its_user() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE SCHEMA app; CREATE TABLE app.t (x int); INSERT INTO app.t VALUES (7)");
    let creation = format!(
        "{CREATE} GRANT USAGE, CREATE ON SCHEMA app TO \"{{{{name}}}}\"; \
         GRANT SELECT ON ALL TABLES IN SCHEMA app TO \"{{{{name}}}}\"; -- done"
    );
    world.role("app", &creation).await;
    let creds = world.creds("app").await;
    let valid = || {
        let user = &creds.username;
        postgresql.query(&format!("SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{user}'"))
    };
    let before = valid();
    let body = json!({ "lease_id": creds.lease, "increment": 7200 });
    let renewed = world.ok("POST", "sys/leases/renew", body).await;
    assert_eq!(renewed["lease_duration"], 7200);
    assert!(valid() > before, "{} after {before}", valid());
    // It owns a table and has been granted more: all of that must not keep it alive.
    let as_user = |sql: &str| postgresql.query_as(&creds.username, &creds.password, sql);
    assert_eq!(as_user("SELECT x FROM app.t").as_deref(), Ok("7"));
    as_user("CREATE TABLE app.own AS SELECT 1 AS y").unwrap();
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
    assert!(as_user("SELECT 1").is_err());
    assert_eq!(postgresql.query("SELECT y FROM app.own"), "1", "what it made is still there");

    // Somebody removed the user: its lease ends all the same.
    let creds = world.creds("app").await;
    postgresql.query(&format!("DROP OWNED BY \"{0}\"; DROP ROLE \"{0}\"", creds.username));
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;

    // The role is gone: what is kept with the lease does.
    let body = json!({ "revocation_statements": ["DROP OWNED BY \"{{name}}\"", "DROP ROLE \"{{name}}\""] });
    world.ok("POST", "database/roles/app", body).await;
    let creds = world.creds("app").await;
    world.ok("DELETE", "database/roles/app", Value::Null).await;
    let (_, error) =
        world.fails("POST", "sys/leases/renew", json!({ "lease_id": creds.lease })).await;
    assert!(error.contains("could not find role with name"), "{error}");
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
}

/// Roles move on to other databases; users do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_ends_in_the_database_where_it_was_made() {
    let (first, second) = (Postgresql::start(), Postgresql::start());
    let world = World::with(&first).await;
    world.ok("POST", "database/config/second", connection(&second)).await;
    world.role("app", CREATE).await;
    let creds = world.creds("app").await;
    // What these say is for the second database alone.
    let body = json!({ "db_name": "second", "renew_statements": "garbage",
        "revocation_statements": "garbage" });
    world.ok("POST", "database/roles/app", body).await;
    let valid = || first.query("SELECT rolvaliduntil FROM pg_roles WHERE rolname LIKE 'v-%'");
    let before = valid();
    let body = json!({ "lease_id": creds.lease, "increment": 7200 });
    world.ok("POST", "sys/leases/renew", body).await;
    assert!(valid() > before, "{} after {before}", valid());
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&first), "0");
    world.creds("app").await;
    assert_eq!((users(&first).as_str(), users(&second).as_str()), ("0", "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_was_never_made_needs_no_removal() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    let long = r#"{{ printf "v-%s" (random 70) }}"#;
    let backslash = r#"{{ printf "v-\\%s" (random 7) }}"#;
    for (template, creation, revocation) in [
        ("", "garbage", r#"DROP ROLE "{{name}}""#),
        ("", "garbage", "GRANT nothing TO \"{{name}}\"; DROP ROLE \"{{name}}\""),
        (long, CREATE, ""),
        (long, CREATE, r#"DROP ROLE "{{name}}""#),
        (backslash, "SELECT '{{name}}'", "SELECT '{{name}}'"),
    ] {
        let body = json!({ "username_template": template });
        world.ok("POST", "database/config/db", body).await;
        let body = json!({ "db_name": "db", "creation_statements": creation,
            "revocation_statements": revocation });
        world.ok("POST", "database/roles/app", body).await;
        let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
        assert_eq!(status, 400, "{error}");
        until("no lease is left", || async { world.leases("app").await == 0 }).await;
    }
    // One that is there must go: a script that cannot do that is told.
    world.ok("POST", "database/config/db", json!({ "username_template": "" })).await;
    let body = json!({ "creation_statements": CREATE, "revocation_statements": "garbage" });
    world.ok("POST", "database/roles/app", body).await;
    let creds = world.creds("app").await;
    let body = json!({ "lease_id": creds.lease, "sync": true });
    let (_, error) = world.fails("POST", "sys/leases/revoke", body).await;
    assert!(error.contains("syntax error at or near \"garbage\""), "{error}");
    assert_eq!((users(&postgresql).as_str(), world.leases("app").await), ("1", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_fails_leaves_nothing() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    for (creation, fault) in [
        (
            format!("{CREATE} GRANT nothing TO \"{{{{name}}}}\""),
            "failed to execute query: ERROR: role \"nothing\" does not exist (SQLSTATE 42704)",
        ),
        (
            "garbage".to_owned(),
            "failed to execute query: ERROR: syntax error at or near \"garbage\" (SQLSTATE 42601)",
        ),
        ("CREATE ROLE \"{{name}}\" PASSWORD {{password}}".to_owned(), "stands outside of quotes"),
        ("CREATE ROLE \"{{name}} LOGIN".to_owned(), "has no end"),
        (String::new(), "empty creation statements"),
    ] {
        let body = json!({ "db_name": "db", "creation_statements": [creation] });
        world.ok("POST", "database/roles/app", body).await;
        let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
        assert_eq!(status, 400, "{error}");
        assert!(error.contains(fault), "{error}");
    }
    assert_eq!(users(&postgresql), "0");
    until("no lease is left", || async { world.leases("app").await == 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_and_survived() {
    let mut postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    world.role("app", CREATE).await;
    let creds = world.creds("app").await;
    postgresql.stop();
    let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
    assert_eq!(status, 503, "{error}");
    assert!(error.contains("failed to connect to PostgreSQL"), "{error}");
    assert_eq!(world.leases("app").await, 1, "one that never was needs no lease");
    let body = json!({ "lease_id": creds.lease });
    world.server.call("POST", "sys/leases/revoke", &world.server.root, Some(body)).await;
    postgresql.resume();
    until("the user goes when the database is back", || async { users(&postgresql) == "0" }).await;
    world.creds("app").await;
    // Fewer connections than callers: they wait for one another.
    let body = json!({ "max_open_connections": 1, "verify_connection": false });
    world.ok("POST", "database/config/db", body).await;
    let (a, b, c) = tokio::join!(world.creds("app"), world.creds("app"), world.creds("app"));
    assert_ne!((&a.username, &b.username), (&b.username, &c.username));
    let connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'strongroom'";
    until("the old connections are closed", || async { postgresql.query(connected) == "1" }).await;
    world.ok("POST", "database/reset/db", json!({})).await;
    until("a reset closes the last", || async { postgresql.query(connected) == "0" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_again_after_a_restart() {
    let postgresql = Postgresql::start();
    let mut world = World::with(&postgresql).await;
    world.role("app", CREATE).await;
    let mut body = connection(&postgresql);
    body["password_authentication"] = json!("scram-sha-256");
    world.ok("POST", "database/config/db", body).await;
    let creds = world.creds("app").await;
    assert!(postgresql.query_as(&creds.username, &creds.password, "SELECT 1").is_ok());
    world.server.restart().await;
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
    world.creds("app").await;
}

/// An administrator who is no superuser, as those of hosted databases are not.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_users_is_enough() {
    let postgresql = Postgresql::start();
    postgresql.query(
        "CREATE ROLE keeper CREATEROLE LOGIN PASSWORD 'p'; CREATE SCHEMA app AUTHORIZATION keeper",
    );
    let world = World::with(&postgresql).await;
    let mut body = connection(&postgresql);
    (body["username"], body["password"]) = (json!("keeper"), json!("p"));
    world.ok("POST", "database/config/db", body).await;
    world
        .role("app", &format!("{CREATE} GRANT USAGE, CREATE ON SCHEMA app TO \"{{{{name}}}}\""))
        .await;
    let creds = world.creds("app").await;
    postgresql
        .query_as(&creds.username, &creds.password, "CREATE TABLE app.own AS SELECT 1 AS y")
        .unwrap();
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
    assert_eq!(postgresql.query("SELECT y FROM app.own"), "1");
}

/// How many users of the engine's making there are.
pub(crate) fn users(postgresql: &Postgresql) -> String {
    postgresql.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'")
}

/// The real command line, as root.
fn bao(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new(crate::openbao::program());
    command.env("BAO_ADDR", format!("http://{}", world.server.address));
    command.env("VAULT_ADDR", format!("http://{}", world.server.address));
    command.env("BAO_TOKEN", &world.server.root).env("HOME", world.server.folder());
    let output = command.args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{:?}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
