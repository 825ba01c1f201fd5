//! Users who log in by something else than a password.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use testkit::databases::{Mariadb, Postgresql, Redis};

use crate::dynamic::users;
use crate::tls::Authority;
use crate::world::World;

/// A user by certificate, and where its files are.
struct Holder {
    username: String,
    lease: Value,
    certificate: PathBuf,
    key: PathBuf,
}

impl World {
    async fn holder(&self, role: &str) -> Holder {
        let answer = self.ok("GET", &format!("database/creds/{role}"), Value::Null).await;
        let data = &answer["data"];
        assert!(data.get("password").is_none(), "{answer}");
        assert_eq!(answer["renewable"], false, "the end of a certificate cannot be moved");
        let text = |name: &str| data[name].as_str().unwrap();
        let username = text("username");
        let certificate = self.file(&format!("{username}.crt"), text("client_certificate"));
        let key = self.file(&format!("{username}.key"), text("private_key"));
        Holder {
            username: username.to_owned(),
            lease: answer["lease_id"].clone(),
            certificate,
            key,
        }
    }

    /// A file for its owner alone, as clients want it.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.server.folder().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    async fn end(&self, lease: &Value) {
        self.ok("POST", "sys/leases/revoke", json!({ "lease_id": lease, "sync": true })).await;
    }

    async fn shows_no_key_of(&self, role: &str, authority: &Authority) {
        let shown = self.ok("GET", &format!("database/roles/{role}"), Value::Null).await;
        let config = &shown["data"]["credential_config"];
        assert_eq!(config["ca_cert"], authority.pem.as_str(), "{shown}");
        assert!(config.get("ca_private_key").is_none(), "{shown}");
        let key = authority.key();
        let line = key.lines().nth(1).unwrap();
        assert!(!shown.to_string().contains(line) && !self.server.audit_log().contains(line));
    }
}

fn role(authority: &Authority, creation: &str, key_type: &str) -> Value {
    json!({
        "db_name": "db", "creation_statements": creation, "default_ttl": "1h",
        "credential_type": "client_certificate",
        "credential_config": {
            "common_name_template": "{{.Username}}", "key_type": key_type,
            "ca_cert": authority.pem, "ca_private_key": authority.key(),
        },
    })
}

