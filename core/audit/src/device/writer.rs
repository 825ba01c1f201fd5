use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use base_types::{Clock, Error, Result};
use tokio::sync::oneshot;

use super::queue::{Item, Order, Queue, Work};
use crate::Head;
use crate::chain::{Chain, Checkpoint, End, INTERVAL, Reason};
use crate::sink::{Batch, Fault, Flush, Sink};

const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// When so many entries came at once, more are on their way: to let them gather for a moment spares
/// each of them a write and a wake-up of its own. A single client never waits for it.
const CROWD: usize = 4;
const GATHERING: Duration = Duration::from_micros(50);

/// The thread is the device's own, so that nobody else is kept waiting.
#[allow(clippy::disallowed_methods)]
fn gather() {
    thread::sleep(GATHERING);
}

/// The thread of one device: the only one that touches its sink and its chain.
pub(super) struct Writer {
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    chain: Chain,
    clock: Arc<dyn Clock>,
    batch: Batch,
    /// The lines of `batch`.
    lines: Vec<BatchLine>,
    /// The sink has taken a first line, so the chain goes on where it stands.
    started: bool,
    /// The sink must be opened before it is used again.
    broken: bool,
    backoff: Duration,
    unsigned_since: Option<Instant>,
}

struct BatchLine {
    /// Where the chain stands after the line.
    end: End,
    is_checkpoint: bool,
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        sink: Box<dyn Sink>,
        chain: Chain,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            queue,
            sink,
            chain,
            clock,
            batch: Batch::default(),
            lines: Vec::new(),
            started: false,
            broken: false,
            backoff: BACKOFF_MIN,
            unsigned_since: None,
        }
    }

    /// Tells `ready` how opening went, and works until the device is closed.
    pub(super) fn run(mut self, ready: oneshot::Sender<Result<()>>, skip_test: bool) {
        self.queue.lock().busy_since = Some(Instant::now());
        let opened = self.open();
        let give_up = opened.is_err() && !skip_test;
        // Nobody waits any more when opening took too long; then the device is closed already.
        let _ = ready.send(opened);
        if give_up {
            self.end();
            return;
        }
        loop {
            match self.queue.next(self.broken, self.timeout()) {
                Work::Gap => self.gap(),
                Work::Items(items) => {
                    self.deliver(&items);
                    if items.len() >= CROWD {
                        gather();
                    }
                }
                Work::Order(Order::Reopen(reply)) => {
                    let _ = reply.send(self.reopen());
                }
                Work::Order(Order::Close(reply)) => {
                    self.finish();
                    self.end();
                    drop(reply);
                    return;
                }
                Work::Timeout if self.broken => self.recover(),
                Work::Timeout => self.interval(),
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.broken {
            return Some(self.backoff);
        }
        let interval = Duration::from_secs(INTERVAL.seconds());
        self.unsigned_since.map(|since| interval.saturating_sub(since.elapsed()))
    }

    /// Opens the sink for the first time, or again after a failure.
    fn open(&mut self) -> Result<()> {
        let opened = self.sink.open().and_then(|tail| {
            if !self.started {
                self.chain.end = End::at(tail.head.unwrap_or(Head::START));
            }
            self.begin(Reason::Open, tail.torn)
        });
        match &opened {
            Ok(()) => {
                self.started = true;
                self.broken = false;
                self.backoff = BACKOFF_MIN;
            }
            Err(error) => self.fail(error),
        }
        opened
    }

    /// Writes a checkpoint that tells of what was lost, and accepts entries behind it.
    fn begin(&mut self, reason: Reason, torn: u64) -> Result<()> {
        let lost = {
            let mut state = self.queue.lock();
            // Entries queue up behind the checkpoint, so none is missed between it and them.
            state.accepting = !state.orders.iter().any(|order| matches!(order, Order::Close(_)));
            std::mem::take(&mut state.lost)
        };
        let flush = if reason == Reason::Gap { Flush::Soon } else { Flush::Now };
        let written = self.checkpoint(reason, lost, torn, flush);
        let mut state = self.queue.lock();
        match &written {
            Ok(()) => {
                if state.trouble.take().is_some() && self.started {
                    tracing::info!(device = self.queue.path, lost, "the audit device works again");
                }
            }
            Err(_) => state.lost += lost,
        }
        drop(state);
        written
    }

    fn gap(&mut self) {
        if let Err(error) = self.begin(Reason::Gap, 0) {
            self.fail(&error);
        }
    }

    fn interval(&mut self) {
        if let Err(error) = self.checkpoint(Reason::Interval, 0, 0, Flush::Soon) {
            self.fail(&error);
        }
    }

    fn recover(&mut self) {
        let backoff = self.backoff;
        if self.open().is_err() {
            self.backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    fn reopen(&mut self) -> Result<()> {
        if self.broken {
            return self.open();
        }
        if let Err(error) = self.checkpoint(Reason::Rotate, 0, 0, Flush::Now) {
            tracing::warn!(device = self.queue.path, error = %error.log(), "no last checkpoint");
        }
        self.sink.close();
        let opened = self.sink.open().and_then(|tail| self.begin(Reason::Open, tail.torn));
        if let Err(error) = &opened {
            self.fail(error);
        }
        opened
    }

    fn finish(&mut self) {
        if self.broken {
            return;
        }
        let items = self.queue.lock().take();
        self.deliver(&items);
        let lost = std::mem::take(&mut self.queue.lock().lost);
        if let Err(error) = self.checkpoint(Reason::Close, lost, 0, Flush::Now) {
            tracing::warn!(device = self.queue.path, error = %error.log(), "no last checkpoint");
        }
    }

    fn end(&mut self) {
        self.sink.close();
        let mut state = self.queue.lock();
        state.ended = true;
        state.accepting = false;
        state.orders.clear();
        self.queue.refuse_queued(&mut state);
    }

    /// Writes the entries in one go. Each ticket gets its answer.
    fn deliver(&mut self, items: &[Item]) {
        let mut rest = items;
        while !rest.is_empty() {
            let before = self.chain.end;
            self.compile(rest);
            let written = self.sink.write(&self.batch);
            let done = self.lines.get(..written.lines).unwrap_or(&self.lines);
            let signed = done.iter().any(|line| line.is_checkpoint);
            let accepted = done.iter().filter(|line| !line.is_checkpoint).count();
            self.chain.end = done.last().map_or(before, |line| line.end);
            // What can be asked about a device is true by the time that somebody can ask.
            self.queue.entries.fetch_add(accepted as u64, Ordering::Relaxed);
            self.queue.lock().head = self.chain.end.head;
            for item in &rest[..accepted] {
                item.ticket.accept();
            }
            self.note_unsigned(signed);
            rest = &rest[accepted..];
            let failure = match written.fault {
                None if signed => self.sink.sync(Flush::Soon).err(),
                None => None,
                Some(Fault::Broken(error)) => Some(error),
                Some(Fault::TooLong) => {
                    rest = self.refuse(rest, 1);
                    None
                }
            };
            if let Some(error) = failure {
                self.fail(&error);
                self.refuse(rest, rest.len());
                return;
            }
        }
    }

    /// Makes the lines of `items`, with checkpoints where one is due.
    fn compile(&mut self, items: &[Item]) {
        self.batch.clear();
        self.lines.clear();
        for item in items {
            if self.chain.end.is_due(item.time) {
                let checkpoint = Checkpoint {
                    reason: Reason::Interval,
                    time: self.clock.now(),
                    lost: 0,
                    torn: 0,
                };
                self.chain.checkpoint(checkpoint, &mut self.batch.bytes);
                self.push_line(true);
            }
            self.chain.append(&item.text.json, item.time, &mut self.batch.bytes);
            self.push_line(false);
        }
    }

    fn push_line(&mut self, is_checkpoint: bool) {
        self.batch.ends.push(self.batch.bytes.len());
        self.lines.push(BatchLine { end: self.chain.end, is_checkpoint });
    }

    /// Refuses the first `count` of `items` and returns the others.
    fn refuse<'a>(&self, items: &'a [Item], count: usize) -> &'a [Item] {
        let (refused, rest) = items.split_at(count.min(items.len()));
        self.queue.lose(&mut self.queue.lock(), refused.len());
        for item in refused {
            item.ticket.refuse();
        }
        rest
    }

    fn checkpoint(&mut self, reason: Reason, lost: u64, torn: u64, flush: Flush) -> Result<()> {
        let before = self.chain.end;
        self.batch.clear();
        let checkpoint = Checkpoint { reason, time: self.clock.now(), lost, torn };
        self.chain.checkpoint(checkpoint, &mut self.batch.bytes);
        self.batch.ends.push(self.batch.bytes.len());
        let written = self.sink.write(&self.batch);
        match written.fault {
            None => {
                self.note_unsigned(true);
                self.queue.lock().head = self.chain.end.head;
                self.sink.sync(flush)
            }
            Some(fault) => {
                self.chain.end = before;
                Err(match fault {
                    Fault::Broken(error) => error,
                    Fault::TooLong => {
                        Error::unavailable("a checkpoint does not fit into a datagram")
                    }
                })
            }
        }
    }

    /// Keeps the time of the first line that no checkpoint covers yet.
    fn note_unsigned(&mut self, signed: bool) {
        if signed || self.chain.end.unsigned == 0 {
            self.unsigned_since = None;
        }
        if self.chain.end.unsigned > 0 && self.unsigned_since.is_none() {
            self.unsigned_since = Some(Instant::now());
        }
    }

    /// The sink does not work: what waits for it is refused at once, so that a request can fail or
    /// be recorded elsewhere.
    fn fail(&mut self, error: &Error) {
        self.sink.close();
        self.backoff = BACKOFF_MIN;
        let again = std::mem::replace(&mut self.broken, true);
        let mut state = self.queue.lock();
        let trouble = error.log().to_string();
        if again {
            tracing::debug!(device = self.queue.path, trouble, "the audit device still fails");
            state.accepting = false;
            state.trouble = Some(trouble);
        } else {
            self.queue.stop(&mut state, trouble);
        }
        self.queue.refuse_queued(&mut state);
    }
}
