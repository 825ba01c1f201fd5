use base_types::{Error, Result, Timestamp, Ttl};
use core_barrier::{Record, Sealed, Tx};
use serde::{Deserialize, Serialize};

use crate::credential::Credential;
use crate::schedule::Schedule;
use crate::statements::Statements;

/// A user of a database that stays, or two that alternate, as it is stored.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct StaticRole {
    pub(crate) db_name: String,
    /// One, or two that take turns.
    pub(crate) accounts: Vec<Account>,
    /// Which of them is given out.
    pub(crate) current: usize,
    pub(crate) schedule: Schedule,
    /// How long the one that was given out before keeps its password.
    pub(crate) grace_period: Ttl,
    pub(crate) rotation_statements: Statements,
    pub(crate) credential: Credential,
    pub(crate) last_rotation: Option<Timestamp>,
    pub(crate) next_rotation: Timestamp,
    /// When the account that is not current gets a password that nobody knows.
    pub(crate) retirement: Option<Timestamp>,
    /// A change of a password that has begun: whether the database has heard of it is not known.
    pub(crate) change: Option<Change>,
    pub(crate) failure: Option<Failure>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Account {
    pub(crate) username: String,
    /// Absent before the first rotation and after retirement.
    pub(crate) password: Option<Sealed>,
}

#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Change {
    pub(crate) account: usize,
    pub(crate) password: Sealed,
    pub(crate) purpose: Purpose,
}

/// What a new password is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// So that nobody knows it.
    Retire,
    /// To be given out from now on.
    Rotate,
}

/// Why the last attempts have failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Failure {
    pub(crate) attempts: u32,
    pub(crate) last_error: String,
    pub(crate) since: Timestamp,
    pub(crate) next_try: Timestamp,
}

/// Which role has an account: no two may change the same password.
#[derive(Deserialize, Serialize)]
struct Claim {
    role: String,
}

/// An entry of the index by time; all it says is in its key.
#[derive(Deserialize, Serialize)]
struct Due {}

impl Record for StaticRole {
    const KIND: &'static str = "static database role";
}

impl Record for Claim {
    const KIND: &'static str = "claim of a database user";
}

impl Record for Due {
    const KIND: &'static str = "index of rotations";
}

impl StaticRole {
    pub(crate) fn is_dual(&self) -> bool {
        self.accounts.len() == 2
    }

    /// The account that gets the next password.
    pub(crate) fn next_account(&self) -> usize {
        if self.is_dual() { 1 - self.current } else { self.current }
    }

    /// What is to be done at `now`, if anything.
    pub(crate) fn wants(&self, now: Timestamp) -> Option<Purpose> {
        if self.failure.as_ref().is_some_and(|failure| failure.next_try > now) {
            return None;
        }
        if let Some(change) = &self.change {
            return Some(change.purpose);
        }
        if self.next_rotation <= now {
            return Some(Purpose::Rotate);
        }
        self.retirement.filter(|at| *at <= now).map(|_| Purpose::Retire)
    }

    /// When there will be something to do.
    fn due(&self) -> Timestamp {
        let planned = self.retirement.map_or(self.next_rotation, |at| at.min(self.next_rotation));
        match (&self.failure, &self.change) {
            (Some(failure), Some(_)) => failure.next_try,
            // It may be that nothing was due when somebody tried.
            (Some(failure), None) => failure.next_try.max(planned),
            (None, Some(_)) => Timestamp::EPOCH,
            (None, None) => planned,
        }
    }

    /// The password that is given out may be one that the database no longer takes.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.account == self.current)
    }

    /// The change that has begun has been verified: it is in force.
    pub(crate) fn promote(&mut self, now: Timestamp) -> Result<()> {
        let Some(Change { account, password, purpose }) = self.change.take() else {
            return Ok(());
        };
        self.failure = None;
        match purpose {
            Purpose::Retire => {
                self.accounts[account].password = None;
                self.retirement = None;
            }
            Purpose::Rotate => {
                self.accounts[account].password = Some(password);
                if self.is_dual() {
                    // One of which nobody was told the password needs no grace.
                    let is_known = self.accounts[1 - account].password.is_some();
                    let grace = if is_known { self.grace_period } else { Ttl::ZERO };
                    self.retirement = Some(now.plus(grace));
                }
                self.current = account;
                self.last_rotation = Some(now);
                self.next_rotation = self.schedule.next_after(now)?;
            }
        }
        Ok(())
    }

    /// Reads a role within a transaction.
    pub(crate) async fn get(tx: &Tx, name: &str) -> Result<Option<Self>> {
        tx.get(&key(name)).await
    }

    /// Stores it in place of `old`, with its entry in the index.
    pub(crate) fn put(&self, tx: &Tx, name: &str, old: Option<&Self>) -> Result<()> {
        if let Some(old) = old {
            tx.delete(&old.due_key(name));
        }
        tx.put(&self.due_key(name), &Due {})?;
        tx.put(&key(name), self)
    }

    /// Removes it with all that points to it.
    pub(crate) fn delete(&self, tx: &Tx, name: &str) {
        tx.delete(&self.due_key(name));
        tx.delete(&key(name));
        self.release(tx);
    }

    /// Takes its accounts for the role of this name.
    ///
    /// # Errors
    /// `Invalid` if another role has one of them.
    pub(crate) async fn claim(&self, tx: &Tx, name: &str) -> Result<()> {
        for Account { username, .. } in &self.accounts {
            let key = claim_key(&self.db_name, username);
            let claim: Option<Claim> = tx.get(&key).await?;
            if let Some(other) = claim.filter(|claim| claim.role != name) {
                return Err(Error::invalid(format!(
                    "the password of {username:?} is already changed by static role {:?}",
                    other.role
                )));
            }
            tx.put(&key, &Claim { role: name.to_owned() })?;
        }
        Ok(())
    }

    fn due_key(&self, name: &str) -> String {
        format!("{DUE}{:019}/{}/{name}", self.due().0.max(0), self.db_name)
    }

    pub(crate) fn release(&self, tx: &Tx) {
        for Account { username, .. } in &self.accounts {
            tx.delete(&claim_key(&self.db_name, username));
        }
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("static-role/{name}")
}

