use serde_json::{Value, json};
use testkit::TestServer;
use testkit::databases::Postgresql;

/// A server with the engine at `database/`.
pub(crate) struct World {
    pub(crate) server: TestServer,
}

pub(crate) const CREATE: &str =
    r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"#;

impl World {
    pub(crate) async fn start() -> Self {
        let world = Self { server: testkit::server().await };
        world.ok("POST", "sys/mounts/database", json!({ "type": "database" })).await;
        world
    }

    /// The same with a connection `db` that every role may use.
    pub(crate) async fn with(postgresql: &Postgresql) -> Self {
        let world = Self::start().await;
        world.ok("POST", "database/config/db", connection(postgresql)).await;
        world
    }

    /// A request that must work, and its answer.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = self.server.call(method, path, &self.server.root, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// A request that must fail, and how.
    pub(crate) async fn fails(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = self.server.call(method, path, &self.server.root, body).await;
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        (answer.status, answer.error())
    }

    pub(crate) async fn role(&self, name: &str, creation: &str) {
        let body = json!({ "db_name": "db", "creation_statements": creation, "default_ttl": "1h" });
        self.ok("POST", &format!("database/roles/{name}"), body).await;
    }

    /// How many leases of a role are left.
    pub(crate) async fn leases(&self, role: &str) -> usize {
        let list = format!("sys/leases/lookup/database/creds/{role}");
        let answer = self.server.call("LIST", &list, &self.server.root, None).await;
        match answer.status {
            404 => 0,
            200 => answer.json()["data"]["keys"].as_array().unwrap().len(),
            _ => panic!("{list}: {answer:?}"),
        }
    }

    pub(crate) async fn creds(&self, role: &str) -> Creds {
        let answer = self.ok("GET", &format!("database/creds/{role}"), Value::Null).await;
        Creds::of(&answer)
    }
}

pub(crate) fn connection(postgresql: &Postgresql) -> Value {
    json!({
        "plugin_name": "postgresql-database-plugin",
        "connection_url": postgresql.url(),
        "username": Postgresql::ADMIN,
        "password": Postgresql::PASSWORD,
        "allowed_roles": "*",
    })
}

/// A user with a lease.
#[derive(Debug)]
pub(crate) struct Creds {
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) lease: String,
    pub(crate) seconds: u64,
}

impl Creds {
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            username: text(&answer["data"]["username"]),
            password: text(&answer["data"]["password"]),
            lease: text(&answer["lease_id"]),
            seconds: answer["lease_duration"].as_u64().unwrap(),
        }
    }
}

/// Waits for a state that comes by itself.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it never happens that {what}");
}
