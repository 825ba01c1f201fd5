//! A store in memory: for tests and for servers that shall forget.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use base_types::{BoxFuture, Error};
use store_api::{Batch, CommitError, Entry, Expect, Op, Revision, Store};

/// Keeps everything in one sorted map. [`Store::close`] empties it.
#[derive(Default)]
pub struct MemStore(RwLock<Contents>);

#[derive(Default)]
struct Contents {
    entries: BTreeMap<String, Entry>,
    revision: u64,
    closed: bool,
}

impl MemStore {
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Contents>, Error> {
        // A commit checks everything before it changes anything, so that the map is whole even
        // after a panic.
        let contents = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if contents.closed { Err(closed()) } else { Ok(contents) }
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, Contents>, Error> {
        let contents = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if contents.closed { Err(closed()) } else { Ok(contents) }
    }
}

impl Contents {
    fn list(&self, prefix: &str, after: &str, limit: usize) -> Vec<String> {
        let start = if after < prefix { Bound::Included(prefix) } else { Bound::Excluded(after) };
        let keys = self.entries.range::<str, _>((start, Bound::Unbounded)).map(|(key, _)| key);
        keys.take_while(|key| key.starts_with(prefix)).take(limit).cloned().collect()
    }

    fn commit(&mut self, batch: Batch) -> Result<Revision, CommitError> {
        let holds = |(key, expect): &(String, Expect)| {
            let found = self.entries.get(key).map(|entry| entry.revision);
            match expect {
                Expect::Absent => found.is_none(),
                Expect::At(revision) => found == Some(*revision),
            }
        };
        if !batch.expects.iter().all(holds) {
            return Err(CommitError::Conflict);
        }
        if !batch.is_empty() {
            self.revision += 1;
        }
        let revision = Revision(self.revision);
        for (key, op) in batch.ops {
            match op {
                Op::Delete => self.entries.remove(&key),
                Op::Put(value) => self.entries.insert(key, Entry { value, revision }),
            };
        }
        Ok(revision)
    }
}

impl Store for MemStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        let found = self.read().map(|contents| contents.entries.get(key).cloned());
        Box::pin(std::future::ready(found))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        let keys = self.read().map(|contents| contents.list(prefix, after, limit));
        Box::pin(std::future::ready(keys))
    }

    /// The batch is applied when the future is polled, not before.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move { self.write().map_err(CommitError::Failed)?.commit(batch) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let mut contents = self.0.write().unwrap_or_else(PoisonError::into_inner);
            *contents = Contents { closed: true, ..Contents::default() };
            Ok(())
        })
    }
}

fn closed() -> Error {
    Error::unavailable("the store is closed")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn conforms() {
        let store: Arc<dyn Store> = Arc::new(MemStore::new());
        store_api::conformance::run(&store, "first/").await;
        store_api::conformance::run(&store, "second/").await;
        store_api::conformance::refuses_after_close(&store).await;
    }
}