/// What a client of a database says, or why it is refused.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_lets_in_who_has_a_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("server", "localhost");
    let access = "host all postgres 127.0.0.1/32 scram-sha-256\n\
                  hostssl all all 127.0.0.1/32 cert\n";
    let mut postgresql = Postgresql::start_with("", Some(access));
    for (name, text) in
        [("server.crt", &certificate), ("server.key", &key), ("ca.crt", &authority.pem)]
    {
        postgresql.write(&format!("data/{name}"), text);
    }
    postgresql.query("ALTER SYSTEM SET ssl = on");
    postgresql.query("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
    postgresql.stop();
    postgresql.resume();
    let world = World::with(&postgresql).await;
    let who = |username: &str, holder: &Holder| {
        let mut psql = Command::new("psql");
        psql.args(["-qAtX", "-h", "127.0.0.1", "-U", username, "-d", "postgres"]);
        psql.args(["-p", &postgresql.port.to_string(), "-c", "SELECT session_user"]);
        psql.env("PGSSLMODE", "require").env("PGSSLCERT", &holder.certificate);
        said(psql.env("PGSSLKEY", &holder.key))
    };
    let creation = "CREATE ROLE \"{{name}}\" LOGIN";
    for key_type in ["ec", "rsa", "ed25519"] {
        world.ok("POST", "database/roles/app", role(&authority, creation, key_type)).await;
        let (one, two) = (world.holder("app").await, world.holder("app").await);
        assert_eq!(who(&one.username, &one).as_ref(), Ok(&one.username));
        assert_eq!(who(&two.username, &two).as_ref(), Ok(&two.username));
        let error = who(&one.username, &two).unwrap_err();
        assert!(error.contains("certificate authentication failed"), "{error}");
        world.end(&one.lease).await;
        assert!(who(&one.username, &one).is_err());
        assert!(who(&two.username, &two).is_ok(), "only one has ended");
        world.end(&two.lease).await;
        assert_eq!(users(&postgresql), "0");
    }
    world.shows_no_key_of("app", &authority).await;
    // An authority that the database does not trust.
    world.ok("POST", "database/roles/app", role(&other, creation, "ec")).await;
    let holder = world.holder("app").await;
    let error = who(&holder.username, &holder).unwrap_err();
    assert!(error.contains("unknown ca"), "{error}");
    // A statement with a password that nobody has made would give everybody one.
    let creation = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{ password }}'";
    world.ok("POST", "database/roles/app", role(&authority, creation, "ec")).await;
    let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
    assert!(status == 400 && error.starts_with("creation_statements have {{password}}"), "{error}");
    assert_eq!(users(&postgresql), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_lets_in_who_has_the_right_subject() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("server", "localhost");
    let mariadb = Mariadb::start_with(
        &["--ssl-ca=ca.crt", "--ssl-cert=server.crt", "--ssl-key=server.key"],
        &[("ca.crt", &authority.pem), ("server.crt", &certificate), ("server.key", &key)],
    );
    let world = World::start().await;
    let connection = json!({
        "plugin_name": "mysql-database-plugin", "connection_url": mariadb.url(),
        "username": Mariadb::ADMIN, "password": Mariadb::PASSWORD, "allowed_roles": "*",
    });
    world.ok("POST", "database/config/db", connection).await;
    let who = |username: &str, holder: Option<&Holder>| {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1", "-BN", "-u", username]);
        client.args(["-P", &mariadb.port.to_string(), "-e", "SELECT user()", "--ssl"]);
        if let Some(holder) = holder {
            client.arg("--ssl-cert").arg(&holder.certificate).arg("--ssl-key").arg(&holder.key);
        }
        said(&mut client)
    };
    let creation = "CREATE USER '{{name}}'@'%' REQUIRE SUBJECT '/{{subject}}'";
    for key_type in ["rsa", "ec"] {
        world.ok("POST", "database/roles/app", role(&authority, creation, key_type)).await;
        let (one, two) = (world.holder("app").await, world.holder("app").await);
        let name = who(&one.username, Some(&one)).unwrap();
        assert_eq!(name.split('@').next(), Some(one.username.as_str()));
        assert!(who(&one.username, Some(&two)).unwrap_err().contains("Access denied"));
        assert!(who(&one.username, None).unwrap_err().contains("Access denied"));
        world.end(&one.lease).await;
        assert!(who(&one.username, Some(&one)).is_err());
        assert!(who(&two.username, Some(&two)).is_ok(), "only one has ended");
    }
    world.shows_no_key_of("app", &authority).await;
    // A user who needs nothing to log in.
    let creation = "CREATE USER '{{name}}'@'%'";
    world.ok("POST", "database/roles/app", role(&authority, creation, "ec")).await;
    let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
    assert!(status == 400 && error.contains("no {{subject}} in them"), "{error}");
}

