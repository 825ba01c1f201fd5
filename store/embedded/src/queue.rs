use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base_types::Error;
use store_api::{Batch, CommitError, Revision};
use tokio::sync::{Semaphore, oneshot};

use crate::control::Failure;

/// Where commits wait for the writer thread: bounded, filled from async code, emptied in groups.
pub(crate) struct Queue {
    room: Semaphore,
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    requests: VecDeque<Request>,
    closed: bool,
}

pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) reply: oneshot::Sender<Answer>,
}

pub(crate) type Answer = Result<Revision, CommitError>;

const REQUESTS_MAX: usize = 1024;

/// A group of commits stops growing here, so that one write stays short and its buffer small.
const GROUP_BYTES: usize = 4 << 20;

impl Queue {
    pub(crate) fn new() -> Self {
        let room = Semaphore::new(REQUESTS_MAX);
        Self { room, state: Mutex::default(), filled: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between two states can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits `batch`, waiting for room in the queue and then for the writer.
    pub(crate) async fn commit(&self, batch: Batch) -> Answer {
        let closed = || CommitError::Failed(Error::from(&Failure::Closed));
        let permit = self.room.acquire().await.map_err(|_| closed())?;
        let (reply, answer) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.closed {
                return Err(closed());
            }
            permit.forget();
            state.requests.push_back(Request { batch, reply });
            if state.requests.len() == 1 {
                self.filled.notify_one();
            }
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// The next group in the order of arrival. Empty when nothing came within `patience`; `None`
    /// when the queue is closed and empty.
    pub(crate) fn take(&self, patience: Option<Duration>) -> Option<Vec<Request>> {
        let idle = |state: &mut State| state.requests.is_empty() && !state.closed;
        let mut state = self.lock();
        state = match patience {
            None => self.filled.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.filled.wait_timeout_while(state, patience, idle);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        if state.requests.is_empty() && state.closed {
            return None;
        }
        let (mut group, mut bytes) = (Vec::new(), 0);
        while bytes < GROUP_BYTES
            && let Some(request) = state.requests.pop_front()
        {
            bytes += request.batch.size();
            group.push(request);
        }
        self.room.add_permits(group.len());
        Some(group)
    }

    /// Takes no more; what is in the queue is still to be written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.room.close();
        self.filled.notify_all();
    }

    /// Takes no more, and tells those who wait that nothing came of it.
    pub(crate) fn abandon(&self) {
        self.close();
        self.lock().requests.clear();
    }
}
