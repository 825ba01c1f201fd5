//! The new password of a user that stays: generated and stored, set in the database, verified by
//! logging in, promoted. Whatever happens on the way, what is stored says that a change has begun
//! and with which password; to begin again with the same one does no harm.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base_crypto::random_array;
use base_types::{Error, ErrorKind, Result, Secret, Ttl};
use core_barrier::{Sealed, Tx};
use tokio::time::{Instant, timeout_at};

use crate::Database;
use crate::driver::Login;
use crate::static_role::{self, Change, DUE, Failure, Purpose, StaticRole, parse_due};

/// How much of the index is read at a time.
const PAGE: usize = 256;
/// How many roles of one database are taken on in one run.
const BATCH: usize = 256;
/// How long a run waits for all of its databases. One that takes longer goes on by itself.
const PATIENCE: Duration = Duration::from_secs(5);
const BACKOFF_MIN_SECONDS: u64 = 10;
const BACKOFF_MAX_SECONDS: u64 = 3600;

impl Database {
    /// Does what is due, each database by itself: one that is dead holds up no other.
    pub(crate) async fn rotate_due(self: Arc<Self>) -> Result<()> {
        let mut work = Vec::new();
        for (database, names) in self.due_roles().await? {
            if let Some(busy) = Busy::begin(&self, database) {
                let engine = self.clone();
                work.push(tokio::spawn(async move {
                    let done = engine.rotate_all(names).await;
                    drop(busy);
                    done
                }));
            }
        }
        let end = Instant::now() + PATIENCE;
        for task in work {
            if let Ok(done) = timeout_at(end, task).await {
                done.map_err(Error::internal)??;
            }
        }
        Ok(())
    }

    /// The roles that are due, by their databases, the longest due first.
    async fn due_roles(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut databases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (now, mut after) = (self.clock.now(), String::new());
        loop {
            let keys = self.storage.keys(DUE, &after, PAGE).await?;
            for (at, database, name) in keys.iter().filter_map(|key| parse_due(key)) {
                if at > now {
                    return Ok(databases);
                }
                let names = databases.entry(database.to_owned()).or_default();
                if names.len() < BATCH {
                    names.push(name.to_owned());
                }
            }
            match keys.into_iter().next_back() {
                Some(last) => after = last,
                None => return Ok(databases),
            }
        }
    }

    /// What is due in one database. When it cannot be reached, nobody else tries in this run.
    async fn rotate_all(self: Arc<Self>, names: Vec<String>) -> Result<()> {
        let mut outage: Option<Error> = None;
        for name in names {
            let _turn = self.locks.turn(&static_role::key(&name)).await;
            let Some(role) = self.static_role(&name).await? else { continue };
            let now = self.clock.now();
            let Some(purpose) = role.wants(now) else { continue };
            let begins = role.change.is_none() && purpose == Purpose::Rotate;
            if begins && !role.schedule.may_begin(role.next_rotation, now) {
                self.skip(&name).await?;
                continue;
            }
            if let Some(error) = &outage {
                self.put_off(&name, error).await?;
                continue;
            }
            // Its failure is stored with the role; the job itself has done what it could.
            if let Err(error) = self.change_password(&name, purpose).await
                && error.is(ErrorKind::Unavailable)
            {
                outage = Some(error);
            }
        }
        Ok(())
    }

    /// Changes the password that is next; for whoever has the turn. A failure is stored, logged
    /// and counted, and tried again later.
    pub(crate) async fn change_password(&self, name: &str, purpose: Purpose) -> Result<StaticRole> {
        let outcome = self.attempt(name, purpose).await;
        if let Err(error) = &outcome {
            tracing::warn!(role = name, error = %error.log(), "could not rotate a password");
            self.put_off(name, error).await?;
        }
        self.services.count_rotation(outcome.is_ok());
        outcome
    }

    pub(crate) async fn attempt(&self, name: &str, purpose: Purpose) -> Result<StaticRole> {
        let role = self.known_static_role(name).await?;
        let (connection, driver) = self.driver(&role.db_name).await?;
        let password = self.password(&connection, Some(role.credential.password_policy()?)).await?;
        let role = self.begin(name, purpose, &password).await?;
        let change = role.change.as_ref().ok_or_else(|| Error::internal("no change has begun"))?;
        let (username, password) =
            (&role.accounts[change.account].username, change.password.open());
        let scripts = role.rotation_statements.scripts();
        let fault = match driver.set_password(&scripts, username, password).await {
            Ok(()) => None,
            Err(error) if error.is(ErrorKind::Unavailable) => return Err(error),
            Err(error) => Some(error),
        };
        // A script may fail after it has changed the password: only a login tells.
        match (driver.check_login(username, password).await?, fault) {
            (Login::Accepted, None) => self.promote(name).await,
            (Login::Accepted, Some(error)) => {
                let error = error.log();
                tracing::warn!(role = name, %error, "a password changed before its script failed");
                self.promote(name).await
            }
            (Login::Refused, None) => Err(Error::invalid(format!(
                "the database does not let {username:?} log in with the password that it was given"
            ))),
            (Login::Refused, Some(error)) => {
                // Not done. The next attempt brings another password.
                self.update(name, |role| {
                    role.change = None;
                    Ok(())
                })
                .await?;
                Err(error)
            }
        }
    }

