use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use base_types::{Clock, Error, Result};
use tokio::sync::oneshot;

use crate::chain::Chain;
use crate::redact::Style;
use crate::sink::Sink;
use crate::{DeviceConfig, Head};

mod queue;
mod writer;

pub(crate) use queue::Item;
use queue::{Order, Queue};
use writer::Writer;

/// An enabled device: a bounded queue, and a thread that empties it into the sink.
pub(crate) struct Device {
    pub(crate) config: DeviceConfig,
    pub(crate) style: Arc<Style>,
    queue: Arc<Queue>,
}

/// How a device is doing.
#[derive(Clone, Debug)]
pub struct DeviceState {
    pub path: String,
    /// Entries written since the device was enabled.
    pub entries: u64,
    /// Entries not written since the device was enabled. Each is also counted in the device's own
    /// stream once it works again.
    pub failures: u64,
    /// Entries that wait to be written.
    pub queued: usize,
    /// Why the device takes no entries at the moment.
    pub trouble: Option<String>,
    /// The last line that was written.
    pub head: Head,
}

/// What a device is made of.
pub(crate) struct Parts {
    pub(crate) config: DeviceConfig,
    pub(crate) style: Arc<Style>,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) chain: Chain,
    pub(crate) clock: Arc<dyn Clock>,
    /// After this long without an answer from the sink, the entries that wait for it are refused.
    pub(crate) patience: Duration,
    /// The device is kept and tried again when it cannot take its first line.
    pub(crate) skip_test: bool,
}

impl Device {
    /// Opens the sink and writes the first checkpoint to it.
    pub(crate) async fn start(parts: Parts) -> Result<Self> {
        let Parts { config, style, sink, chain, clock, patience, skip_test } = parts;
        let queue = Arc::new(Queue::new(config.path.clone(), patience));
        let writer = Writer::new(Arc::clone(&queue), sink, chain, clock);
        let (ready, opened) = oneshot::channel();
        thread::Builder::new()
            .name(format!("audit {}", config.path))
            .spawn(move || writer.run(ready, skip_test))
            .map_err(|error| Error::internal(format!("failed to start a thread: {error}")))?;
        tokio::spawn(watch(Arc::downgrade(&queue), patience));
        let device = Self { config, style, queue };
        match tokio::time::timeout(patience, opened).await {
            Ok(Ok(Err(error))) if !skip_test => {
                Err(error.at(format!("audit device {}", device.config.path)))
            }
            Ok(Err(_)) | Err(_) if !skip_test => Err(Error::unavailable(format!(
                "audit device {} does not take its first line: is somebody reading from it?",
                device.config.path
            ))),
            _ => Ok(device),
        }
    }

    /// Queues entries, or refuses the tickets of those that the device cannot take.
    pub(crate) fn submit(&self, items: impl IntoIterator<Item = Item>) {
        self.queue.submit(items);
    }

    /// Asks for the file to be closed and opened again. The answer comes when it is done.
    pub(crate) fn reopen(&self) -> oneshot::Receiver<Result<()>> {
        let (reply, answer) = oneshot::channel();
        self.queue.order(Order::Reopen(reply));
        answer
    }

    /// Writes what is queued and the last checkpoint. Waits as long as the device's patience.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        self.queue.order(Order::Close(Some(reply)));
        if tokio::time::timeout(self.queue.patience, answer).await.is_err() {
            tracing::warn!(device = self.config.path, "the audit device does not close");
        }
    }

    pub(crate) fn patience(&self) -> Duration {
        self.queue.patience
    }

    pub(crate) fn state(&self) -> DeviceState {
        let state = self.queue.lock();
        DeviceState {
            path: self.config.path.clone(),
            entries: self.queue.entries.load(Ordering::Relaxed),
            failures: self.queue.failures.load(Ordering::Relaxed),
            queued: state.items.len(),
            trouble: state.trouble.clone(),
            head: state.head,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.queue.order(Order::Close(None));
    }
}

/// Looks after a writer that may be stuck, until the device is gone.
async fn watch(queue: Weak<Queue>, patience: Duration) {
    let mut ticks = tokio::time::interval((patience / 4).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        match queue.upgrade() {
            Some(queue) if !queue.lock().ended => queue.refuse_if_stuck(),
            _ => return,
        }
    }
}
