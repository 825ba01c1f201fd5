use std::collections::BTreeMap;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_rotation::Wanted;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::credential::Credential;
use crate::statements::Statements;
use crate::static_role::{DatabaseRole, StaticRole};

/// A request that makes or changes a role of a user that stays.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteStaticRole {
    /// The name of the role.
    pub(crate) name: String,
    /// The connection to the database.
    db_name: Option<String>,
    /// The user whose password is changed.
    username: Option<String>,
    /// Two users that take turns, in place of `username`.
    usernames: Option<Vec<String>>,
    /// With two users: how long the one that was given out before keeps its password.
    grace_period: Option<Ttl>,
    /// How long a password lives; at least 5 seconds.
    rotation_period: Option<Ttl>,
    /// When passwords change, in place of a period: a cron expression of five fields, in UTC.
    rotation_schedule: Option<String>,
    /// With a schedule: for how long after its time a rotation may begin; at least an hour.
    rotation_window: Option<Ttl>,
    /// How a password is changed, where the driver's own way does not do.
    rotation_statements: Option<Statements>,
    /// The present password of the user, when the role is created.
    pub(crate) password: Option<Secret<String>>,
    /// Keeps the given password until the first rotation is due.
    pub(crate) skip_import_rotation: Option<bool>,
    /// `password`.
    credential_type: Option<String>,
    /// More about the credential, such as `password_policy`.
    credential_config: Option<BTreeMap<String, String>>,
}

impl WriteStaticRole {
    /// The role as it is before its first rotation.
    pub(crate) fn new_role(&self, now: Timestamp) -> Result<StaticRole> {
        let db_name = self.db_name.clone().unwrap_or_default();
        if db_name.is_empty() {
            return Err(Error::invalid("database name is a required field"));
        }
        let wanted = self.wanted();
        let usernames = wanted.accounts()?.filter(|names| !names[0].is_empty());
        let usernames = usernames.ok_or_else(|| {
            Error::invalid("username is a required field to create a static account")
        })?;
        let own = DatabaseRole {
            db_name,
            rotation_statements: Statements::default(),
            credential: Credential::default(),
        };
        let mut role = wanted.role(own, usernames, now)?;
        self.apply_rest(&mut role)?;
        Ok(role)
    }

    /// Takes what a request says about a role that is there.
    pub(crate) fn apply(&self, role: &mut StaticRole, now: Timestamp) -> Result<()> {
        self.wanted().apply(role, now)?;
        if self.password.is_some() {
            return Err(Error::invalid("password is given when a role is created, and only then"));
        }
        if let Some(db_name) = self.db_name.as_ref().filter(|name| !name.is_empty()) {
            role.own.db_name.clone_from(db_name);
        }
        self.apply_rest(role)
    }

    fn apply_rest(&self, role: &mut StaticRole) -> Result<()> {
        if let Some(statements) = &self.rotation_statements {
            role.own.rotation_statements = statements.clone();
        }
        let config = self.credential_config.as_ref();
        role.own.credential.apply(self.credential_type.as_deref(), config)
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            username: self.username.as_deref(),
            usernames: self.usernames.as_deref(),
            grace_period: self.grace_period,
            rotation_period: self.rotation_period,
            rotation_schedule: self.rotation_schedule.as_deref(),
            rotation_window: self.rotation_window,
        }
    }
}
