use serde_json::{Value, json};
use testkit::databases::Mariadb;

use crate::world::{World, until};

const CREATE: &str = "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; \
                      GRANT SELECT ON app.* TO '{{name}}'@'%';";

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_has_users_too() {
    let mariadb = Mariadb::start();
    mariadb.query("CREATE DATABASE app; CREATE TABLE app.t (x int); INSERT INTO app.t VALUES (7)");
    let world = World::start().await;
    let connection = json!({
        "plugin_name": "mysql-database-plugin", "connection_url": mariadb.url(),
        "username": Mariadb::ADMIN, "password": Mariadb::PASSWORD, "allowed_roles": "*",
    });
    let mut wrong = connection.clone();
    wrong["password"] = json!("wrong");
    let (_, error) = world.fails("POST", "database/config/db", wrong).await;
    assert!(error.contains("Error 1045 (28000): Access denied for user"), "{error}");
    world.ok("POST", "database/config/db", connection.clone()).await;
    world.role("app", CREATE).await;
    let users = || mariadb.query("SELECT count(*) FROM mysql.user WHERE User LIKE 'v-%'");

    let creds = world.creds("app").await;
    let select = "SELECT x FROM app.t";
    assert_eq!(mariadb.query_as(&creds.username, &creds.password, select).as_deref(), Ok("7"));
    world.ok("POST", "sys/leases/renew", json!({ "lease_id": creds.lease })).await;
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert!(mariadb.query_as(&creds.username, &creds.password, select).is_err());
    assert_eq!(users(), "0");
    let creds = world.creds("app").await;
    mariadb.query(&format!("DROP USER '{}'", creds.username));
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;

    // It has no transactions for users: what was half made goes with its lease.
    world
        .role("half", &format!("{CREATE} GRANT SELECT ON nothing.nowhere TO '{{{{name}}}}'@'%'"))
        .await;
    let (status, error) = world.fails("GET", "database/creds/half", Value::Null).await;
    assert!(
        status == 400 && error.starts_with("failed to execute query: Error 1146 (42S02)"),
        "{error}"
    );
    until("the half user is gone", || async { users() == "0" }).await;
    // A syntax error quotes what is near it.
    world.role("leak", "CREATE USER '{{name}}' IDENTIFIED BUY '{{password}}'").await;
    let (_, error) = world.fails("GET", "database/creds/leak", Value::Null).await;
    assert_eq!(
        error,
        "failed to execute query: Error 1064 (42000): You have an error in your SQL syntax"
    );

    // So does what a script says itself.
    let signal = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'with {{password}}'";
    world.role("signal", signal).await;
    let (_, error) = world.fails("GET", "database/creds/signal", Value::Null).await;
    assert_eq!(error, "the database refused a statement with the password in it");
    // One that was never made needs no removal, whatever the role says about it.
    let body = json!({ "db_name": "db", "creation_statements": "garbage",
        "revocation_statements": "DROP USER '{{name}}'@'%'" });
    world.ok("POST", "database/roles/never", body).await;
    world.fails("GET", "database/creds/never", Value::Null).await;
    until("no lease is left", || async { world.leases("never").await == 0 }).await;

    // Names that are code.
    let template = r#"{{ printf "v-%s%s" `x'; DROP TABLE app.t; --"` (random 4) }}"#;
    world.ok("POST", "database/config/db", json!({ "username_template": template })).await;
    let creds = world.creds("app").await;
    assert_eq!(mariadb.query_as(&creds.username, &creds.password, select).as_deref(), Ok("7"));
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!((users().as_str(), mariadb.query(select).as_str()), ("0", "7"));

    // Passwords of users that stay, and of the administrator.
    mariadb.query("CREATE USER stays@'%' IDENTIFIED BY 'first'");
    let body = json!({ "db_name": "db", "username": "stays", "rotation_period": "1h" });
    world.ok("POST", "database/static-roles/stays", body).await;
    let given = world.ok("GET", "database/static-creds/stays", Value::Null).await;
    let password = given["data"]["password"].as_str().unwrap();
    assert!(mariadb.query_as("stays", password, "SELECT 1").is_ok());
    assert!(mariadb.query_as("stays", "first", "SELECT 1").is_err());
    let body = json!({ "db_name": "db", "username": "nobody", "rotation_period": "1h" });
    let (_, error) = world.fails("POST", "database/static-roles/nobody", body).await;
    assert!(error.contains("Error 1396 (HY000)"), "{error}");
    mariadb.query("CREATE USER keeper@'%' IDENTIFIED BY 'first'; GRANT ALL ON *.* TO keeper@'%' WITH GRANT OPTION");
    let mut body = connection;
    (body["username"], body["password"]) = (json!("keeper"), json!("first"));
    world.ok("POST", "database/config/db", body).await;
    world.ok("POST", "database/rotate-root/db", json!({})).await;
    assert!(mariadb.query_as("keeper", "first", "SELECT 1").is_err());
    world.creds("app").await;
}
