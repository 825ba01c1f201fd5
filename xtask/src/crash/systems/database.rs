use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use test_databases::{Mariadb, Postgresql};

use super::{STATIC_ROLE, System, text};
use crate::Result;
use crate::crash::scene::Act;
use crate::http::Client;

/// What is different from database to database.
trait Database: Sync {
    const NAME: &str;
    /// Who was there first.
    const ADMINISTRATOR: (&str, &str);

    fn port(&self) -> u16;

    /// The fields of a connection, but for the administrator.
    fn connection(&self, through: SocketAddr) -> Value;

    fn creation(&self) -> Value;

    fn add(&self, name: &str, administrates: bool) -> Result<()>;

    fn log_in(&self, username: &str, password: &str) -> Result<()>;

    /// The names of all users.
    fn users(&self) -> Result<String>;
}

/// Of the accounts that are made here.
const PASSWORD: &str = "first";

const ACTS: [Act; 9] = [
    Act::Issue,
    Act::Renew,
    Act::Revoke,
    Act::Expire,
    Act::Adopt,
    Act::Rotate,
    Act::Alternate,
    Act::Retire,
    Act::RotateRoot,
];

impl<D: Database> System for D {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    fn acts(&self) -> &'static [Act] {
        &ACTS
    }

    fn add_administrator(&self, name: &str) -> Result<()> {
        self.add(name, true)
    }

    fn add_account(&self, name: &str) -> Result<()> {
        self.add(name, false)
    }

    fn mount(
        &self,
        client: &mut Client,
        mount: &str,
        through: SocketAddr,
        administrator: Option<&str>,
        ttl: &str,
    ) -> Result<()> {
        let path = format!("/v1/sys/mounts/{mount}");
        client.expect("POST", &path, &json!({"type": "database"}))?;
        let (username, password) =
            administrator.map_or(D::ADMINISTRATOR, |administrator| (administrator, PASSWORD));
        let mut connection = self.connection(through);
        connection["allowed_roles"] = json!("*");
        connection["username"] = json!(username);
        connection["password"] = json!(password);
        client.expect("POST", &format!("/v1/{mount}/config/db"), &connection)?;
        let role = json!({
            "db_name": "db", "creation_statements": self.creation(), "default_ttl": ttl,
        });
        client.expect("POST", &format!("/v1/{mount}/roles/{mount}"), &role).map(drop)
    }

    fn static_role(
        &self,
        client: &mut Client,
        mount: &str,
        accounts: &[String],
        grace_period: &str,
    ) -> Result<()> {
        let mut role = json!({"db_name": "db", "rotation_period": "24h"});
        match accounts {
            [account] => role["username"] = json!(account),
            accounts => {
                role["usernames"] = json!(accounts);
                role["grace_period"] = json!(grace_period);
            }
        }
        client.expect("POST", &format!("/v1/{mount}/static-roles/{STATIC_ROLE}"), &role).map(drop)
    }

    fn rotate_root(&self) -> &'static str {
        "rotate-root/db"
    }

    fn log_in(&self, credential: &Value) -> Result<()> {
        Database::log_in(self, &text(credential, "username"), &text(credential, "password"))
    }

    fn made(&self) -> Result<Vec<String>> {
        let is_made = |name: &&str| name.starts_with("v-") || name.starts_with("V_");
        Ok(self.users()?.lines().filter(is_made).map(str::to_owned).collect())
    }
}

pub(crate) struct Postgres(pub(crate) Postgresql);

impl Database for Postgres {
    const NAME: &str = "PostgreSQL";
    const ADMINISTRATOR: (&str, &str) = (Postgresql::ADMIN, Postgresql::PASSWORD);

    fn port(&self) -> u16 {
        self.0.port
    }

    fn connection(&self, through: SocketAddr) -> Value {
        let url = format!(
            "postgresql://{{{{username}}}}:{{{{password}}}}@{through}/postgres?sslmode=disable"
        );
        json!({"plugin_name": "postgresql-database-plugin", "connection_url": url})
    }

    fn creation(&self) -> Value {
        json!(
            r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"#
        )
    }

    fn add(&self, name: &str, administrates: bool) -> Result<()> {
        let more = if administrates { "SUPERUSER" } else { "" };
        let sql = format!("CREATE ROLE \"{name}\" LOGIN {more} PASSWORD '{PASSWORD}'");
        self.query(&sql).map(drop)
    }

    fn log_in(&self, username: &str, password: &str) -> Result<()> {
        self.0.query_as(username, password, "SELECT 1").map(drop)
    }

    fn users(&self) -> Result<String> {
        self.query("SELECT rolname FROM pg_roles")
    }
}

impl Postgres {
    fn query(&self, sql: &str) -> Result<String> {
        self.0.query_as(Postgresql::ADMIN, Postgresql::PASSWORD, sql)
    }
}

pub(crate) struct Mysql(pub(crate) Mariadb);

impl Database for Mysql {
    const NAME: &str = "MariaDB";
    const ADMINISTRATOR: (&str, &str) = (Mariadb::ADMIN, Mariadb::PASSWORD);

    fn port(&self) -> u16 {
        self.0.port
    }

    fn connection(&self, through: SocketAddr) -> Value {
        let url = format!("{{{{username}}}}:{{{{password}}}}@tcp({through})/");
        json!({"plugin_name": "mysql-database-plugin", "connection_url": url})
    }

    fn creation(&self) -> Value {
        json!(
            "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; \
             GRANT SELECT ON app.* TO '{{name}}'@'%'"
        )
    }

    fn add(&self, name: &str, administrates: bool) -> Result<()> {
        let mut sql = format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}';");
        if administrates {
            sql.push_str(&format!("GRANT ALL ON *.* TO '{name}'@'%' WITH GRANT OPTION"));
        }
        self.query(&sql).map(drop)
    }

    fn log_in(&self, username: &str, password: &str) -> Result<()> {
        self.0.query_as(username, password, "SELECT 1").map(drop)
    }

    fn users(&self) -> Result<String> {
        self.query("SELECT User FROM mysql.user")
    }
}

impl Mysql {
    fn query(&self, sql: &str) -> Result<String> {
        self.0.query_as(Mariadb::ADMIN, Mariadb::PASSWORD, sql)
    }
}

pub(crate) struct Redis(pub(crate) test_databases::Redis);

impl Database for Redis {
    const NAME: &str = "Redis";
    const ADMINISTRATOR: (&str, &str) =
        (test_databases::Redis::ADMIN, test_databases::Redis::PASSWORD);

    fn port(&self) -> u16 {
        self.0.port
    }

    fn connection(&self, through: SocketAddr) -> Value {
        json!({
            "plugin_name": "redis-database-plugin", "host": through.ip().to_string(),
            "port": through.port(),
        })
    }

    fn creation(&self) -> Value {
        json!(["+@all", "~*"])
    }

    fn add(&self, name: &str, _: bool) -> Result<()> {
        let secret = format!(">{PASSWORD}");
        self.command(&["ACL", "SETUSER", name, "ON", &secret, "+@all", "~*"]).map(drop)
    }

    fn log_in(&self, username: &str, password: &str) -> Result<()> {
        self.0.command_as(username, password, &["PING"]).map(drop)
    }

    fn users(&self) -> Result<String> {
        self.command(&["ACL", "USERS"])
    }
}

impl Redis {
    fn command(&self, words: &[&str]) -> Result<String> {
        self.0.command_as(test_databases::Redis::ADMIN, test_databases::Redis::PASSWORD, words)
    }
}
