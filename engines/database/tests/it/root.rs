use serde_json::{Value, json};
use testkit::databases::Postgresql;

use crate::world::{CREATE, World, connection};

#[tokio::test(flavor = "multi_thread")]
async fn the_administrators_password_is_known_to_the_server_alone() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'first'");
    let mut body = connection(&postgresql);
    (body["username"], body["password"]) = (json!("keeper"), json!("first"));
    world.ok("POST", "database/config/db", body.clone()).await;
    for _ in 0..2 {
        world.ok("POST", "database/rotate-root/db", json!({})).await;
        assert!(postgresql.query_as("keeper", "first", "SELECT 1").is_err());
        world.role("app", CREATE).await;
        world.creds("app").await;
    }

    // The database refuses the change: the password stays what it was, and all goes on.
    let statements =
        json!({ "root_rotation_statements": ["ALTER ROLE nobody PASSWORD '{{password}}'"] });
    world.ok("POST", "database/config/db", statements).await;
    let (status, error) = world.fails("POST", "database/rotate-root/db", json!({})).await;
    assert_eq!(status, 400, "{error}");
    world.creds("app").await;
    // The change is done, but something else goes wrong after it: the next use finds out.
    let statements = json!({ "root_rotation_statements": [
        "ALTER ROLE \"{{username}}\" PASSWORD '{{password}}'; COMMIT", "SELECT 1/0"
    ] });
    world.ok("POST", "database/config/db", statements).await;
    world.fails("POST", "database/rotate-root/db", json!({})).await;
    world.ok("POST", "database/reset/db", json!({})).await;
    world.creds("app").await;

    // Somebody changes it behind our back: that is told, and a new password repairs it.
    postgresql.query("ALTER ROLE keeper PASSWORD 'second'");
    world.ok("POST", "database/reset/db", json!({})).await;
    let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
    assert_eq!(status, 503, "{error}");
    assert!(
        error.contains("password authentication failed for user \"keeper\" (SQLSTATE 28P01)"),
        "{error}"
    );
    body["password"] = json!("second");
    world.ok("POST", "database/config/db", body.clone()).await;
    world.creds("app").await;

    body["connection_url"] = json!(postgresql.url().replace("{{password}}", "second"));
    world.ok("POST", "database/config/db", body.clone()).await;
    let (_, error) = world.fails("POST", "database/rotate-root/db", json!({})).await;
    assert!(error.contains("connection_url has no place for the password"), "{error}");
}
