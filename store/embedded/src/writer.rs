use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use base_types::{Error, Result};
use store_api::{Batch, CommitError, Expect, Op, Revision};

use crate::Options;
use crate::control::{Control, Failure};
use crate::database::Mark;
use crate::directory::Directory;
use crate::flusher::Frozen;
use crate::queue::{Answer, Queue, Request};
use crate::record::Record;
use crate::segment::Trouble;
use crate::view::{Load, View};
use crate::wal::Log;

/// The one thread that commits. It takes all batches that wait, checks their conditions one after
/// the other, appends those that hold to the log with one write and one sync, and only then shows
/// them to readers and tells those who wait.
pub(crate) struct Writer {
    pub(crate) dir: Arc<Directory>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) view: Arc<View>,
    pub(crate) control: Arc<Control>,
    pub(crate) log: Log,
    pub(crate) flusher: SyncSender<Frozen>,
    pub(crate) options: Options,
    /// The sequence of the last commit.
    pub(crate) sequence: u64,
    pub(crate) record: Record,
    /// When the active table got its first write.
    pub(crate) active_since: Option<Instant>,
}

/// So many full tables may gather before commits wait for the flusher.
const BACKLOG_TABLES: usize = 4;

/// How long to wait before trying again what cannot be done yet.
const PAUSE: Duration = Duration::from_millis(200);

