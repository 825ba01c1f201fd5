//! What the engine asks of a database. A driver is a file of its own and a line in [`PLUGINS`].

use std::sync::Arc;

use base_types::{BoxFuture, Error, Result, Secret, Timestamp};
pub(crate) use core_rotation::Login;

use crate::details::Details;
use crate::proof::Proof;
use crate::{mysql, postgresql, redis};

/// One configured database. Whatever fails because the database cannot be reached or is not able
/// to work is `Unavailable`; what it refuses to do is `Invalid`.
pub(crate) trait Driver: Send + Sync {
    /// Connects and asks something.
    fn verify(&self) -> BoxFuture<'_, Result<()>>;

    /// Runs the creation scripts: all of them or, where the database can, none.
    fn create_user<'a>(
        &'a self,
        scripts: &'a [String],
        user: NewUser<'a>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Lets a user live until `expires`. Without scripts the driver knows how.
    fn renew_user<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
        expires: Timestamp,
    ) -> BoxFuture<'a, Result<()>>;

    /// Removes a user, who may never have been there or be gone already. Without scripts the driver
    /// knows how.
    fn revoke_user<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
    ) -> BoxFuture<'a, Result<()>>;

    /// Gives a user that exists a new password. Doing it twice is the same as doing it once.
    fn set_password<'a>(
        &'a self,
        scripts: &'a [String],
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Logs in as somebody, on a connection of its own.
    fn check_login<'a>(
        &'a self,
        username: &'a str,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Login>>;

    /// Ends all connections, those in use after their work.
    fn close(&self);
}

/// The user to be made.
#[derive(Clone, Copy)]
pub(crate) struct NewUser<'a> {
    pub(crate) username: &'a str,
    pub(crate) proof: &'a Proof,
    pub(crate) expires: Timestamp,
}

/// What a database says to a statement, unless it repeats the password that stands in it.
pub(crate) fn without_password(error: Error, password: Option<&Secret<String>>) -> Error {
    if password.is_none_or(|password| !error.public().contains(password.expose().as_str())) {
        return error;
    }
    Error::new(error.kind(), "the database refused a statement with the password in it")
}

/// A kind of database under one of the names that Vault gives it.
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    /// How users are named where nothing else is configured.
    pub(crate) username_template: &'static str,
    /// Its statements can tell it of public keys and of the subjects of certificates.
    pub(crate) takes_keys: bool,
    /// Reads the configuration; connects to nothing yet.
    pub(crate) open: fn(&Details) -> Result<Arc<dyn Driver>>,
}

/// Every database there is.
pub(crate) const PLUGINS: [Plugin; 7] = [
    plugin("mysql-aurora-database-plugin", mysql::LEGACY_USERNAME_TEMPLATE, mysql::open),
    plugin("mysql-database-plugin", mysql::USERNAME_TEMPLATE, mysql::open),
    plugin("mysql-legacy-database-plugin", mysql::LEGACY_USERNAME_TEMPLATE, mysql::open),
    plugin("mysql-rds-database-plugin", mysql::LEGACY_USERNAME_TEMPLATE, mysql::open),
    plugin("postgresql-database-plugin", postgresql::USERNAME_TEMPLATE, postgresql::open),
    with_passwords_alone("redis-database-plugin", redis::USERNAME_TEMPLATE, redis::open),
    with_passwords_alone("valkey-database-plugin", redis::USERNAME_TEMPLATE, redis::open),
];

const fn plugin(
    name: &'static str,
    username_template: &'static str,
    open: fn(&Details) -> Result<Arc<dyn Driver>>,
) -> Plugin {
    Plugin { name, username_template, takes_keys: true, open }
}

const fn with_passwords_alone(
    name: &'static str,
    username_template: &'static str,
    open: fn(&Details) -> Result<Arc<dyn Driver>>,
) -> Plugin {
    Plugin { takes_keys: false, ..plugin(name, username_template, open) }
}

impl Plugin {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        const { &PLUGINS }.iter().find(|plugin| plugin.name == name)
    }
}
