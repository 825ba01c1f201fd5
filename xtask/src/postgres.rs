use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use test_databases::Postgresql;

use crate::server::Server;
use crate::{Result, setup};

/// A PostgreSQL server of our own, and what an engine is told about it.
pub(crate) struct Postgres {
    pub(crate) address: SocketAddr,
    server: Postgresql,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        setup::postgres()?;
        let server = Postgresql::start();
        Ok(Self { address: (Ipv4Addr::LOCALHOST, server.port).into(), server })
    }

    /// Gives the engine of a server a connection `db` to this database, and a role whose users live
    /// as long as `default_ttl` and `max_ttl` say.
    pub(crate) fn connect(
        &self,
        server: &Server,
        role: &str,
        [default_ttl, max_ttl]: [&str; 2],
    ) -> Result<()> {
        let mut client = server.client();
        client.expect("POST", "/v1/sys/mounts/database", &json!({"type": "database"}))?;
        let connection = json!({
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*",
            "connection_url": self.server.url(), "max_open_connections": 16,
            "username": Postgresql::ADMIN, "password": Postgresql::PASSWORD,
        });
        client.expect("POST", "/v1/database/config/db", &connection)?;
        let create =
            r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"#;
        let body = json!({
            "db_name": "db", "creation_statements": create,
            "default_ttl": default_ttl, "max_ttl": max_ttl,
        });
        client.expect("POST", &format!("/v1/database/roles/{role}"), &body).map(drop)
    }

    /// What tells PostgreSQL's own clients where it is and who connects: the administrator.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("PGHOST", self.address.ip().to_string()),
            ("PGPORT", self.address.port().to_string()),
            ("PGDATABASE", "postgres".to_owned()),
            ("PGUSER", Postgresql::ADMIN.to_owned()),
            ("PGPASSWORD", Postgresql::PASSWORD.to_owned()),
        ]
    }

    /// Runs `sql` as the administrator and returns the rows, one a line, columns separated by `|`.
    pub(crate) fn query(&self, sql: &str) -> Result<String> {
        self.query_as(Postgresql::ADMIN, Postgresql::PASSWORD, sql)
    }

    pub(crate) fn query_as(&self, user: &str, password: &str, sql: &str) -> Result<String> {
        self.server.query_as(user, password, sql)
    }
}
