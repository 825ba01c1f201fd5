use base_types::{Error, Result, Timestamp, Ttl};
use core_barrier::{Record, Sealed, Tx};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::schedule::Schedule;

/// An account that stays, or two that alternate, as it is stored.
#[derive(Clone, Deserialize, Serialize)]
pub struct StaticRole<O> {
    #[serde(flatten)]
    pub own: O,
    /// One, or two that take turns.
    pub accounts: Vec<Account>,
    /// Which of them is given out.
    pub current: usize,
    pub schedule: Schedule,
    /// How long the one that was given out before keeps its password.
    pub grace_period: Ttl,
    pub last_rotation: Option<Timestamp>,
    pub next_rotation: Timestamp,
    /// When the account that is not current gets a password that nobody knows.
    pub retirement: Option<Timestamp>,
    /// A change of a password that has begun: whether the system has heard of it is not known.
    pub change: Option<Change>,
    pub failure: Option<Failure>,
}

/// What an engine keeps with a role. It holds no secret: those are in the accounts.
pub trait Own: Clone + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// As [`Record::KIND`], of the whole role.
    const KIND: &'static str;

    /// The password before the present one is kept as well, because a system may take some time to
    /// know the new one everywhere.
    const KEEPS_PREVIOUS: bool = false;

    /// The system in which the accounts are, without a slash: what is due in one that hangs holds up
    /// no other.
    fn target(&self) -> &str;
}

/// An account by the name that is told to whoever logs in.
#[derive(Clone, Deserialize, Serialize)]
pub struct Account {
    pub username: String,
    /// Absent before the first rotation and after retirement.
    pub password: Option<Sealed>,
    /// The one before, where [`Own::KEEPS_PREVIOUS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sealed>,
}

/// A password on its way: stored, and perhaps set.
#[derive(Clone, Deserialize, Serialize)]
pub struct Change {
    pub account: usize,
    pub password: Sealed,
    pub purpose: Purpose,
}

/// What a new password is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// So that nobody knows it.
    Retire,
    /// To be given out from now on.
    Rotate,
}

/// Why the last attempts have failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Failure {
    pub attempts: u32,
    pub last_error: String,
    pub since: Timestamp,
    pub next_try: Timestamp,
}

/// Which role has an account: no two may change the same password.
#[derive(Deserialize, Serialize)]
struct Claim {
    role: String,
}

/// An entry of the index by time; all it says is in its key.
#[derive(Deserialize, Serialize)]
struct Due {}

impl<O: Own> Record for StaticRole<O> {
    const KIND: &'static str = O::KIND;
}

impl Record for Claim {
    const KIND: &'static str = "claim of an account";
}

impl Record for Due {
    const KIND: &'static str = "index of rotations";
}

impl<O: Own> StaticRole<O> {
    /// One that has no password yet and is to get it now.
    pub fn new(own: O, usernames: Vec<String>, schedule: Schedule, now: Timestamp) -> Self {
        let accounts = usernames.into_iter().map(|username| Account {
            username,
            password: None,
            previous: None,
        });
        let accounts: Vec<_> = accounts.collect();
        Self {
            own,
            // So that the first is the next.
            current: accounts.len() - 1,
            accounts,
            schedule,
            grace_period: Ttl::ZERO,
            last_rotation: None,
            next_rotation: now,
            retirement: None,
            change: None,
            failure: None,
        }
    }

    /// Two accounts take turns.
    pub fn is_dual(&self) -> bool {
        self.accounts.len() == 2
    }

    /// The account that gets the next password.
    pub fn next_account(&self) -> usize {
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
    pub fn is_uncertain(&self) -> bool {
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
                self.accounts[account].previous = None;
                self.retirement = None;
            }
            Purpose::Rotate => {
                let old = self.accounts[account].password.replace(password);
                self.accounts[account].previous = old.filter(|_| O::KEEPS_PREVIOUS);
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
    pub async fn get(tx: &Tx, name: &str) -> Result<Option<Self>> {
        tx.get(&key(name)).await
    }

    /// Stores it in place of `old`, with its entry in the index.
    pub fn put(&self, tx: &Tx, name: &str, old: Option<&Self>) -> Result<()> {
        if let Some(old) = old {
            tx.delete(&old.due_key(name));
        }
        tx.put(&self.due_key(name), &Due {})?;
        tx.put(&key(name), self)
    }

    /// Removes it with all that points to it.
    pub fn delete(&self, tx: &Tx, name: &str) {
        tx.delete(&self.due_key(name));
        tx.delete(&key(name));
        self.release(tx);
    }

    /// Takes its accounts for the role of this name.
    ///
    /// # Errors
    /// `Invalid` if another role has one of them.
    pub async fn claim(&self, tx: &Tx, name: &str) -> Result<()> {
        for Account { username, .. } in &self.accounts {
            let key = claim_key(self.own.target(), username);
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
        format!("{DUE}{:019}/{}/{name}", self.due().0.max(0), self.own.target())
    }

    /// Lets go of its accounts, so that another role may have them.
    pub fn release(&self, tx: &Tx) {
        for Account { username, .. } in &self.accounts {
            tx.delete(&claim_key(self.own.target(), username));
        }
    }
}

const NAME_LENGTH_MAX: usize = 256;

/// The names that Vault's pattern for them lets through: letters, digits and `_`, and between them
/// also `.` and `-`.
///
/// # Errors
/// `Invalid`, saying what a name may hold.
pub fn check_name(name: &str) -> Result<()> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = name.chars().all(|c| is_word(c) || c == '.' || c == '-');
    let ends = name.starts_with(is_word) && name.ends_with(is_word);
    if fits && ends && name.len() <= NAME_LENGTH_MAX {
        return Ok(());
    }
    Err(Error::invalid(
        "a name holds letters, digits and '_', between them also '.' and '-', at most 256",
    ))
}

/// Where a role is stored.
pub fn key(name: &str) -> String {
    format!("static-role/{name}")
}

fn claim_key(target: &str, username: &str) -> String {
    format!("account/{target}/{}", base_crypto::hex(&base_crypto::sha256(username.as_bytes())))
}

pub(crate) const DUE: &str = "due/";

/// The time, the target and the name in a key of the index.
pub(crate) fn parse_due(key: &str) -> Option<(Timestamp, &str, &str)> {
    let (at, rest) = key.strip_prefix(DUE)?.split_once('/')?;
    let (target, name) = rest.split_once('/')?;
    Some((Timestamp(at.parse().ok()?), target, name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Clone, Deserialize, Serialize)]
    struct Place {
        place: String,
    }

    impl Own for Place {
        const KIND: &'static str = "static role of a test";

        fn target(&self) -> &str {
            &self.place
        }
    }

    type StaticRole = super::StaticRole<Place>;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    const GOLDEN: &str = r#"{"place":"d","accounts":[{"username":"a","password":"p"},{"username":"b","password":null}],"current":0,"schedule":{"period":100},"grace_period":10,"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"1970-01-01T00:01:41Z","retirement":"1970-01-01T00:00:01Z","change":{"account":1,"password":"n","purpose":"retire"},"failure":{"attempts":2,"last_error":"e","since":"1970-01-01T00:00:02Z","next_try":"1970-01-01T00:00:12Z"}}"#;

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