impl Writer {
    /// Works until the queue is closed.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.queue.take(self.patience()) {
            if !group.is_empty() {
                self.commit(group);
            }
            self.freeze_if_due();
        }
        let due = self.control.is_tidying() && self.active_since.is_some();
        if due && self.control.await_last_flush() {
            self.freeze();
        }
    }

    fn commit(&mut self, group: Vec<Request>) {
        let (answers, sequence) = self.judge(&group);
        if let Err(failure) = self.append() {
            for request in group {
                let _ = request.reply.send(Err(CommitError::Failed(Error::from(&failure))));
            }
            return;
        }
        if sequence > self.sequence {
            self.active_since.get_or_insert_with(Instant::now);
            self.sequence = sequence;
        }
        let mut replies = Vec::with_capacity(group.len());
        self.view.publish(|table| {
            for (request, answer) in group.into_iter().zip(answers) {
                if let Ok(revision) = &answer {
                    table.apply(request.batch.ops, *revision);
                }
                replies.push((request.reply, answer));
            }
        });
        for (reply, answer) in replies {
            // Nobody has to wait for the answer.
            let _ = reply.send(answer);
        }
    }

    /// Decides about each batch as if those before it were committed, and puts the accepted ones
    /// into the record. Returns the answers and the sequence that follows from them.
    fn judge(&mut self, group: &[Request]) -> (Vec<Answer>, u64) {
        let mut sequence = self.sequence;
        let mut pending = HashMap::new();
        self.record.start(sequence + 1);
        let answers = group.iter().map(|Request { batch, .. }| {
            self.check(batch, &pending)?;
            if !batch.is_empty() {
                sequence += 1;
                self.record.push(&batch.ops);
                let put = |op: &Op| matches!(op, Op::Put(_)).then_some(Revision(sequence));
                pending.extend(batch.ops.iter().map(|(key, op)| (key.as_str(), put(op))));
            }
            Ok(Revision(sequence))
        });
        (answers.collect(), sequence)
    }

    fn check(
        &self,
        batch: &Batch,
        pending: &HashMap<&str, Option<Revision>>,
    ) -> Result<(), CommitError> {
        for (key, expect) in &batch.expects {
            let found = match pending.get(key.as_str()) {
                Some(found) => *found,
                None => self.view.revision(key).map_err(CommitError::Failed)?,
            };
            let expected = match expect {
                Expect::Absent => None,
                Expect::At(revision) => Some(*revision),
            };
            if found != expected {
                return Err(CommitError::Conflict);
            }
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), Failure> {
        if self.record.is_empty() {
            return Ok(());
        }
        let mut load = self.view.load();
        if load.active_bytes >= BACKLOG_TABLES * self.options.table_bytes {
            self.control.await_flush();
            self.freeze_if_due();
            load = self.view.load();
        }
        if let Some(poisoned) = self.control.poisoned() {
            return Err(poisoned);
        }
        let needed = self.room_needed(&load);
        // A disk that cannot be asked is asked again by the write itself.
        if self.control.is_starved() || self.dir.free_bytes().is_ok_and(|free| free < needed) {
            return Err(Failure::Full { needed });
        }
        match self.log.append(self.record.seal()) {
            Ok(()) => Ok(()),
            Err(trouble) => Err(self.suffer(trouble, needed)),
        }
    }

    /// What must be free on the disk so that the record fits, and after it the tables into the
    /// database: for each of their keys a page or two is written anew, next to the old ones, but
    /// not more than the whole file; then the values themselves and the log.
    fn room_needed(&self, load: &Load) -> u64 {
        const PAGES: u64 = 2 * 4096;
        let rewritten = (load.slots as u64 * PAGES).min(2 * load.database_bytes);
        rewritten + 3 * load.bytes as u64 + 2 * self.options.table_bytes as u64 + self.record.len()
    }

    fn suffer(&self, trouble: Trouble, needed: u64) -> Failure {
        match trouble {
            Trouble::Full => Failure::Full { needed },
            Trouble::Broken(error) => {
                let reason = format!("writing the log failed: {error}");
                self.control.poison(&reason);
                Failure::Poisoned(reason.into())
            }
        }
    }

    fn freeze_if_due(&mut self) {
        let Some(since) = self.active_since else { return };
        let full = self.view.load().active_bytes >= self.options.table_bytes;
        if self.control.is_flushing() {
            if full {
                self.control.hurry();
            }
            return;
        }
        let due = full || since.elapsed() >= self.options.table_age;
        if due && self.control.poisoned().is_none() {
            self.freeze();
        }
    }

    /// Sends the active table on its way into the database. Without room for a new log segment it
    /// stays as it is; the next attempt is not far.
    fn freeze(&mut self) {
        match self.log.rotate(self.sequence + 1) {
            Ok(segment) => {
                let mark = Mark { applied: self.sequence, segment };
                let table = self.view.freeze();
                self.active_since = None;
                self.control.set_flushing(true);
                if self.flusher.send(Frozen { table, mark }).is_err() {
                    self.control.poison("the flusher is gone");
                }
            }
            Err(Trouble::Full) => {}
            Err(broken) => drop(self.suffer(broken, 0)),
        }
    }

    /// How long the writer may sleep without missing the moment at which the table is old.
    fn patience(&self) -> Option<Duration> {
        let age = self.active_since?.elapsed();
        Some(self.options.table_age.saturating_sub(age).max(PAUSE))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use store_api::Store;

    use super::*;
    use crate::EmbeddedStore;

    /// Writes that come faster than they can be flushed must wait rather than fill the memory.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn memory_stays_bounded_in_a_flood() {
        const WRITERS: usize = 8;
        const VALUE: usize = 5000;
        let place = tempfile::tempdir().unwrap();
        let options = Options { table_bytes: 16 << 10, ..Options::default() };
        // A group is taken while the table is just below its limit.
        let bytes_max = BACKLOG_TABLES * options.table_bytes + WRITERS * (VALUE + 200);
        let store = Arc::new(EmbeddedStore::open(place.path(), options.clone()).unwrap());
        let writers = (0..WRITERS).map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for i in 0..150 {
                    let batch = Batch::new().put(format!("{writer}/{i:03}"), vec![0; VALUE]);
                    store.commit(batch).await.unwrap();
                    let bytes = store.view.load().active_bytes;
                    assert!(bytes <= bytes_max, "{bytes} bytes in a table, {bytes_max} allowed");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        drop(store);
        let store = EmbeddedStore::open(place.path(), options).unwrap();
        assert_eq!(store.list("", "", usize::MAX).await.unwrap().len(), WRITERS * 150);
    }
}
