use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base_types::Timestamp;

use crate::mounts::LockoutConfig;

/// Who has failed to log in too often: one count per alias and auth mount, in memory, forgotten
/// when it has aged.
#[derive(Default)]
pub struct Lockouts(Mutex<HashMap<Account, Failures>>);

/// The accessor of the auth mount and the alias.
type Account = (String, String);

#[derive(Clone, Copy)]
struct Failures {
    count: u64,
    latest: Timestamp,
}

/// Bounds the memory that somebody guessing names can take.
const ACCOUNTS_MAX: usize = 100_000;

impl Lockouts {
    /// The account is refused at the moment.
    pub fn is_locked(&self, account: &Account, config: &LockoutConfig, now: Timestamp) -> bool {
        let failures = self.failures();
        !config.disabled
            && failures.get(account).is_some_and(|failures| {
                failures.count >= config.threshold && now < failures.latest.plus(config.duration)
            })
    }

    pub(crate) fn failed(&self, account: &Account, config: &LockoutConfig, now: Timestamp) {
        let mut failures = self.failures();
        if failures.len() >= ACCOUNTS_MAX {
            failures.retain(|_, failures| now < failures.latest.plus(config.counter_reset));
        }
        if failures.len() >= ACCOUNTS_MAX && !failures.contains_key(account) {
            return;
        }
        let entry = failures.entry(account.clone()).or_insert(Failures { count: 0, latest: now });
        let is_old = now >= entry.latest.plus(config.counter_reset);
        let was_locked = entry.count >= config.threshold;
        let count = if is_old || was_locked { 1 } else { entry.count + 1 };
        *entry = Failures { count, latest: now };
    }

    pub(crate) fn succeeded(&self, account: &Account) {
        self.failures().remove(account);
    }

    /// # Returns
    /// Whether there was anything to forget.
    pub fn unlock(&self, mount_accessor: &str, alias: &str) -> bool {
        self.failures().remove(&(mount_accessor.to_owned(), alias.to_owned())).is_some()
    }

    /// Every account with its mount's accessor and its count.
    pub fn counted(&self) -> Vec<(String, String, u64)> {
        let list = |((mount, alias), failures): (&Account, &Failures)| {
            (mount.clone(), alias.clone(), failures.count)
        };
        self.failures().iter().map(list).collect()
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Account, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_after_the_threshold_and_opens_after_the_duration() {
        let (lockouts, config) = (Lockouts::default(), LockoutConfig::default());
        let account = ("userpass_1".to_owned(), "mitchell".to_owned());
        let at = Timestamp::from_seconds;
        for second in 0..4 {
            lockouts.failed(&account, &config, at(second));
            assert!(!lockouts.is_locked(&account, &config, at(second)));
        }
        lockouts.failed(&account, &config, at(4));
        assert!(lockouts.is_locked(&account, &config, at(5)));
        assert!(!lockouts.is_locked(&("userpass_1".into(), "other".into()), &config, at(5)));
        assert!(!lockouts.is_locked(&account, &config, at(4 + 15 * 60)));
        lockouts.failed(&account, &config, at(4 + 15 * 60));
        assert!(!lockouts.is_locked(&account, &config, at(5 + 15 * 60)));
    }

    #[test]
    fn a_success_or_a_pause_starts_the_count_anew() {
        let (lockouts, config) = (Lockouts::default(), LockoutConfig::default());
        let account = ("m".to_owned(), "a".to_owned());
        for _ in 0..4 {
            lockouts.failed(&account, &config, Timestamp::EPOCH);
        }
        lockouts.succeeded(&account);
        lockouts.failed(&account, &config, Timestamp::EPOCH);
        assert!(!lockouts.is_locked(&account, &config, Timestamp::EPOCH));
        for _ in 0..3 {
            lockouts.failed(&account, &config, Timestamp::EPOCH);
        }
        let later = Timestamp::from_seconds(15 * 60);
        lockouts.failed(&account, &config, later);
        assert!(!lockouts.is_locked(&account, &config, later));
    }
}
