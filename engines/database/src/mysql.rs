//! MySQL and MariaDB.

mod target;

use std::sync::Arc;

use base_types::{BoxFuture, Error, ErrorKind, Result, Secret, Timestamp};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::details::Details;
use crate::driver::{Driver, Login, NewUser, without_password};
use crate::pool::{Pool, Pooled, connecting, working_or_stopped};
use crate::proof::Proof;
use crate::sql::{self, About, Dialect, Told, Value, mentions};

pub(crate) const USERNAME_TEMPLATE: &str = r#"{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 10) (.RoleName | truncate 10) (random 20) (unix_time) | truncate 32 }}"#;
/// For servers that take 16 characters.
pub(crate) const LEGACY_USERNAME_TEMPLATE: &str =
    r#"{{ printf "v-%s-%s" (.RoleName | truncate 4) (random 20) | truncate 16 }}"#;

const SET_PASSWORD: &str = "ALTER USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'";

struct Mysql {
    target: Opts,
    pool: Pool<Conn>,
}

pub(crate) fn open(details: &Details) -> Result<Arc<dyn Driver>> {
    let target = target::read(details)?;
    let opts = target.clone();
    let pool = Pool::new(details.limits(), move || {
        let opts = opts.clone();
        Box::pin(async move { Conn::new(opts).await.map_err(|error| unreachable(&error)) })
    });
    Ok(Arc::new(Mysql { target, pool }))
}

impl Pooled for Conn {
    fn is_alive(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async { self.ping().await.is_ok() })
    }
}

impl Driver for Mysql {
    fn verify(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            let ping = async |connection: &mut Conn| {
                connection.ping().await.map_err(|error| refused(&error))
            };
            self.work(ping).await
        })
    }

    fn create_user<'a>(
        &'a self,
        scripts: &'a [String],
        user: NewUser<'a>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let NewUser { username, proof, expires } = user;
            if scripts.is_empty() {
                return Err(Error::invalid("empty creation statements"));
            }
            let is_by_certificate = matches!(proof, Proof::Certificate(_));
            if is_by_certificate && !scripts.iter().any(|script| mentions(script, "subject")) {
                return Err(Error::invalid(
                    "creation_statements have no {{subject}} in them, and MySQL would let in who has \
                     no certificate: write REQUIRE SUBJECT '/{{subject}}'",
                ));
            }
            let expiration = expiration(expires)?;
            let (told, expiration) = (Some(proof.told()), Some(expiration.as_str()));
            let done = self.execute(scripts, About { username, proof: told, expiration }).await;
            done.map_err(|error| without_password(error, proof.password()))
        })
    }

    /// A user here has no end of its own that were to be moved.
    fn renew_user<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let expiration = expiration(expires)?;
            let expiration = Some(expiration.as_str());
            self.execute(scripts, About { username, proof: None, expiration }).await
        })
    }

    fn revoke_user<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if !scripts.is_empty() {
                let about = About { username, proof: None, expiration: None };
                let done = self.execute(scripts, about).await;
                if let Err(error) = &done
                    && error.is(ErrorKind::Invalid)
                    && !self.exists(username).await?
                {
                    return Ok(());
                }
                return done;
            }
            self.work(async |connection| drop_user(connection, username).await).await
        })
    }

    fn set_password<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let own = [SET_PASSWORD.to_owned()];
            let scripts = if scripts.is_empty() { &own } else { scripts };
            let proof = Some(Told::Password(password.expose()));
            let done = self.execute(scripts, About { username, proof, expiration: None }).await;
            done.map_err(|error| without_password(error, Some(password)))
        })
    }

    fn check_login<'a>(
        &'a self,
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Login>> {
        Box::pin(async move {
            let opts = OptsBuilder::from_opts(self.target.clone());
            let opts = opts.user(Some(username)).pass(Some(password.expose().as_str()));
            match connecting(async { Ok(Conn::new(opts).await) }).await? {
                Ok(connection) => {
                    drop(connection);
                    Ok(Login::Accepted)
                }
                Err(mysql_async::Error::Server(error)) if error.code == ACCESS_DENIED => {
                    Ok(Login::Refused)
                }
                // It knew who it was, and refused the database.
                Err(mysql_async::Error::Server(error)) if error.code == DATABASE_DENIED => {
                    Ok(Login::Accepted)
                }
                Err(error) => Err(unreachable(&error)),
            }
        })
    }

    fn close(&self) {
        self.pool.close();
    }
}

