use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base_types::{Timestamp, Ttl};

/// The users that were made a moment ago, or may have been. IAM does not know its users everywhere
/// at once, so that it may deny to have one that is there.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>
#[derive(Default)]
pub(crate) struct RecentUsers(Mutex<HashMap<String, Timestamp>>);

/// IAM needs seconds.
const MOMENT: Ttl = Ttl::from_seconds(60);

impl RecentUsers {
    pub(crate) fn add(&self, name: &str, now: Timestamp) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, made| made.plus(MOMENT) > now);
        users.insert(name.to_owned(), now);
    }

    pub(crate) fn contains(&self, name: &str, now: Timestamp) -> bool {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(name).is_some_and(|made| made.plus(MOMENT) > now)
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
