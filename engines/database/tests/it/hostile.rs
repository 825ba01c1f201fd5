use serde_json::{Value, json};
use testkit::databases::Postgresql;

use crate::dynamic::users;
use crate::world::{CREATE, World, connection};

/// CVE-2023-0620 and its kin: names that are code.
#[tokio::test(flavor = "multi_thread")]
async fn names_never_become_code() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE TABLE treasure (x int)");
    world.role("app", CREATE).await;
    let evil = r#"x"; DROP TABLE treasure; --'$$"#;

    // The display name of a caller.
    world
        .ok(
            "POST",
            "sys/policies/acl/all",
            json!({ "policy": "path \"*\" { capabilities = [\"read\"] }" }),
        )
        .await;
    let body = json!({ "policies": ["all"], "display_name": evil });
    let token = world.ok("POST", "auth/token/create", body).await;
    let token = token["auth"]["client_token"].as_str().unwrap().to_owned();
    let answer = world.server.call("GET", "database/creds/app", &token, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let username = answer.json()["data"]["username"].as_str().unwrap().to_owned();
    assert!(username.starts_with("v-token-x"), "{username}");
    let body = json!({ "lease_id": answer.json()["lease_id"], "sync": true });
    world.ok("POST", "sys/leases/revoke", body).await;

    // A template that makes such names: the user bears it, and can be removed.
    let template = r#"{{ printf "v-%s%s" `x"; DROP TABLE treasure; --'$$` (random 4) }}"#;
    world.ok("POST", "database/config/db", json!({ "username_template": template })).await;
    let creds = world.creds("app").await;
    assert_eq!(
        postgresql.query_as(&creds.username, &creds.password, "SELECT session_user"),
        Ok(creds.username)
    );
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
    // One that gives a name which is taken already: neither made nor, at the lease's end, removed.
    world.ok("POST", "database/config/db", json!({ "username_template": "{{.RoleName}}" })).await;
    postgresql.query("CREATE ROLE app");
    let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
    assert_eq!(status, 400, "{error}");
    assert_eq!(postgresql.query("SELECT count(*) FROM pg_roles WHERE rolname = 'app'"), "1");
    world.ok("POST", "database/config/db", json!({ "username_template": template })).await;
    for creation in [
        "DO $$ BEGIN EXECUTE 'CREATE ROLE \"{{name}}\"'; END $$",
        "CREATE ROLE {{name}}",
        "-- {{name}}\n",
    ] {
        world.role("raw", creation).await;
        let (status, error) = world.fails("GET", "database/creds/raw", Value::Null).await;
        assert_eq!(status, 400, "{error}");
    }

    // Names of roles and connections.
    let fault = "a name holds letters, digits and '_', between them also '.' and '-', at most 256";
    for (name, fault) in [
        ("a'b", fault),
        ("a%22b", fault),
        ("a%3Bb", fault),
        ("-a", fault),
        ("a%00", "the path holds a control character"),
    ] {
        let role = json!({ "db_name": "db", "creation_statements": CREATE });
        let mut config = connection(&postgresql);
        config["verify_connection"] = json!(false);
        for (path, body) in [("roles", role), ("config", config)] {
            let (status, error) =
                world.fails("POST", &format!("database/{path}/{name}"), body).await;
            assert_eq!((status, error.as_str()), (400, fault), "{path}/{name}");
        }
    }
    // A schema whose name is code, which the default revocation meets.
    let schema = evil.replace('"', "\"\"");
    postgresql.query(&format!("CREATE SCHEMA \"{schema}\"; CREATE TABLE \"{schema}\".t (x int)"));
    world.ok("POST", "database/config/db", json!({ "username_template": "" })).await;
    let grant = format!(
        "{CREATE} GRANT USAGE ON SCHEMA \"{schema}\" TO \"{{{{name}}}}\"; GRANT SELECT ON ALL TABLES IN SCHEMA \"{schema}\" TO \"{{{{name}}}}\""
    );
    world.role("app", &grant).await;
    let creds = world.creds("app").await;
    world.ok("POST", "sys/leases/revoke", json!({ "lease_id": creds.lease, "sync": true })).await;
    assert_eq!(users(&postgresql), "0");
    assert_eq!(postgresql.query("SELECT count(*) FROM treasure"), "0", "the table is still there");
}

/// Secrets leave by the front door only.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_to_nobody() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    let secrets = ["hunter2-password", "hunter2-key", "hunter2-url"];
    let url = format!("postgresql://u:{}@127.0.0.1:1/db", secrets[2]);
    let body = json!({
        "plugin_name": "postgresql-database-plugin", "connection_url": url, "username": "u",
        "password": secrets[0], "tls_certificate": "x", "private_key": secrets[1],
    });
    let (_, error) = world.fails("POST", "database/config/other", body.clone()).await;
    let mut said = error;
    let mut body = body;
    body["tls_certificate"] = json!("");
    body["private_key"] = json!("");
    said += &world.fails("POST", "database/config/other", body.clone()).await.1;
    body["verify_connection"] = json!(false);
    let stored = world.ok("POST", "database/config/other", body).await;
    let warnings = stored["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{stored}");
    assert!(
        warnings[0]
            .as_str()
            .unwrap()
            .starts_with("Password found in connection_url, use a templated url")
    );
    said += &stored.to_string();
    let read = world.ok("GET", "database/config/other", Value::Null).await;
    assert_eq!(
        read["data"]["connection_details"]["connection_url"],
        "postgresql://u:xxxxx@127.0.0.1:1/db"
    );
    said += &read.to_string();
    // The password in a statement that the database complains about.
    let body = json!({ "db_name": "db", "creation_statements": "DO $$ BEGIN RAISE EXCEPTION '{{password}}'; END $$" });
    world.ok("POST", "database/roles/raise", body).await;
    let (_, error) = world.fails("GET", "database/creds/raise", Value::Null).await;
    assert_eq!(error, "the database refused a statement with the password in it");
    for secret in secrets {
        assert!(!said.contains(secret), "{said}");
        assert!(!world.server.audit_log().contains(secret));
    }
}