    /// Stores the password before the database is told. A change that was cut short goes on.
    async fn begin(
        &self,
        name: &str,
        purpose: Purpose,
        password: &Secret<String>,
    ) -> Result<StaticRole> {
        self.update(name, |role| {
            let account = role.next_account();
            let new = || Change { account, password: Sealed::from(password.clone()), purpose };
            let change = role.change.get_or_insert_with(new);
            // What was to be a retirement serves a rotation as well: both are of the same account.
            if purpose == Purpose::Rotate {
                change.purpose = purpose;
            }
            Ok(())
        })
        .await
    }

    async fn promote(&self, name: &str) -> Result<StaticRole> {
        let now = self.clock.now();
        self.update(name, |role| role.promote(now)).await
    }

    /// Finds out which password the database takes, where a change was cut short; for whoever has
    /// the turn.
    ///
    /// # Errors
    /// `Unavailable` if the database does not say.
    pub(crate) async fn settle(&self, name: &str) -> Result<StaticRole> {
        let role = self.known_static_role(name).await?;
        let Some(change) = role.change.as_ref().filter(|_| role.is_uncertain()) else {
            return Ok(role);
        };
        let (_, driver) = self.driver(&role.db_name).await?;
        let account = &role.accounts[change.account];
        if driver.check_login(&account.username, change.password.open()).await? == Login::Accepted {
            return self.promote(name).await;
        }
        if let Some(old) = &account.password
            && driver.check_login(&account.username, old.open()).await? == Login::Accepted
        {
            return Ok(role);
        }
        Err(Error::unavailable(format!(
            "the database refuses both the password of {:?} and the one that was to follow: \
             rotate the role",
            account.username
        )))
    }

    pub(crate) async fn put_off(&self, name: &str, error: &Error) -> Result<()> {
        let (now, [jitter]) = (self.clock.now(), random_array::<1>(&*self.random));
        self.update(name, |role| {
            let before = role.failure.as_ref();
            let attempts = before.map_or(0, |failure| failure.attempts).saturating_add(1);
            let since = before.map_or(now, |failure| failure.since);
            let next_try = now.plus(backoff(attempts, jitter));
            let last_error = error.public().to_owned();
            role.failure = Some(Failure { attempts, last_error, since, next_try });
            Ok(())
        })
        .await
        .map(drop)
    }

    /// The window for this time has closed.
    async fn skip(&self, name: &str) -> Result<()> {
        let now = self.clock.now();
        tracing::warn!(role = name, "a rotation missed its window and waits for the next time");
        self.update(name, |role| {
            role.next_rotation = role.schedule.next_after(now)?;
            role.failure = None;
            Ok(())
        })
        .await
        .map(drop)
    }

    pub(crate) async fn static_role(&self, name: &str) -> Result<Option<StaticRole>> {
        self.storage.get(&static_role::key(name)).await
    }

    async fn known_static_role(&self, name: &str) -> Result<StaticRole> {
        let role = self.static_role(name).await?;
        role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))
    }

    /// Changes a stored role, with its place in the index.
    pub(crate) async fn update(
        &self,
        name: &str,
        change: impl Fn(&mut StaticRole) -> Result<()> + Send + Sync,
    ) -> Result<StaticRole> {
        let change = &change;
        let work = |tx: Tx| async move {
            let old = StaticRole::get(&tx, name).await?;
            let old = old.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
            let mut role = old.clone();
            change(&mut role)?;
            role.put(&tx, name, Some(&old))?;
            Ok(role)
        };
        self.storage.transact(work).await
    }
}

/// A database in which rotations run, until it is dropped.
struct Busy {
    engine: Arc<Database>,
    database: String,
}

impl Busy {
    /// Nothing if rotations run there already.
    fn begin(engine: &Arc<Database>, database: String) -> Option<Self> {
        let mut rotating = engine.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = engine.clone();
        rotating.insert(database.clone()).then(|| Self { engine, database })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut rotating = self.engine.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        rotating.remove(&self.database);
    }
}

/// Doubles with every attempt, and is up to a quarter longer, so that what failed together does not
/// come again together.
fn backoff(attempts: u32, jitter: u8) -> Ttl {
    let doubled = BACKOFF_MIN_SECONDS.saturating_mul(1 << (attempts - 1).min(20));
    let seconds = doubled.min(BACKOFF_MAX_SECONDS);
    Ttl::from_seconds(seconds + seconds * u64::from(jitter) / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer() {
        let seconds = |attempts, jitter| backoff(attempts, jitter).seconds();
        assert_eq!(
            [1, 2, 3, 9, 10, u32::MAX].map(|n| seconds(n, 0)),
            [10, 20, 40, 2560, 3600, 3600]
        );
        assert_eq!((seconds(1, 255), seconds(10, 255)), (12, 4496));
    }
}
