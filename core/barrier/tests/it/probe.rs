use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base_types::{BoxFuture, Error, Result};
use store_api::{Batch, CommitError, Entry, Revision, Store};
use store_mem::MemStore;
use tokio::sync::Semaphore;

/// A store that counts what it is asked; that can die: after a number of commits it takes no more,
/// as a server that was killed; and that can be slow: what it committed it tells only when allowed.
pub(crate) struct Probe {
    pub(crate) store: Arc<MemStore>,
    commits_left: AtomicUsize,
    pub(crate) commits: AtomicUsize,
    pub(crate) listed: AtomicUsize,
    pub(crate) answers: Semaphore,
}

const ALWAYS: usize = 1_000_000;

impl Probe {
    pub(crate) fn new(store: Arc<MemStore>) -> Arc<Self> {
        Self::dying_after(store, usize::MAX)
    }

    pub(crate) fn dying_after(store: Arc<MemStore>, commits: usize) -> Arc<Self> {
        let (commits_left, commits) = (AtomicUsize::new(commits), AtomicUsize::new(0));
        Arc::new(Self {
            store,
            commits_left,
            commits,
            listed: AtomicUsize::new(0),
            answers: Semaphore::new(ALWAYS),
        })
    }
}

impl Store for Probe {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.store.get(key)
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let keys = self.store.list(prefix, after, limit).await?;
            self.listed.fetch_add(keys.len(), Ordering::SeqCst);
            Ok(keys)
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>> {
        let alive = |left: usize| left.checked_sub(1);
        if self.commits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, alive).is_err() {
            let error = CommitError::Failed(Error::unavailable("the disk is full"));
            return Box::pin(std::future::ready(Err(error)));
        }
        Box::pin(async move {
            let outcome = self.store.commit(batch).await;
            self.commits.fetch_add(1, Ordering::SeqCst);
            self.answers.acquire().await.unwrap().forget();
            outcome
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<()>> {
        self.store.close()
    }
}
