use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base_types::{Result, Timestamp};
use tokio::sync::oneshot;

use crate::Head;
use crate::format::Text;
use crate::ticket::Ticket;

/// An entry on its way.
pub(crate) struct Item {
    pub(crate) text: Arc<Text>,
    pub(crate) time: Timestamp,
    pub(crate) ticket: Arc<Ticket>,
}

pub(super) enum Order {
    Close(Option<oneshot::Sender<()>>),
    Reopen(oneshot::Sender<Result<()>>),
}

/// Beyond this a device counts as too slow.
const QUEUE_ENTRIES_MAX: usize = 8192;
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the broker and the writer's thread have in common.
pub(super) struct Queue {
    pub(super) path: String,
    pub(super) patience: Duration,
    state: Mutex<State>,
    wake: Condvar,
    pub(super) entries: AtomicU64,
    pub(super) failures: AtomicU64,
}

pub(super) struct State {
    pub(super) items: Vec<Item>,
    /// The length of the items' texts.
    bytes: usize,
    /// Those whose entries the writer has in its hands.
    in_flight: Vec<Arc<Ticket>>,
    pub(super) orders: VecDeque<Order>,
    /// New entries are queued; otherwise they are refused and counted as lost.
    pub(super) accepting: bool,
    /// Entries that the stream does not tell of yet.
    pub(super) lost: u64,
    /// The writer waits, and nobody has woken it for new entries yet.
    idle: bool,
    /// Since when the writer has been at work.
    pub(super) busy_since: Option<Instant>,
    /// The writer's thread has ended.
    pub(super) ended: bool,
    pub(super) trouble: Option<String>,
    pub(super) head: Head,
}

impl State {
    /// The queued entries, which from now on are in the writer's hands.
    pub(super) fn take(&mut self) -> Vec<Item> {
        let items = std::mem::take(&mut self.items);
        self.bytes = 0;
        self.in_flight.extend(items.iter().map(|item| Arc::clone(&item.ticket)));
        items
    }
}

/// What the writer does next.
pub(super) enum Work {
    /// Tell the stream how many entries were lost, and accept entries again.
    Gap,
    Items(Vec<Item>),
    Order(Order),
    /// The time that was asked for has passed.
    Timeout,
}

impl Queue {
    pub(super) fn new(path: String, patience: Duration) -> Self {
        let state = State {
            items: Vec::new(),
            bytes: 0,
            in_flight: Vec::new(),
            orders: VecDeque::new(),
            accepting: false,
            lost: 0,
            idle: false,
            busy_since: None,
            ended: false,
            trouble: Some("not opened yet".into()),
            head: Head::START,
        };
        Self {
            path,
            patience,
            state: Mutex::new(state),
            wake: Condvar::new(),
            entries: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the items with one look at the writer, or refuses those that do not fit.
    pub(super) fn submit(&self, items: impl IntoIterator<Item = Item>) {
        let mut refused = Vec::new();
        let mut state = self.lock();
        for item in items {
            let bytes = state.bytes + item.text.json.len();
            let fits = state.items.is_empty()
                || (state.items.len() < QUEUE_ENTRIES_MAX && bytes <= QUEUE_BYTES_MAX);
            if state.accepting && fits {
                state.items.push(item);
                state.bytes = bytes;
                continue;
            }
            if state.accepting {
                self.stop(&mut state, "its queue is full".into());
            }
            self.lose(&mut state, 1);
            refused.push(item.ticket);
        }
        let wake = state.idle && !state.items.is_empty();
        // Whoever comes before the writer is up need not wake it again.
        state.idle &= !wake;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        for ticket in refused {
            ticket.refuse();
        }
    }

    pub(super) fn order(&self, order: Order) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        if matches!(order, Order::Close(_)) {
            state.accepting = false;
        }
        state.orders.push_back(order);
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn stop(&self, state: &mut State, trouble: String) {
        tracing::error!(device = self.path, trouble, "the audit device takes no entries");
        state.accepting = false;
        state.trouble = Some(trouble);
    }

    /// Refuses everything that waits in the queue.
    pub(super) fn refuse_queued(&self, state: &mut State) {
        let items = std::mem::take(&mut state.items);
        state.bytes = 0;
        self.lose(state, items.len());
        for item in items {
            item.ticket.refuse();
        }
    }

    pub(super) fn lose(&self, state: &mut State, count: usize) {
        state.lost += count as u64;
        self.failures.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Waits for something to do. `broken` means that only orders and time matter.
    pub(super) fn next(&self, broken: bool, timeout: Option<Duration>) -> Work {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut state = self.lock();
        state.busy_since = None;
        state.in_flight.clear();
        let work = loop {
            if let Some(order) = state.orders.pop_front() {
                break Work::Order(order);
            }
            if !broken {
                if state.lost > 0 && state.accepting {
                    break Work::Gap;
                }
                if !state.items.is_empty() {
                    let items = state.take();
                    break Work::Items(items);
                }
                if !state.accepting {
                    break Work::Gap;
                }
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break Work::Timeout;
            }
            state.idle = true;
            state = match left {
                Some(left) => {
                    let (state, _) =
                        self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                    state
                }
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.idle = false;
        };
        state.busy_since = Some(Instant::now());
        work
    }

    /// Refuses what waits for a writer that has been stuck for too long. When the writer comes
    /// back, its batch is in the stream all the same: an entry too many is no harm.
    pub(super) fn refuse_if_stuck(&self) {
        let mut state = self.lock();
        let stuck = state.busy_since.is_some_and(|since| since.elapsed() >= self.patience);
        if !stuck || (state.in_flight.is_empty() && state.items.is_empty()) {
            return;
        }
        if state.accepting {
            self.stop(&mut state, "it has been stuck in one write".into());
        }
        let in_flight = std::mem::take(&mut state.in_flight);
        self.refuse_queued(&mut state);
        drop(state);
        for ticket in in_flight {
            ticket.refuse();
        }
    }
}
