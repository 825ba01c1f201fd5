//! PostgreSQL, and what speaks its protocol.

mod connector;
mod target;

use std::sync::Arc;

use base_types::{BoxFuture, Error, ErrorKind, Result, Secret, Timestamp};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use crate::details::Details;
use crate::driver::{Driver, Login, NewUser, without_password};
use crate::pool::{Loan, Pool, Pooled, working_or_stopped};
use crate::sql::{self, About, Dialect, Told, Value};

use connector::Connector;
use target::Target;

pub(crate) const USERNAME_TEMPLATE: &str = r#"{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) (random 20) (unix_time) | truncate 63 }}"#;

const RENEW: &str = r#"ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'"#;
const SET_PASSWORD: &str = r#"ALTER ROLE "{{name}}" WITH PASSWORD '{{password}}'"#;
/// PostgreSQL cuts longer names, so that two of them may be one.
const NAME_LENGTH_MAX: usize = 63;

struct Postgresql {
    connector: Arc<Connector>,
    pool: Pool<Client>,
    hashes_passwords: bool,
}

pub(crate) fn open(details: &Details) -> Result<Arc<dyn Driver>> {
    let hashes_passwords = match details.password_authentication.as_str() {
        "" | "password" => false,
        "scram-sha-256" => true,
        _ => {
            return Err(Error::invalid(
                "password_authentication is neither password nor scram-sha-256",
            ));
        }
    };
    let connector = Arc::new(Connector::new(Target::read(details)?, details)?);
    let maker = connector.clone();
    let pool = Pool::new(details.limits(), move || {
        let connector = maker.clone();
        Box::pin(async move { connector.connect().await.map_err(|error| unreachable(&error)) })
    });
    Ok(Arc::new(Postgresql { connector, pool, hashes_passwords }))
}

impl Pooled for Client {
    fn is_alive(&mut self) -> BoxFuture<'_, bool> {
        Box::pin(async { !self.is_closed() && self.batch_execute("").await.is_ok() })
    }
}

impl Driver for Postgresql {
    fn verify(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            let client = self.client().await?;
            self.work(&client, run(&client.connection, "SELECT 1")).await?;
            client.give_back();
            Ok(())
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
            let hashed = proof.password().map(|password| self.hashed(password));
            let told = match &hashed {
                Some(hashed) => Told::Password(hashed.expose()),
                None => proof.told(),
            };
            let expiration = expiration(expires)?;
            let (proof, expiration) = (Some(told), Some(expiration.as_str()));
            let done = self.execute(scripts, About { username, proof, expiration }).await;
            done.map_err(|error| without_password(error, user.proof.password()))
        })
    }

    fn renew_user<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let own = [RENEW.to_owned()];
            let scripts = if scripts.is_empty() { &own } else { scripts };
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
            if username.len() > NAME_LENGTH_MAX {
                // Nobody can bear it, so that nobody was made.
                return Ok(());
            }
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
            let client = self.client().await?;
            self.work(&client, drop_role(&client.connection, username)).await?;
            client.give_back();
            Ok(())
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
            let hashed = self.hashed(password);
            let proof = Some(Told::Password(hashed.expose()));
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
            let Err(error) = self.connector.log_in(username, password).await? else {
                return Ok(Login::Accepted);
            };
            match error.code() {
                Some(
                    &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                ) => Ok(Login::Refused),
                // It knew who it was, and refused something else.
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(Login::Accepted),
                _ => Err(unreachable(&error)),
            }
        })
    }

    fn close(&self) {
        self.pool.close();
    }
}

impl Postgresql {
    async fn client(&self) -> Result<Loan<Client>> {
        loop {
            let client = self.pool.take().await?;
            if !client.connection.is_closed() {
                return Ok(client);
            }
        }
    }

    /// Work on a connection within its time. What would run on in the database is stopped there:
    /// it could make a user whose lease has ended meanwhile.
    async fn work<T>(
        &self,
        client: &Loan<Client>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        working_or_stopped(work, self.connector.cancel(&client.connection)).await
    }

