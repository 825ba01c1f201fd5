use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
    /// The next table is full too, and waits for the one on its way.
    hurried: bool,
    /// Since when the flusher has been at work without giving way.
    stint: Option<Instant>,
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

/// How long the flusher works before it offers the processor to others. The kernel by itself takes
/// it away only after some milliseconds, which is longer than a request should take.
const STINT: Duration = Duration::from_micros(500);

impl State {
    /// If so, another begins.
    fn is_stint_over(&mut self) -> bool {
        let began = *self.stint.get_or_insert_with(Instant::now);
        let over = !self.hurried && began.elapsed() >= STINT;
        if over {
            self.stint = None;
        }
        over
    }
}

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
        self.change(|state| (state.flushing, state.hurried) = (flushing, false));
    }

    /// Said by the writer when it has a second table ready. A flusher that went on giving way to a
    /// flood of writes would let the log grow, and with it the next start.
    pub(crate) fn hurry(&self) {
        self.lock().hurried = true;
    }

    /// Called by the flusher after every small piece of its work.
    pub(crate) fn give_way(&self) {
        if self.lock().is_stint_over() {
            thread::yield_now();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flusher_gives_way_unless_it_is_awaited() {
        let mut state = State::default();
        assert!(!state.is_stint_over(), "it has only begun");
        state.stint = Instant::now().checked_sub(STINT);
        state.hurried = true;
        assert!(!state.is_stint_over());
        state.hurried = false;
        assert!(state.is_stint_over());
        assert!(state.stint.is_none(), "the next one has not begun");

        let control = Control::default();
        control.hurry();
        assert!(control.lock().hurried);
        control.set_flushing(false);
        assert!(!control.lock().hurried, "the next table begins without haste");
    }
}
