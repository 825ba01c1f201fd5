use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::{Error, Result, Secret};
use store_api::{Batch, CommitError, Entry, Expect};

use crate::{Record, View, record};

/// A transaction in progress, relative to the view that started it. Clones are the same
/// transaction. Reads see the transaction's own writes, and the same value each time.
#[derive(Clone)]
pub struct Tx(Arc<Inner>);

struct Inner {
    view: View,
    state: Mutex<State>,
}

/// What a transaction has read and wants to write, by key in the store.
#[derive(Default)]
struct State {
    reads: BTreeMap<String, Option<Entry>>,
    absent: BTreeSet<String>,
    /// The record to write, or nothing to delete.
    writes: BTreeMap<String, Option<Secret<Vec<u8>>>>,
}

const ATTEMPTS_MAX: usize = 64;

pub(crate) async fn run<T, F, Fut>(view: &View, work: F) -> Result<T>
where
    F: Fn(Tx) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T>> + Send,
    T: Send,
{
    for _ in 0..ATTEMPTS_MAX {
        let tx = Tx(Arc::new(Inner { view: view.clone(), state: Mutex::default() }));
        let outcome = work(tx.clone()).await;
        let state = std::mem::take(&mut *tx.state());
        // An error may come from reads that do not belong together, so it counts only if they do.
        let holds = match outcome {
            Ok(_) if state.only_reads() => state.still_holds(view).await?,
            Ok(_) => state.commit(view).await?,
            Err(_) => state.still_holds(view).await?,
        };
        if holds {
            return outcome;
        }
        tokio::task::yield_now().await;
    }
    Err(Error::unavailable("too many others are writing the same data: try again"))
}

impl Tx {
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<R>> {
        let key = self.0.view.key(key);
        if let Some(written) = self.state().writes.get(&key) {
            let read = |bytes: &Secret<Vec<u8>>| record::decode(&key, bytes.expose());
            return written.as_ref().map(read).transpose();
        }
        let Some(entry) = self.read(&key).await? else {
            return self.0.view.barrier().check_unsealed().map(|()| None);
        };
        let plaintext = self.0.view.barrier().decrypt(&key, &entry)?;
        record::decode(&key, plaintext.expose()).map(Some)
    }

    pub fn put<R: Record>(&self, key: &str, record: &R) -> Result<()> {
        let bytes = record::encode(record)?;
        self.state().writes.insert(self.0.view.key(key), Some(bytes));
        Ok(())
    }

    pub fn delete(&self, key: &str) {
        self.state().writes.insert(self.0.view.key(key), None);
    }

    /// Requires at commit that nothing is stored at `key`; else the transaction runs again.
    pub fn absent(&self, key: &str) {
        self.state().absent.insert(self.0.view.key(key));
    }

    /// What is stored at `key`, as this transaction saw it first.
    async fn read(&self, key: &str) -> Result<Option<Entry>> {
        if let Some(entry) = self.state().reads.get(key) {
            return Ok(entry.clone());
        }
        let entry = self.0.view.barrier().store.get(key).await?;
        Ok(self.state().reads.entry(key.to_owned()).or_insert(entry).clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single insertion, so a panic elsewhere leaves nothing half-done.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn only_reads(&self) -> bool {
        self.writes.is_empty() && self.absent.is_empty()
    }

    /// Whether all that was read was there at one moment. A single read always was.
    async fn still_holds(&self, view: &View) -> Result<bool> {
        if self.reads.len() < 2 {
            return Ok(true);
        }
        let revision = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.revision);
        for (key, entry) in &self.reads {
            if revision(&view.barrier().store.get(key).await?) != revision(entry) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes everything, or says that somebody else was quicker.
    async fn commit(self, view: &View) -> Result<bool> {
        let mut batch = Batch::new();
        for (key, entry) in self.reads {
            let expect = entry.map_or(Expect::Absent, |entry| Expect::At(entry.revision));
            batch = batch.expect(key, expect);
        }
        for key in self.absent {
            batch = batch.expect(key, Expect::Absent);
        }
        for (key, written) in self.writes {
            batch = match written {
                Some(bytes) => {
                    let value = view.barrier().encrypt(&key, bytes.expose()).await?;
                    batch.put(key, value)
                }
                None => batch.delete(key),
            };
        }
        match view.barrier().commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(CommitError::Failed(error)) => Err(error),
        }
    }
}
