use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base_types::Error;

/// Where the threads of a store tell each other how things stand.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A write to the database waits for room on the disk or for the end. Not while the store is
    /// being opened or closed: then it fails at once, and the log still holds everything.
    patient: bool,
    /// A table is on its way into the database.
    flushing: bool,
    /// The flush waits for this many bytes on a full disk.
    starved: bool,
    poison: Option<Arc<str>>,
    /// The writer shall leave everything in the database when it ends.
    tidy: bool,
}

/// Why nothing is written at the moment.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Closed,
    Full { needed: u64 },
    Poisoned(Arc<str>),
}

impl From<&Failure> for Error {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Closed => Self::unavailable("the store is closed"),
            Failure::Full { needed } => Self::unavailable(format!(
                "the disk that holds the data is full (needs {needed} bytes free); \
                 free some space, nothing was lost"
            )),
            Failure::Poisoned(reason) => Self::unavailable(
                "nothing can be written since a write to the data directory failed; \
                 check the disk, then restart the server",
            )
            .because(reason),
        }
    }
}

/// How often a write that found the disk full is tried again.
const RETRY: Duration = Duration::from_millis(200);

impl Control {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change of the state is a single assignment, whole even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_while(&self, condition: impl FnMut(&mut State) -> bool) {
        let guard = self.changed.wait_while(self.lock(), condition);
        drop(guard.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn set_patient(&self, patient: bool) {
        self.change(|state| state.patient = patient);
    }

    /// The store is being closed in an orderly way.
    pub(crate) fn tidy(&self) {
        self.change(|state| (state.patient, state.tidy) = (false, true));
    }

    pub(crate) fn is_tidying(&self) -> bool {
        self.lock().tidy
    }

    /// Nothing is to be written until a restart, for the first `reason` given.
    pub(crate) fn poison(&self, reason: &str) {
        tracing::error!(reason, "the store takes no more writes");
        self.change(|state| {
            state.poison.get_or_insert(reason.into());
        });
    }

    pub(crate) fn poisoned(&self) -> Option<Failure> {
        self.lock().poison.clone().map(Failure::Poisoned)
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.lock().starved
    }

    /// The writer alone says that a table sets out, the flusher alone that it has arrived.
    pub(crate) fn is_flushing(&self) -> bool {
        self.lock().flushing
    }

    pub(crate) fn set_flushing(&self, flushing: bool) {
        self.change(|state| state.flushing = flushing);
    }

    /// Waits until the table on its way has arrived, or cannot for now.
    pub(crate) fn await_flush(&self) {
        self.wait_while(|state| state.flushing && !state.starved && state.poison.is_none());
    }

    /// Waits until no table is on its way any more; false if one did not arrive. Only ends for
    /// sure while the store is being closed.
    pub(crate) fn await_last_flush(&self) -> bool {
        self.wait_while(|state| state.flushing);
        self.lock().poison.is_none()
    }

    /// Called by a write that found the disk full; false when it is to give up.
    pub(crate) fn await_room(&self) -> bool {
        self.change(|state| state.starved = state.patient);
        let waited = self.changed.wait_timeout_while(self.lock(), RETRY, |state| state.patient);
        let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        guard.patient
    }

    pub(crate) fn room_found(&self) {
        self.change(|state| state.starved = false);
    }

    /// Waits until the store is being closed.
    pub(crate) fn await_close(&self) {
        self.wait_while(|state| state.patient);
    }
}
