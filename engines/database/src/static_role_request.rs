use std::collections::BTreeMap;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_rotation::Schedule;
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
        let usernames = match (&self.username, self.usernames.as_deref()) {
            (Some(username), None) if !username.is_empty() => vec![username.clone()],
            (None, Some([first, second])) if first != second => vec![first.clone(), second.clone()],
            (None | Some(_), None) => {
                let text = "username is a required field to create a static account";
                return Err(Error::invalid(text));
            }
            (_, Some(_)) => {
                let text = "usernames are two different ones, in place of username";
                return Err(Error::invalid(text));
            }
        };
        let schedule = self.schedule()?.ok_or_else(|| {
            Error::invalid("rotation_period is required to create static accounts")
        })?;
        let own = DatabaseRole {
            db_name,
            rotation_statements: Statements::default(),
            credential: Credential::default(),
        };
        let mut role = StaticRole::new(own, usernames, schedule, now);
        self.apply_rest(&mut role)?;
        Ok(role)
    }

    /// Takes what a request says about a role that is there.
    pub(crate) fn apply(&self, role: &mut StaticRole) -> Result<()> {
        let asked: Option<Vec<&str>> = match (&self.username, &self.usernames) {
            (_, Some(names)) => Some(names.iter().map(String::as_str).collect()),
            (Some(name), None) => Some(vec![name]),
            (None, None) => None,
        };
        let present: Vec<&str> = role.accounts.iter().map(|all| all.username.as_str()).collect();
        if asked.is_some_and(|asked| asked != present) {
            return Err(Error::invalid("cannot update static account username"));
        }
        if self.password.is_some() {
            return Err(Error::invalid("password is given when a role is created, and only then"));
        }
        if let Some(db_name) = self.db_name.as_ref().filter(|name| !name.is_empty()) {
            role.own.db_name.clone_from(db_name);
        }
        if let Some(schedule) = self.schedule()?
            && schedule != role.schedule
        {
            role.schedule = schedule;
            if let Some(last) = role.last_rotation {
                role.next_rotation = role.schedule.next_after(last)?;
            }
        }
        self.apply_rest(role)
    }

    fn apply_rest(&self, role: &mut StaticRole) -> Result<()> {
        if let Some(statements) = &self.rotation_statements {
            role.own.rotation_statements = statements.clone();
        }
        role.own
            .credential
            .apply(self.credential_type.as_deref(), self.credential_config.as_ref())?;
        if let Some(grace) = self.grace_period {
            role.grace_period = grace;
        }
        if !role.is_dual() && !role.grace_period.is_zero() {
            return Err(Error::invalid("grace_period needs two usernames"));
        }
        match role.schedule {
            Schedule::Period(period) if role.is_dual() && role.grace_period >= period => {
                Err(Error::invalid("grace_period must be shorter than rotation_period"))
            }
            _ => Ok(()),
        }
    }

    fn schedule(&self) -> Result<Option<Schedule>> {
        let cron = self.rotation_schedule.as_deref();
        Schedule::requested(self.rotation_period, cron, self.rotation_window)
    }
}