fn claim_key(database: &str, username: &str) -> String {
    format!("account/{database}/{}", base_crypto::hex(&base_crypto::sha256(username.as_bytes())))
}

pub(crate) const DUE: &str = "due/";

/// The time, the database and the name in a key of the index.
pub(crate) fn parse_due(key: &str) -> Option<(Timestamp, &str, &str)> {
    let (at, rest) = key.strip_prefix(DUE)?.split_once('/')?;
    let (database, name) = rest.split_once('/')?;
    Some((Timestamp(at.parse().ok()?), database, name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    const GOLDEN: &str = r#"{"db_name":"d","accounts":[{"username":"a","password":"p"},{"username":"b","password":null}],"current":0,"schedule":{"period":100},"grace_period":10,"rotation_statements":[],"credential":{"password":{"password_policy":""}},"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"1970-01-01T00:01:41Z","retirement":"1970-01-01T00:00:01Z","change":{"account":1,"password":"n","purpose":"retire"},"failure":{"attempts":2,"last_error":"e","since":"1970-01-01T00:00:02Z","next_try":"1970-01-01T00:00:12Z"}}"#;

    #[test]
    fn the_stored_forms_are_fixed() {
        let role: StaticRole = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), GOLDEN);
        let schedule = Schedule::Times { cron: "* * * * *".into(), window: Ttl::ZERO };
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(text, r#"{"times":{"cron":"* * * * *","window":0}}"#);
        assert_eq!(serde_json::to_string(&Due {}).unwrap(), "{}");
        let claim = Claim { role: "r".into() };
        assert_eq!(serde_json::to_string(&claim).unwrap(), r#"{"role":"r"}"#);
        assert_eq!(role.due_key("r"), "due/0000000012000000000/d/r");
        assert_eq!(parse_due("due/0000000012000000000/d/r"), Some((at(12), "d", "r")));
    }

    #[test]
    fn two_accounts_take_turns_and_the_old_one_retires() {
        let mut role: StaticRole = serde_json::from_str(GOLDEN).unwrap();
        let change =
            |account, purpose| Some(Change { account, password: Sealed::default(), purpose });
        assert_eq!(role.wants(at(11)), None, "it waits for its next try");
        assert_eq!(role.wants(at(12)), Some(Purpose::Retire));
        assert_eq!(role.due(), at(12));
        let refused = StaticRole { change: None, retirement: None, ..role.clone() };
        assert_eq!((refused.due(), refused.wants(at(100))), (at(101), None), "nothing is due yet");
        assert_eq!(refused.wants(at(101)), Some(Purpose::Rotate));
        let due = StaticRole { next_rotation: at(5), ..refused };
        assert_eq!((due.due(), due.wants(at(12))), (at(12), Some(Purpose::Rotate)));
        role.promote(at(20)).unwrap();
        assert!(role.failure.is_none() && role.retirement.is_none());
        assert_eq!(
            (role.due(), role.wants(at(100)), role.wants(at(101))),
            (at(101), None, Some(Purpose::Rotate))
        );
        assert_eq!(role.next_account(), 1);
        role.change = change(1, Purpose::Rotate);
        assert!(!role.is_uncertain(), "who is given out is not touched");
        assert_eq!((role.due(), role.wants(at(101))), (Timestamp::EPOCH, Some(Purpose::Rotate)));
        role.promote(at(101)).unwrap();
        assert_eq!(
            (role.current, role.retirement, role.next_rotation),
            (1, Some(at(111)), at(201))
        );
        assert_eq!((role.due(), role.wants(at(111))), (at(111), Some(Purpose::Retire)));
        role.change = change(0, Purpose::Retire);
        role.promote(at(112)).unwrap();
        assert!(role.accounts[0].password.is_none() && role.accounts[1].password.is_some());
    }
}
