use base_types::{Error, Result, Timestamp, Ttl};

use crate::schedule::Schedule;
use crate::static_role::{Own, StaticRole};

/// What a request says of the accounts of a static role, and of when their passwords change. Each
/// engine has these fields in its own request.
#[derive(Default)]
pub struct Wanted<'r> {
    pub username: Option<&'r str>,
    /// Two that take turns, in place of `username`.
    pub usernames: Option<&'r [String]>,
    pub grace_period: Option<Ttl>,
    pub rotation_period: Option<Ttl>,
    pub rotation_schedule: Option<&'r str>,
    pub rotation_window: Option<Ttl>,
}

impl Wanted<'_> {
    /// The names of the accounts of a new role; nothing if there are none.
    ///
    /// # Errors
    /// `Invalid` if there are two that are no pair.
    pub fn accounts(&self) -> Result<Option<Vec<String>>> {
        match (self.username, self.usernames) {
            (None, None) => Ok(None),
            (Some(username), None) => Ok(Some(vec![username.to_owned()])),
            (None, Some([first, second])) if first != second && !first.is_empty() => {
                Ok(Some(vec![first.clone(), second.clone()]))
            }
            (_, Some(_)) => {
                Err(Error::invalid("usernames are two different ones, in place of username"))
            }
        }
    }

    /// # Errors
    /// `Invalid` if the fields do not fit together.
    pub fn schedule(&self) -> Result<Option<Schedule>> {
        Schedule::requested(self.rotation_period, self.rotation_schedule, self.rotation_window)
    }

    /// A role as it is before its first rotation.
    ///
    /// # Errors
    /// `Invalid` if there is no schedule, or what is wanted does not fit together.
    pub fn role<O: Own>(
        &self,
        own: O,
        accounts: Vec<String>,
        now: Timestamp,
    ) -> Result<StaticRole<O>> {
        let schedule = self.schedule()?.ok_or_else(|| {
            Error::invalid("rotation_period is required to create static accounts")
        })?;
        let mut role = StaticRole::new(own, accounts, schedule, now);
        self.set_grace(&mut role)?;
        Ok(role)
    }

    /// Takes what a request says about a role that is there.
    ///
    /// # Errors
    /// `Invalid` if it has other accounts, or if what is wanted does not fit together.
    pub fn apply<O: Own>(&self, role: &mut StaticRole<O>, now: Timestamp) -> Result<()> {
        let asked: Option<Vec<&str>> = match (self.username, self.usernames) {
            (_, Some(names)) => Some(names.iter().map(String::as_str).collect()),
            (Some(name), None) => Some(vec![name]),
            (None, None) => None,
        };
        let present: Vec<&str> = role.accounts.iter().map(|all| all.username.as_str()).collect();
        if asked.is_some_and(|asked| asked != present) {
            return Err(Error::invalid("cannot update static account username"));
        }
        if let Some(schedule) = self.schedule()?.filter(|schedule| *schedule != role.schedule) {
            role.next_rotation = schedule.next_after(role.last_rotation.unwrap_or(now))?;
            role.schedule = schedule;
        }
        self.set_grace(role)
    }

    fn set_grace<O: Own>(&self, role: &mut StaticRole<O>) -> Result<()> {
        role.grace_period = self.grace_period.unwrap_or(role.grace_period);
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
}
