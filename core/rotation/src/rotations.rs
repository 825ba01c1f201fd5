use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use base_crypto::{Random, random_array};
use base_types::{Clock, Error, ErrorKind, Result, Secret, Timestamp, Ttl};
use core_barrier::{Tx, View};
use core_engine_api::{Mount, Services};
use tokio::sync::OwnedMutexGuard;

use crate::Locks;
use crate::static_role::{Failure, Own, StaticRole, key};

/// The static roles of one engine, as they are stored, and who is at work on them.
pub struct Rotations {
    pub(crate) storage: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pub(crate) services: Arc<dyn Services>,
    locks: Locks,
    /// The targets in which rotations run at the moment.
    busy: Mutex<HashSet<String>>,
}

const BACKOFF_MIN_SECONDS: u64 = 10;
const BACKOFF_MAX_SECONDS: u64 = 3600;

impl Rotations {
    pub fn of(mount: &Mount) -> Self {
        Self {
            storage: mount.storage.clone(),
            clock: mount.clock.clone(),
            random: mount.random.clone(),
            services: mount.services.clone(),
            locks: Locks::default(),
            busy: Mutex::default(),
        }
    }

    /// The turn to change a role, held while its password changes.
    pub async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        self.locks.turn(name).await
    }

    pub async fn role<O: Own>(&self, name: &str) -> Result<Option<StaticRole<O>>> {
        self.storage.get(&key(name)).await
    }

    /// # Errors
    /// `Invalid` if there is none.
    pub async fn known<O: Own>(&self, name: &str) -> Result<StaticRole<O>> {
        self.role(name).await?.ok_or_else(|| unknown(name))
    }

    /// Stores a new role, and takes its accounts for it.
    ///
    /// # Errors
    /// `Invalid` if another role has one of them.
    pub async fn create<O: Own>(&self, name: &str, role: &StaticRole<O>) -> Result<()> {
        let create = |tx: Tx| async move {
            role.claim(&tx, name).await?;
            role.put(&tx, name, None)
        };
        self.storage.transact(create).await
    }

    /// Stores a role in the place of what it was, where its accounts or its target may be others; for
    /// whoever has the turn.
    ///
    /// # Errors
    /// `Invalid` if another role has one of the accounts.
    pub async fn replace<O: Own>(
        &self,
        name: &str,
        old: &StaticRole<O>,
        new: &StaticRole<O>,
    ) -> Result<()> {
        let replace = |tx: Tx| async move {
            let stored = StaticRole::get(&tx, name).await?;
            old.release(&tx);
            new.claim(&tx, name).await?;
            new.put(&tx, name, stored.as_ref())
        };
        self.storage.transact(replace).await
    }

    /// Changes a stored role, with its place in the index.
    ///
    /// # Errors
    /// `Invalid` if there is none, and whatever `change` says.
    pub async fn update<O: Own>(
        &self,
        name: &str,
        change: impl Fn(&mut StaticRole<O>) -> Result<()> + Send + Sync,
    ) -> Result<StaticRole<O>> {
        let change = &change;
        let work = |tx: Tx| async move {
            let old = StaticRole::get(&tx, name).await?.ok_or_else(|| unknown(name))?;
            let mut role = old.clone();
            change(&mut role)?;
            role.put(&tx, name, Some(&old))?;
            Ok(role)
        };
        self.storage.transact(work).await
    }

    /// Removes a role, if it is there, and leaves its accounts as they are.
    pub async fn remove<O: Own>(&self, name: &str) -> Result<()> {
        let remove = |tx: Tx| async move {
            if let Some(role) = StaticRole::<O>::get(&tx, name).await? {
                role.delete(&tx, name);
            }
            Ok(())
        };
        self.storage.transact(remove).await
    }

    /// A password by the first of these policies that has a name, else by the server's own.
    ///
    /// # Errors
    /// `Invalid` if there is no such policy.
    pub async fn password(&self, policies: &[&str]) -> Result<Secret<String>> {
        let policy = policies.iter().copied().find(|policy| !policy.is_empty());
        let made = self.services.password(policy).await;
        made.map_err(|error| {
            // The policy is missing, and not what was asked for.
            let error = match error.kind() {
                ErrorKind::NotFound => Error::invalid("no password policy found"),
                _ => error,
            };
            error.at("failed to generate password")
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Stores that an attempt has failed, and when the next one is made.
    pub(crate) async fn put_off<O: Own>(&self, name: &str, error: &Error) -> Result<()> {
        let (now, [jitter]) = (self.now(), random_array::<1>(&*self.random));
        self.update::<O>(name, |role| {
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

    /// Marks a target as one in which rotations run; `false` if it is marked already.
    pub(crate) fn occupy(&self, target: &str) -> bool {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).insert(target.to_owned())
    }

    pub(crate) fn leave(&self, target: &str) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
    }
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("unknown role: {name}"))
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
