use serde_json::{Value, json};
use testkit::databases::Redis;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn redis_has_users_too() {
    let redis = Redis::start();
    let world = World::start().await;
    let connection = json!({
        "plugin_name": "valkey-database-plugin", "host": "127.0.0.1", "port": redis.port,
        "username": Redis::ADMIN, "password": Redis::PASSWORD, "allowed_roles": "*",
    });
    let mut wrong = connection.clone();
    wrong["password"] = json!("wrong");
    let (_, error) = world.fails("POST", "database/config/db", wrong).await;
    assert!(error.contains("response returned from Conn: WRONGPASS"), "{error}");
    world.ok("POST", "database/config/db", connection.clone()).await;
    let users =
        || redis.command(&["ACL", "USERS"]).lines().filter(|user| user.starts_with("V_")).count();

    redis.command(&["SET", "x1", "7"]);
    redis.command(&["SET", "y1", "8"]);
    world
        .ok(
            "POST",
            "database/roles/app",
            json!({ "db_name": "db", "creation_statements": ["+@read", "~x*"] }),
        )
        .await;
    world.ok("POST", "database/roles/plain", json!({ "db_name": "db" })).await;
    let creds = world.creds("app").await;
    assert!(creds.username.starts_with("V_ROOT_APP_"), "{creds:?}");
    let get = |key: &str| redis.command_as(&creds.username, &creds.password, &["GET", key]);
    assert_eq!(get("x1").as_deref(), Ok("7"));
    assert!(get("y1").unwrap_err().contains("NOPERM"));
    assert!(redis.command_as(&creds.username, "wrong", &["GET", "x1"]).is_err());
    world.ok("POST", "sys/leases/renew", json!({ "lease_id": creds.lease })).await;
    for _ in 0..2 {
        let body = json!({ "lease_id": creds.lease, "sync": true });
        world.server.call("POST", "sys/leases/revoke", &world.server.root, Some(body)).await;
    }
    assert!(get("x1").is_err());
    let creds = world.creds("plain").await;
    assert_eq!(
        redis.command_as(&creds.username, &creds.password, &["GET", "y1"]).as_deref(),
        Ok("8")
    );
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(), 0);
    world
        .ok(
            "POST",
            "database/roles/bad",
            json!({ "db_name": "db", "creation_statements": ["+@nothing"] }),
        )
        .await;
    let (status, error) = world.fails("GET", "database/creds/bad", Value::Null).await;
    assert!(status == 400 && error.contains("Unknown command or category name in ACL"), "{error}");
    assert_eq!(users(), 0);

    redis.command(&["ACL", "SETUSER", "stays", "ON", ">first", "+@read", "~*"]);
    let body = json!({ "db_name": "db", "username": "stays", "rotation_period": "1h" });
    world.ok("POST", "database/static-roles/stays", body).await;
    let given = world.ok("GET", "database/static-creds/stays", Value::Null).await;
    let password = given["data"]["password"].as_str().unwrap();
    assert_eq!(redis.command_as("stays", password, &["GET", "x1"]).as_deref(), Ok("7"));
    assert!(redis.command_as("stays", "first", &["GET", "x1"]).is_err());
    let body = json!({ "db_name": "db", "username": "nobody", "rotation_period": "1h" });
    let (_, error) = world.fails("POST", "database/static-roles/nobody", body).await;
    assert_eq!(error, "error setting credentials: the user \"nobody\" does not exist");
    // The server takes a password and then cannot save it: it is the right one all the same.
    redis.command(&["ACL", "SETUSER", "unsaved", "ON", ">first", "+@read", "~*"]);
    world.ok("POST", "database/config/db", json!({ "persistence_mode": "ACLFILE" })).await;
    let body = json!({ "db_name": "db", "username": "unsaved", "rotation_period": "1h" });
    world.ok("POST", "database/static-roles/unsaved", body).await;
    let given = world.ok("GET", "database/static-creds/unsaved", Value::Null).await;
    let password = given["data"]["password"].as_str().unwrap();
    assert_eq!(redis.command_as("unsaved", password, &["GET", "x1"]).as_deref(), Ok("7"));
    world.ok("POST", "database/config/db", json!({ "persistence_mode": "" })).await;
    redis.command(&["ACL", "SETUSER", "keeper", "ON", ">first", "+@all", "~*", "&*"]);
    let mut body = connection;
    (body["username"], body["password"]) = (json!("keeper"), json!("first"));
    body["plugin_name"] = json!("redis-database-plugin");
    world.ok("POST", "database/config/db", body).await;
    world.ok("POST", "database/rotate-root/db", json!({})).await;
    assert!(redis.command_as("keeper", "first", &["PING"]).is_err());
    world.creds("app").await;
}
