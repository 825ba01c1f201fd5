use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// The leases whose secrets are being made or extended at this moment. To revoke one of them has to
/// wait, else the secret could come to be after everybody believed it gone.
#[derive(Default)]
pub(crate) struct Making(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// As long as it lives the lease is not revoked.
pub(crate) struct InTheMaking<'a> {
    making: &'a Making,
    id: String,
    _lock: OwnedMutexGuard<()>,
}

impl Making {
    /// Waits for whoever works on the same secret.
    pub(crate) async fn begin(&self, id: &str) -> InTheMaking<'_> {
        let lock = self.all().entry(id.to_owned()).or_default().clone();
        InTheMaking { making: self, id: id.to_owned(), _lock: lock.lock_owned().await }
    }

    /// Waits until nobody works on the secret of this lease.
    pub(crate) async fn settled(&self, id: &str) {
        let is_worked_on = self.all().contains_key(id);
        if is_worked_on {
            drop(self.begin(id).await);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        // Every change is a single insertion or removal, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InTheMaking<'_> {
    fn drop(&mut self) {
        let mut all = self.making.all();
        // The table and the guard hold one each; any other belongs to somebody who waits.
        if all.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) <= 2) {
            all.remove(&self.id);
        }
    }
}
