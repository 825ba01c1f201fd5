//! The store for one machine: everything in one directory, safe from crashes, no server beside it.
//!
//! A commit goes through the queue to the one writer thread, which appends it, together with all
//! others that wait at that moment, to a log (`wal-<n>.log`) with one sync, and into a table of
//! recent writes in memory. Full or old tables are moved into a B-tree file (`data.redb`) by a
//! second thread, whereupon their part of the log is removed. A read looks into the tables, then
//! into the file, and waits for neither thread. After a crash the tables are made again from the
//! log, of which there is never more than a few tables' worth.

mod backend;
mod control;
mod database;
mod directory;
#[cfg(test)]
mod disk_trouble;
mod flusher;
mod queue;
mod record;
mod segment;
mod table;
mod view;
mod wal;
mod writer;

use std::future::ready;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base_types::{BoxFuture, Error, Result};
use store_api::{Batch, CommitError, Entry, Revision, Store};
use tokio::sync::oneshot;

use crate::control::Control;
use crate::database::{Database, Mark};
use crate::directory::Directory;
use crate::flusher::{Flusher, Frozen};
use crate::queue::Queue;
use crate::record::Record;
use crate::view::View;
use crate::wal::{Log, Recovered};
use crate::writer::Writer;

/// A store in a directory of its own. See the head of this crate.
///
/// Dropping it stops its threads and leaves recent writes in the log, from where the next opening
/// takes them; [`Store::close`] leaves everything in the database.
pub struct EmbeddedStore {
    queue: Arc<Queue>,
    view: Arc<View>,
    control: Arc<Control>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The sizes and times of an [`EmbeddedStore`]; the default suits a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Recent writes are moved into the database when there are so many bytes of them. Should
    /// commits come faster than they can be moved, up to eight times as much is held in memory.
    pub table_bytes: usize,
    /// Recent writes are moved into the database when the first of them is so old.
    pub table_age: Duration,
    /// What the database may keep in memory of its file.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { table_bytes: 8 << 20, table_age: Duration::from_secs(5), cache_bytes: 16 << 20 }
    }
}

/// The largest batch: enough for everything a server does, and far below what a record can hold.
const BATCH_BYTES_MAX: usize = 64 << 20;

impl EmbeddedStore {
    /// Opens the store in `directory`, which is made if it is not there. This takes time for the
    /// recent writes in the log, but not for the data.
    ///
    /// # Errors
    /// `Unavailable` if another process uses the directory or the disk fails; `Corrupt`, naming
    /// the file, if something that was safe on the disk is missing or damaged; `Invalid` if a
    /// newer version wrote it.
    pub fn open(directory: &Path, options: Options) -> Result<Self> {
        let dir = Arc::new(Directory::open(directory)?);
        let control = Arc::new(Control::default());
        let step = options.table_bytes as u64;
        if !Database::exists(&dir) {
            let mark = Mark { applied: 0, segment: 1 };
            // In this order, so that where there is a database there is also a log.
            Log::create(&dir, mark, step)?;
            Database::create(&dir, &control, mark)?;
        }
        let database = Database::open(&dir, &control, options.cache_bytes)?;
        let Recovered { log, frozen, active, sequence } =
            Log::recover(Arc::clone(&dir), database.mark()?, step)?;

        let active_since = (!active.is_empty()).then(Instant::now);
        let frozen = frozen.map(|(table, mark)| Frozen { table: Arc::new(table), mark });
        let waiting = frozen.as_ref().map(|frozen| Arc::clone(&frozen.table));
        let view = Arc::new(View::new(active, waiting, database.snapshot()?));
        let (sender, receiver) = mpsc::sync_channel(1);
        if let Some(frozen) = frozen {
            control.set_flushing(true);
            // The channel has room for one, and its receiver is in our hands.
            let _ = sender.send(frozen);
        }
        control.set_patient(true);
        let queue = Arc::new(Queue::new());
        let writer = Writer {
            dir: Arc::clone(&dir),
            queue: Arc::clone(&queue),
            view: Arc::clone(&view),
            control: Arc::clone(&control),
            log,
            flusher: sender,
            options,
            sequence,
            record: Record::default(),
            active_since,
        };
        let flusher =
            Flusher { dir, database, view: Arc::clone(&view), control: Arc::clone(&control) };
        let store = Self { queue, view, control, threads: Mutex::default() };
        store.start("store-writer", move || writer.run())?;
        store.start("store-flusher", move || flusher.run(&receiver))?;
        Ok(store)
    }

    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(run);
        let thread = thread.map_err(|error| {
            Error::unavailable(format!("cannot start the thread {name}: {error}"))
        })?;
        self.threads().push(thread);
        Ok(())
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for EmbeddedStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(ready(self.view.get(key)))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(ready(self.view.list(prefix, after, limit)))
    }

    /// A future that is dropped may still have its batch committed.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>> {
        if batch.size() > BATCH_BYTES_MAX {
            let error = Error::too_large("one commit holds more than 64 MiB");
            return Box::pin(ready(Err(CommitError::Failed(error))));
        }
        Box::pin(self.queue.commit(batch))
    }

    /// Writes what is in the queue and moves everything into the database. Where the disk is full
    /// it stays in the log, which is just as safe.
    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let threads = std::mem::take(&mut *self.threads());
            self.control.tidy();
            self.queue.close();
            let view = Arc::clone(&self.view);
            let (done, closed) = oneshot::channel();
            // Joining blocks, which a thread of a runtime must not.
            let joiner = std::thread::Builder::new().name("store-closer".into()).spawn(move || {
                join(threads);
                view.close();
                let _ = done.send(());
            });
            joiner
                .map_err(|error| Error::unavailable(format!("cannot start a thread: {error}")))?;
            // The sender is dropped only after it was used.
            let _ = closed.await;
            Ok(())
        })
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.queue.abandon();
        self.control.set_patient(false);
        join(std::mem::take(&mut *self.threads()));
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}