impl Mysql {
    /// One statement after the other: those that concern users are final each by itself.
    async fn execute(&self, scripts: &[String], about: About<'_>) -> Result<()> {
        let values = about.values();
        let mut statements = Vec::new();
        for script in scripts {
            for statement in sql::split(Dialect::Mysql, script)? {
                statements.push(Secret::new(sql::fill(Dialect::Mysql, &statement, &values)?));
            }
        }
        if statements.is_empty() {
            return Ok(());
        }
        self.work(async |connection| {
            for statement in &statements {
                let done = connection.query_drop(statement.expose().as_str()).await;
                done.map_err(|error| refused(&error))?;
            }
            Ok(())
        })
        .await
    }

    /// Work on a connection within its time. What would run on in the database is stopped there: it
    /// could make a user whose lease has ended meanwhile. All of the connection is ended and not only
    /// its statement, lest the next one begin, or a function take the interruption for an answer.
    async fn work<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut loan = self.pool.take().await?;
        let id = loan.connection.id();
        let done = working_or_stopped(work(&mut loan.connection), self.kill(id)).await?;
        loan.give_back();
        Ok(done)
    }

    /// Ends a connection from another one. Everybody may end his own.
    /// <https://dev.mysql.com/doc/refman/8.4/en/kill.html>
    async fn kill(&self, id: u32) {
        let killed = async {
            let mut connection = Conn::new(self.target.clone()).await?;
            connection.query_drop(format!("KILL {id}")).await?;
            connection.disconnect().await
        };
        if let Err(error) = killed.await {
            tracing::warn!(%error, "could not stop a statement in MySQL that takes too long");
        }
    }

    /// Whether there is such a user, or may be one where that cannot be read.
    async fn exists(&self, username: &str) -> Result<bool> {
        let hosts = self.work(async |connection| hosts(connection, username).await).await?;
        Ok(hosts.is_none_or(|hosts| !hosts.is_empty()))
    }
}

/// From where a user may come. An administrator of users need not be able to read that.
async fn hosts(connection: &mut Conn, username: &str) -> Result<Option<Vec<String>>> {
    let asked = "SELECT Host FROM mysql.user WHERE User = ?";
    match connection.exec(asked, (username,)).await {
        Ok(hosts) => Ok(Some(hosts)),
        Err(mysql_async::Error::Server(error)) if !UNABLE.contains(&error.code) => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

/// From wherever the user may come: the creation statements have chosen the hosts.
async fn drop_user(connection: &mut Conn, username: &str) -> Result<()> {
    let hosts = hosts(connection, username).await?;
    for host in hosts.unwrap_or_else(|| vec!["%".to_owned()]) {
        let foreign = |placeholder, text| Value { placeholder, text, is_foreign: true };
        let values = [foreign("name", username), foreign("host", host.as_str())];
        let script = "DROP USER IF EXISTS '{{name}}'@'{{host}}'";
        let statement = sql::fill(Dialect::Mysql, script, &values)?;
        match connection.query_drop(statement).await {
            Ok(()) => {}
            // Nobody can bear it, so that nobody was made.
            Err(mysql_async::Error::Server(error)) if error.code == NAME_TOO_LONG => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    Ok(())
}

fn expiration(expires: Timestamp) -> Result<String> {
    let instant =
        jiff::Timestamp::from_nanosecond(i128::from(expires.0)).map_err(Error::internal)?;
    Ok(instant.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>
const DATABASE_DENIED: u16 = 1044;
const ACCESS_DENIED: u16 = 1045;
const SYNTAX_ERROR: u16 = 1064;
const NAME_TOO_LONG: u16 = 1470;
/// Too many connections of all or of one user, shutdown, blocked host, no memory, read only.
const UNABLE: [u16; 8] = [1040, 1053, 1129, 1203, 1037, 1038, 1290, 1836];

/// A statement that failed: by its own fault, or because the database is not able to work.
fn refused(error: &mysql_async::Error) -> Error {
    let mysql_async::Error::Server(server) = error else { return unreachable(error) };
    if UNABLE.contains(&server.code) {
        return unreachable(error);
    }
    // A syntax error quotes the statement, in which there may be a password.
    let message = match server.code {
        SYNTAX_ERROR => "You have an error in your SQL syntax",
        _ => server.message.as_str(),
    };
    let (code, state) = (server.code, &server.state);
    Error::invalid(format!("failed to execute query: Error {code} ({state}): {message}"))
}

fn unreachable(error: &mysql_async::Error) -> Error {
    Error::unavailable(match error {
        mysql_async::Error::Server(server) => format!(
            "failed to connect to MySQL: Error {} ({}): {}",
            server.code, server.state, server.message
        ),
        error => format!("failed to connect to MySQL: {error}"),
    })
}