    async fn exists(&self, username: &str) -> Result<bool> {
        let client = self.client().await?;
        let asked = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
        let parameters: [&(dyn ToSql + Sync); 1] = [&username];
        let answer = async {
            let row = client.connection.query_one(asked, &parameters).await;
            row.map(|row| row.get(0)).map_err(|error| refused(&error))
        };
        let exists = self.work(&client, answer).await?;
        client.give_back();
        Ok(exists)
    }

    /// All scripts as one message, which PostgreSQL takes as one transaction.
    async fn execute(&self, scripts: &[String], about: About<'_>) -> Result<()> {
        if about.username.len() > NAME_LENGTH_MAX {
            return Err(Error::invalid("PostgreSQL takes names of at most 63 bytes: shorten it"));
        }
        let values = about.values();
        let mut message = Secret::new(String::new());
        for script in scripts {
            let filled = Secret::new(sql::fill(Dialect::Postgresql, script, &values)?);
            // On a line of its own, lest a comment at the end of a script swallow the semicolon.
            message = Secret::new(format!("{}{}\n;\n", message.expose(), filled.expose()));
        }
        let client = self.client().await?;
        self.work(&client, run(&client.connection, message.expose())).await?;
        client.give_back();
        Ok(())
    }

    /// What is put in the place of the password.
    fn hashed(&self, password: &Secret<String>) -> Secret<String> {
        if self.hashes_passwords {
            Secret::new(scram_sha_256(password.expose().as_bytes()))
        } else {
            password.clone()
        }
    }
}

/// A little later than the lease ends: the one who removes the user is the server, not its absence.
const GRACE_SECONDS: u64 = 5;

fn expiration(expires: Timestamp) -> Result<String> {
    let expires = expires.plus(base_types::Ttl::from_seconds(GRACE_SECONDS));
    let instant =
        jiff::Timestamp::from_nanosecond(i128::from(expires.0)).map_err(Error::internal)?;
    Ok(instant.strftime("%Y-%m-%d %H:%M:%S+0000").to_string())
}

async fn run(client: &Client, message: &str) -> Result<()> {
    client.batch_execute(message).await.map_err(|error| refused(&error))
}

/// What the role owns goes to whoever administrates, what it was granted goes away, and then the
/// role itself: all or nothing.
async fn drop_role(client: &Client, username: &str) -> Result<()> {
    let asked = "SELECT r.oid IS NOT NULL, u.rolsuper FROM pg_roles u \
                 LEFT JOIN pg_roles r ON r.rolname = $1 WHERE u.rolname = current_user";
    let parameters: [&(dyn ToSql + Sync); 1] = [&username];
    let row = client.query_one(asked, &parameters).await.map_err(|error| refused(&error))?;
    let (exists, is_superuser): (bool, bool) = (row.get(0), row.get(1));
    if !exists {
        return Ok(());
    }
    // Who is no superuser must be a member of the role to take over what is its.
    let join = if is_superuser { "" } else { "GRANT \"{{name}}\" TO CURRENT_USER;" };
    let script = format!(
        "{join} REASSIGN OWNED BY \"{{{{name}}}}\" TO CURRENT_USER; \
         DROP OWNED BY \"{{{{name}}}}\"; DROP ROLE IF EXISTS \"{{{{name}}}}\";"
    );
    let name = Value { placeholder: "name", text: username, is_foreign: true };
    run(client, &sql::fill(Dialect::Postgresql, &script, &[name])?).await
}

/// A statement that failed: by its own fault, or because the database is not able to work.
fn refused(error: &tokio_postgres::Error) -> Error {
    let Some(database) = error.as_db_error() else { return unreachable(error) };
    let code = database.code().code();
    // Connections, resources, intervention by an operator, and faults of the system.
    if ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) {
        return unreachable(error);
    }
    Error::invalid(format!("failed to execute query: {}", described(error)))
}

fn unreachable(error: &tokio_postgres::Error) -> Error {
    Error::unavailable(format!("failed to connect to PostgreSQL: {}", described(error)))
}

/// The database's own words; otherwise what went wrong, and why.
fn described(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        let (severity, message) = (database.severity(), database.message());
        return format!("{severity}: {message} (SQLSTATE {})", database.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
