use base_types::{Timestamp, Ttl};
use core_barrier::Sealed;
use serde::Serialize;

use crate::schedule::Times;
use crate::static_role::{Failure, Own, StaticRole};

/// What is shown of a role besides what is its engine's own.
#[derive(Serialize)]
pub struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_period: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_vault_rotation: Option<Timestamp>,
    next_vault_rotation: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_failure: Option<&'a Failure>,
    #[serde(flatten)]
    times: Times<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usernames: Option<Vec<&'a str>>,
}

/// What a role gives out.
#[derive(Serialize)]
pub struct Given<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_vault_rotation: Option<Timestamp>,
    password: &'a str,
    /// With two accounts: when the other one's password ends, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_retires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_username: Option<&'a str>,
    #[serde(flatten)]
    times: Times<'a>,
    ttl: Ttl,
    username: &'a str,
}

impl<O: Own> StaticRole<O> {
    pub fn status(&self) -> Status<'_> {
        let names = self.accounts.iter().map(|account| account.username.as_str());
        Status {
            grace_period: self.is_dual().then_some(self.grace_period),
            last_vault_rotation: self.last_rotation,
            next_vault_rotation: self.next_rotation,
            rotation_failure: self.failure.as_ref(),
            times: self.schedule.times(),
            username: names.clone().next().filter(|_| !self.is_dual()),
            usernames: self.is_dual().then(|| names.collect()),
        }
    }

    /// Nothing before the first rotation.
    pub fn given(&self, now: Timestamp) -> Option<Given<'_>> {
        let account = &self.accounts[self.current];
        let password = account.password.as_ref().map(Sealed::open)?;
        let previous = &self.accounts[self.next_account()];
        let has_previous = self.is_dual() && previous.password.is_some();
        Some(Given {
            last_vault_rotation: self.last_rotation,
            password: password.expose(),
            previous_retires: self.retirement.filter(|_| has_previous),
            previous_username: has_previous.then_some(previous.username.as_str()),
            times: self.schedule.times(),
            ttl: now.until(self.next_rotation),
            username: &account.username,
        })
    }
}
