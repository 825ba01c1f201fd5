//! The administrator's own password. The next one is stored before the database is told and takes
//! the place of the present one when it has been used to log in. A change that was cut short is
//! settled before anything else: the database says which of the two it knows.

use std::sync::Arc;

use base_crypto::random_base62;
use base_types::{Error, Result, Secret};
use core_barrier::Sealed;
use core_engine_api::{Call, Response};

use crate::Database;
use crate::connection::{Connection, key};
use crate::driver::Login;
use crate::names::Named;

impl Database {
    pub(crate) async fn rotate_root(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let name = &named.name;
        self.driver(name).await?;
        let _turn = self.locks.turn(&key(name)).await;
        let connection = self.settled(name).await?;
        let username = rotatable(&connection)?;
        let password = self.password(&connection, None).await?;
        let pending = Connection {
            pending_password: Some(Sealed::from(password.clone())),
            ..connection.clone()
        };
        self.storage.put(&key(name), &pending).await?;
        let driver = self.driver_of(name, &connection)?;
        let scripts = connection.root_rotation_statements.scripts();
        driver.set_password(&scripts, &username, &password).await?;
        self.settled(name).await?;
        Ok(Response::none())
    }

    /// The connection after a change of its password that was cut short.
    pub(crate) async fn settle_root(&self, name: &str) -> Result<Connection> {
        let _turn = self.locks.turn(&key(name)).await;
        self.settled(name).await
    }

    /// The same for whoever has the turn.
    async fn settled(&self, name: &str) -> Result<Connection> {
        let connection = self.connection(name).await?;
        let Some(pending) = &connection.pending_password else { return Ok(connection) };
        let details = connection.details()?;
        let driver = self.driver_of(name, &connection)?;
        let works = async |password: &Secret<String>| {
            let login = driver.check_login(&details.username, password).await?;
            Ok::<_, Error>(login == Login::Accepted)
        };
        // The next one first: most changes were not cut short, and a database that takes any
        // password is to end with the one that it was told last.
        let settled = if works(pending.open()).await? {
            connection.with_password(pending.clone())
        } else if works(&details.password).await? {
            Connection { pending_password: None, ..connection.clone() }
        } else {
            return Err(Error::unavailable(format!(
                "the database of connection {name:?} refuses both the password of its administrator \
                 and the one that was to follow: set the right one in its configuration"
            )));
        };
        let revision = random_base62(&*self.random, 16);
        let settled = Connection { revision, ..settled };
        self.storage.put(&key(name), &settled).await?;
        self.connections.close(name);
        Ok(settled)
    }

    /// A password by the policy of a role, else of the connection, else the server's own.
    pub(crate) async fn password(
        &self,
        connection: &Connection,
        policy: Option<&str>,
    ) -> Result<Secret<String>> {
        let own = connection.password_policy.as_str();
        self.rotations.password(&[policy.unwrap_or_default(), own]).await
    }
}

impl Connection {
    fn with_password(&self, password: Sealed) -> Self {
        let mut changed = Self { pending_password: None, ..self.clone() };
        changed.secrets.insert("password".to_owned(), password);
        changed
    }
}

/// Whose password can be changed.
fn rotatable(connection: &Connection) -> Result<String> {
    let username = connection.details()?.username;
    if username.is_empty() {
        let text = "unable to rotate root credentials: no username in configuration";
        return Err(Error::invalid(text));
    }
    if connection.url().is_some_and(|url| !url.contains("{{password}}")) {
        return Err(Error::invalid(
            "unable to rotate root credentials: connection_url has no place for the password, \
             {{password}}",
        ));
    }
    Ok(username)
}