/// No database logs anybody in by an RSA key; its statements may do something with it all the same.
#[tokio::test(flavor = "multi_thread")]
async fn statements_are_told_of_public_keys() {
    let postgresql = Postgresql::start();
    let world = World::with(&postgresql).await;
    postgresql.query("CREATE TABLE keys (name text, key text)");
    let body = |creation: &str| {
        json!({
            "db_name": "db", "credential_type": "rsa_private_key", "creation_statements": creation,
            "revocation_statements":
                "DELETE FROM keys WHERE name = '{{name}}'; DROP ROLE \"{{name}}\"",
        })
    };
    let creation =
        "CREATE ROLE \"{{name}}\"; INSERT INTO keys VALUES ('{{name}}', '{{public_key}}')";
    world.ok("POST", "database/roles/app", body(creation)).await;
    let answer = world.ok("GET", "database/creds/app", Value::Null).await;
    let (data, lease) = (&answer["data"], &answer["lease_id"]);
    let username = data["username"].as_str().unwrap();
    assert_eq!(data.as_object().unwrap().len(), 2, "{data}");
    let private = world.file("private.pem", data["rsa_private_key"].as_str().unwrap());
    let mut openssl = Command::new("sh");
    openssl.args(["-c", "openssl pkey -in \"$0\" -pubout -outform DER | base64 -w0"]);
    let public = said(openssl.arg(&private)).unwrap();
    assert_eq!(postgresql.query("SELECT * FROM keys"), format!("{username}|{public}"));
    let renewed = world.ok("POST", "sys/leases/renew", json!({ "lease_id": lease })).await;
    assert_eq!(renewed["renewable"], true);
    world.end(lease).await;
    assert_eq!(
        (postgresql.query("SELECT count(*) FROM keys"), users(&postgresql)),
        ("0".into(), "0".into())
    );

    for (creation, fault) in [
        ("CREATE ROLE \"{{name}}\"", "unsupported credential_type: \"rsa_private_key\""),
        (
            "CREATE ROLE \"{{name}}\" PASSWORD '{{password}}'; SELECT '{{public_key}}'",
            "creation_statements have {{password}} in them",
        ),
        // There it would be unsafe.
        ("SELECT E'{{public_key}}'", "{{public_key}} stands in a comment or in special quotes"),
    ] {
        world.ok("POST", "database/roles/app", body(creation)).await;
        let (status, error) = world.fails("GET", "database/creds/app", Value::Null).await;
        assert!(status == 400 && error.contains(fault), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_database_cannot_take_is_refused() {
    let (redis, postgresql) = (Redis::start(), Postgresql::start());
    let (world, authority) = (World::with(&postgresql).await, Authority::new());
    let connection = json!({
        "plugin_name": "valkey-database-plugin", "host": "127.0.0.1", "port": redis.port,
        "username": Redis::ADMIN, "password": Redis::PASSWORD, "allowed_roles": "*",
    });
    let certificate = role(&authority, "+@read", "ec");
    let mut key = json!({ "db_name": "redis", "credential_type": "rsa_private_key" });
    let mut moved = certificate.clone();
    moved["db_name"] = json!("redis");
    // The connection is made later: then it is found out by who asks for a user.
    world.ok("POST", "database/roles/early", moved.clone()).await;
    world.ok("POST", "database/config/redis", connection).await;
    let fault = "unsupported credential_type: \"client_certificate\"";
    for (method, path, body) in [("POST", "roles/late", moved), ("GET", "creds/early", Value::Null)]
    {
        let (status, error) = world.fails(method, &format!("database/{path}"), body).await;
        assert_eq!((status, error.as_str()), (400, fault), "{path}");
    }
    let (_, error) = world.fails("POST", "database/roles/late", key.clone()).await;
    assert_eq!(error, "unsupported credential_type: \"rsa_private_key\"");
    // Of users that stay only passwords are changed.
    key["db_name"] = json!("db");
    for (mut body, kind) in [(key, "rsa_private_key"), (certificate, "client_certificate")] {
        body.as_object_mut().unwrap().remove("creation_statements");
        (body["username"], body["rotation_period"]) = (json!("one"), json!("1h"));
        let (status, error) = world.fails("POST", "database/static-roles/one", body).await;
        let fault = format!("unsupported credential_type: {kind:?}");
        assert_eq!((status, error), (400, fault));
    }
    // Two leases with one name could stand in for each other.
    let mut shared = role(&authority, "CREATE ROLE \"{{name}}\" LOGIN", "ec");
    shared["credential_config"]["common_name_template"] = json!("{{.RoleName}}");
    let (status, error) = world.fails("POST", "database/roles/shared", shared).await;
    assert!(status == 400 && error.contains("gives different users the same name"), "{error}");
}
