//! The same requests to a real OpenBao and to ours, with the same databases.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use testkit::databases::{Mariadb, Postgresql, Redis};

use crate::tls::Authority;
use crate::world::{CREATE, World, until};

/// The real command line, which is the real server too.
pub(crate) fn program() -> PathBuf {
    let stamp = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/installed");
    let installed = std::fs::read_to_string(stamp)
        .expect("OpenBao is missing: `cargo xtask setup` installs it");
    installed.lines().last().unwrap().trim().into()
}

/// A development server that ends with its test.
struct Openbao {
    child: Child,
    address: String,
}

impl Openbao {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(program());
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id=root"]);
        command.arg(format!("-dev-listen-address={address}"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, address };
        until("OpenBao answers", || async { server.call("GET", "sys/health", None).0 == 200 })
            .await;
        server
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-w", "\n%{http_code}", "-H", "X-Vault-Token: root", "-X", method]);
        if let Some(body) = body {
            curl.args(["-d", &body.to_string()]);
        }
        let output = curl.arg(format!("http://{}/v1/{path}", self.address)).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        (status.parse().unwrap_or(0), serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Openbao {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What must be alike of an answer.
fn shown(status: u16, body: &Value) -> Value {
    // A fault of the caller is one here; there some are said to be the server's.
    let status = if status == 500 { 400 } else { status };
    let errors: Vec<String> = body["errors"].as_array().into_iter().flatten().map(plain).collect();
    json!({ "status": status, "errors": errors, "data": volatile(&body["data"]),
        "renewable": body["renewable"], "duration": body["lease_duration"] })
}

fn plain(error: &Value) -> String {
    let text = error.as_str().unwrap_or_default();
    text.replace("1 error occurred:\n\t* ", "").trim_end().to_owned()
}

/// Generated texts by their form: every letter and digit stands for any of its kind.
fn volatile(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let form = |name: &str, value: &Value| match (name, value.as_str()) {
                ("password", Some(text)) => json!(format!("{} characters", text.len())),
                ("username", Some(text)) if text.len() > 15 => json!(form_of(text)),
                ("last_vault_rotation", Some(_)) => json!("a time"),
                _ => volatile(value),
            };
            // Only ours tells when the next rotation is, and only theirs the key of an authority.
            let differing = ["next_vault_rotation", "ca_private_key"];
            let alike = fields.iter().filter(|(name, _)| !differing.contains(&name.as_str()));
            alike.map(|(name, value)| (name.clone(), form(name, value))).collect()
        }
        value => value.clone(),
    }
}

/// A generated name without what is random in it.
fn form_of(name: &str) -> String {
    let separator = if name.contains('-') { '-' } else { '_' };
    let is_random = |part: &str| part.len() > 5 && part.contains(|c: char| !c.is_ascii_lowercase());
    let parts = name.split(separator);
    let parts =
        parts.map(|part| if is_random(part) { part.len().to_string() } else { part.into() });
    parts.collect::<Vec<_>>().join("/")
}

/// Sends everything to both, and fails with all differences at once.
async fn compare(world: &World, theirs: &Openbao, steps: &[(&str, &str, Value)]) {
    let mut differences = Vec::new();
    // The root token of a development server is called "token", as all that is made with another.
    let made = world.ok("POST", "auth/token/create", json!({ "policies": ["root"] })).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    for (method, path, body) in steps {
        let body = Some(body).filter(|body| !body.is_null());
        let (status, text) = theirs.call(method, path, body);
        let answer = world.server.call(method, path, token, body.cloned()).await;
        let (theirs, ours) = (shown(status, &text), shown(answer.status, &answer.json()));
        if theirs != ours {
            differences
                .push(format!("{method} {path} {body:?}\n  theirs {theirs}\n  ours   {ours}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_answers_alike() {
    let postgresql = Postgresql::start();
    let (world, theirs) = (World { server: testkit::server().await }, Openbao::start().await);
    let url = postgresql.url();
    let config = |fields: Value| {
        let mut body = crate::world::connection(&postgresql);
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let role = |fields: Value| {
        let mut body = json!({ "db_name": "db", "creation_statements": [CREATE] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let none = Value::Null;
    let plugin = "postgresql-database-plugin";
    compare(&world, &theirs, &[
        ("POST", "sys/mounts/database", json!({ "type": "database" })),
        ("LIST", "database/config", none.clone()),
        ("GET", "database/config/db", none.clone()),
        ("POST", "database/config/db", json!({})),
        ("POST", "database/config/db", json!({ "plugin_name": plugin })),
        ("POST", "database/config/db", config(json!({ "allowed_roles": "r*,exact", "max_open_connections": 3, "foo": "bar" }))),
        ("GET", "database/config/db", none.clone()),
        ("POST", "database/config/db", json!({ "verify_connection": false, "max_connection_lifetime": "5s",
            "root_rotation_statements": ["ALTER ROLE a"], "password_policy": "none" })),
        ("GET", "database/config/db", none.clone()),
        ("POST", "database/config/db", json!({ "password_policy": "", "root_rotation_statements": [] })),
        ("POST", "database/config/direct", json!({ "plugin_name": plugin, "verify_connection": false,
            "connection_url": "postgresql://u:pw@h/db?sslmode=disable" })),
        ("GET", "database/config/direct", none.clone()),
        ("LIST", "database/config", none.clone()),
        ("GET", "database/config", none.clone()),
        ("POST", "database/reset/none", json!({})),
        ("POST", "database/reset/db", json!({})),
        ("GET", "database/reset/db", none.clone()),
        ("POST", "database/rotate-root/none", json!({})),
        ("POST", "database/rotate-root/direct", json!({})),
        ("LIST", "database/roles", none.clone()),
        ("GET", "database/roles/none", none.clone()),
        ("POST", "database/roles/r1", json!({})),
        ("POST", "database/roles/r1", json!({ "db_name": "db" })),
        ("GET", "database/roles/r1", none.clone()),
        ("GET", "database/creds/r1", none.clone()),
        ("POST", "database/roles/r1", role(json!({ "default_ttl": "1h", "max_ttl": 86400 }))),
        ("GET", "database/roles/r1", none.clone()),
        ("GET", "database/creds/r1", none.clone()),
        ("POST", "database/creds/r1", json!({})),
        ("GET", "database/creds/none", none.clone()),
        ("LIST", "database/roles", none.clone()),
        ("POST", "database/roles/other", role(json!({ "db_name": "none" }))),
        ("GET", "database/creds/other", none.clone()),
        ("POST", "database/roles/not", role(json!({}))),
        ("GET", "database/creds/not", none.clone()),
        ("POST", "database/roles/r2", role(json!({ "creation_statements": "garbage" }))),
        ("GET", "database/creds/r2", none.clone()),
        ("POST", "database/roles/r2", role(json!({ "credential_type": "foo" }))),
        ("POST", "database/roles/r2", role(json!({ "credential_type": "rsa_private_key" }))),
        ("GET", "database/roles/r2", none.clone()),
        ("GET", "database/creds/r2", none.clone()),
        ("POST", "database/roles/r2", role(json!({ "credential_type": "rsa_private_key", "credential_config": { "key_bits": 100 } }))),
        ("POST", "database/roles/r3", role(json!({ "credential_config": { "password_policy": "none" } }))),
        ("GET", "database/roles/r3", none.clone()),
        ("GET", "database/creds/r3", none.clone()),
        ("POST", "database/config/db", config(json!({ "connection_url": url, "username_template": "{{.RoleName | uppercase}}-who-x-{{random 20}}-{{unix_time}}" }))),
        ("GET", "database/creds/r1", none.clone()),
        ("DELETE", "database/roles/none", none.clone()),
        ("DELETE", "database/roles/r1", none.clone()),
        ("DELETE", "database/config/none", none.clone()),
        ("DELETE", "database/config/db", none.clone()),
        ("GET", "database", none.clone()),
        ("GET", "database/nothing", none.clone()),
    ]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn static_roles_answer_alike() {
    let postgresql = Postgresql::start();
    postgresql.query("CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'p'");
    let (world, theirs) = (World { server: testkit::server().await }, Openbao::start().await);
    let (none, path) = (Value::Null, "database/static-roles/one");
    let one = |fields: Value| {
        let mut body = json!({ "db_name": "db", "username": "one", "rotation_period": "24h" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    compare(
        &world,
        &theirs,
        &[
            ("POST", "sys/mounts/database", json!({ "type": "database" })),
            ("POST", "database/config/db", crate::world::connection(&postgresql)),
            ("LIST", "database/static-roles", none.clone()),
            ("GET", path, none.clone()),
            ("GET", "database/static-creds/one", none.clone()),
            ("POST", path, json!({})),
            ("POST", path, json!({ "db_name": "db" })),
            ("POST", path, json!({ "db_name": "db", "username": "one" })),
            ("POST", path, one(json!({ "rotation_period": "2s" }))),
            ("POST", path, one(json!({ "db_name": "none" }))),
            ("POST", path, one(json!({ "username": "nobody" }))),
            ("GET", path, none.clone()),
            ("POST", path, one(json!({}))),
            ("GET", path, none.clone()),
            ("GET", "database/static-creds/one", none.clone()),
            ("POST", path, one(json!({ "username": "two" }))),
            ("POST", path, json!({ "username": "one", "rotation_period": "12h" })),
            ("GET", path, none.clone()),
            ("GET", "database/static-creds/one", none.clone()),
            (
                "POST",
                "database/static-roles/two",
                json!({ "db_name": "db", "username": "two", "rotation_period": 60,
            "rotation_statements": ["ALTER USER \"{{username}}\" PASSWORD '{{password}}'"],
            "credential_config": { "password_policy": "" } }),
            ),
            ("GET", "database/static-roles/two", none.clone()),
            ("LIST", "database/static-roles", none.clone()),
            ("POST", "database/rotate-role/none", json!({})),
            ("POST", "database/rotate-role/one", none.clone()),
            (
                "POST",
                "database/roles/one",
                json!({ "db_name": "db", "creation_statements": CREATE }),
            ),
            (
                "POST",
                "database/roles/role",
                json!({ "db_name": "db", "creation_statements": CREATE }),
            ),
            (
                "POST",
                "database/static-roles/role",
                json!({ "db_name": "db", "username": "keeper", "rotation_period": 60 }),
            ),
            ("POST", "database/rotate-role/role", json!({})),
            ("GET", "database/static-creds/role", none.clone()),
            ("GET", "database/creds/one", none.clone()),
            ("DELETE", path, none.clone()),
            ("DELETE", "database/static-roles/none", none.clone()),
            ("GET", path, none.clone()),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credential_types_answer_alike() {
    let (postgresql, authority) = (Postgresql::start(), Authority::new());
    let (world, theirs) = (World { server: testkit::server().await }, Openbao::start().await);
    let path = "database/roles/r";
    let certificate = |fields: Value| {
        let mut config = json!({
            "common_name_template": "{{random 9}}", "key_type": "ec",
            "ca_cert": authority.pem, "ca_private_key": authority.key(),
        });
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({ "db_name": "db", "credential_type": "client_certificate", "credential_config": config })
    };
    let key = |config: Value| json!({ "db_name": "db", "credential_type": "rsa_private_key", "credential_config": config });
    let mut steps = vec![
        ("POST", "sys/mounts/database", json!({ "type": "database" })),
        ("POST", "database/config/db", crate::world::connection(&postgresql)),
        ("POST", path, json!({ "db_name": "db", "credential_type": "client_certificate" })),
        ("GET", path, Value::Null),
    ];
    let changes = [
        json!({ "key_type": "dsa" }),
        json!({ "key_type": "dsa", "ca_cert": "" }),
        json!({ "key_bits": 2048, "common_name_template": "" }),
        json!({ "signature_bits": 1, "common_name_template": "" }),
        json!({ "common_name_template": "", "ca_cert": "" }),
        json!({ "ca_cert": "", "ca_private_key": "" }),
        json!({ "ca_private_key": "" }),
        json!({ "ca_cert": "garbage" }),
        json!({ "ca_private_key": "garbage" }),
        json!({}),
        json!({ "key_bits": "384", "signature_bits": "512" }),
        json!({ "key_type": "rsa" }),
        json!({ "key_type": "rsa", "key_bits": 4096, "signature_bits": 384 }),
        json!({ "key_type": "ed25519" }),
    ];
    for change in changes {
        steps.extend([("POST", path, certificate(change)), ("GET", path, Value::Null)]);
    }
    for config in [json!({ "key_bits": 3072 }), json!({}), json!({ "format": "pkcs1" })] {
        steps.extend([("POST", path, key(config)), ("GET", path, Value::Null)]);
    }
    // Theirs keeps the configuration of the type before when another type is given; ours does not.
    steps.extend([("POST", path, json!({ "max_ttl": "1h" })), ("GET", path, Value::Null)]);
    compare(&world, &theirs, &steps).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_answers_alike() {
    let mariadb = Mariadb::start();
    let (world, theirs) = (World { server: testkit::server().await }, Openbao::start().await);
    let config = |plugin: &str| {
        json!({ "plugin_name": plugin, "connection_url": mariadb.url(),
        "username": Mariadb::ADMIN, "password": Mariadb::PASSWORD, "allowed_roles": "*" })
    };
    let role = |db: &str| {
        json!({ "db_name": db, "creation_statements":
        "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON *.* TO '{{name}}'@'%';" })
    };
    let none = Value::Null;
    compare(
        &world,
        &theirs,
        &[
            ("POST", "sys/mounts/database", json!({ "type": "database" })),
            ("POST", "database/config/db", json!({ "plugin_name": "mysql-database-plugin" })),
            ("POST", "database/config/db", config("mysql-database-plugin")),
            ("GET", "database/config/db", none.clone()),
            ("POST", "database/config/old", config("mysql-legacy-database-plugin")),
            ("POST", "database/config/rds", config("mysql-rds-database-plugin")),
            ("POST", "database/config/aurora", config("mysql-aurora-database-plugin")),
            ("POST", "database/roles/averylongname", role("db")),
            ("GET", "database/creds/averylongname", none.clone()),
            ("POST", "database/roles/oldlongname", role("old")),
            ("GET", "database/creds/oldlongname", none.clone()),
            ("POST", "database/roles/rdslongname", role("rds")),
            ("GET", "database/creds/rdslongname", none.clone()),
            ("POST", "database/roles/auroralongname", role("aurora")),
            ("GET", "database/creds/auroralongname", none.clone()),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_answers_alike() {
    let redis = Redis::start();
    let (world, theirs) = (World { server: testkit::server().await }, Openbao::start().await);
    let config = |fields: Value| {
        let mut body = json!({ "plugin_name": "valkey-database-plugin", "host": "127.0.0.1", "port": redis.port,
            "username": Redis::ADMIN, "password": Redis::PASSWORD, "allowed_roles": "*" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        body
    };
    let none = Value::Null;
    compare(
        &world,
        &theirs,
        &[
            ("POST", "sys/mounts/database", json!({ "type": "database" })),
            ("POST", "database/config/db", config(json!({ "password": "wrong" }))),
            ("POST", "database/config/db", config(json!({ "port": 0 }))),
            ("POST", "database/config/db", config(json!({ "host": "" }))),
            ("POST", "database/config/db", config(json!({ "username": "" }))),
            ("POST", "database/config/db", config(json!({}))),
            ("GET", "database/config/db", none.clone()),
            (
                "POST",
                "database/config/other",
                config(json!({ "plugin_name": "redis-database-plugin" })),
            ),
            (
                "POST",
                "database/roles/app",
                json!({ "db_name": "db", "creation_statements": "[\"+@admin\",\"~*\"]" }),
            ),
            ("GET", "database/roles/app", none.clone()),
            ("GET", "database/creds/app", none.clone()),
            ("POST", "database/roles/plain", json!({ "db_name": "db" })),
            ("GET", "database/creds/plain", none.clone()),
            (
                "POST",
                "database/roles/bad",
                json!({ "db_name": "db", "creation_statements": ["+@nothing"] }),
            ),
            ("GET", "database/creds/bad", none.clone()),
        ],
    )
    .await;
}
