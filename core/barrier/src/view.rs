use std::sync::Arc;

use base_types::{Error, Result};
use store_api::{Batch, CommitError};

use crate::transaction::{self, Tx};
use crate::{Barrier, Record, listing, record};

/// A part of the barrier: all keys that start with a prefix, which its user neither sees nor can
/// leave. While the barrier is sealed everything fails with `Sealed`.
#[derive(Clone)]
pub struct View {
    barrier: Arc<Barrier>,
    prefix: Arc<str>,
}

impl View {
    pub(crate) fn new(barrier: Arc<Barrier>, prefix: &str) -> Self {
        Self { barrier, prefix: prefix.into() }
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The part of this view below `prefix`, which ends in a slash.
    pub fn sub(&self, prefix: &str) -> Self {
        Self { barrier: self.barrier.clone(), prefix: self.key(prefix).into() }
    }

    /// # Errors
    /// `Corrupt`, naming the key in the store, if what is stored there is not what was written
    /// there.
    pub async fn get<R: Record>(&self, key: &str) -> Result<Option<R>> {
        let key = self.key(key);
        match self.barrier.store.get(&key).await? {
            Some(entry) => {
                let plaintext = self.barrier.decrypt(&key, &entry)?;
                record::decode(&key, plaintext.expose()).map(Some)
            }
            None => self.barrier.check_unsealed().map(|()| None),
        }
    }

    /// The direct children of `folder` (empty, or ending in a slash) that sort after `after`, at
    /// most `limit` (zero for all). A folder appears once, as `name/`.
    pub async fn list(&self, folder: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        self.barrier.check_unsealed()?;
        listing::children(&*self.barrier.store, &self.key(folder), after, limit).await
    }

    /// All keys that start with `prefix` and sort after the key `after`, at most `limit` (zero
    /// for all). Both are relative to the view, as is the answer.
    pub async fn keys(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        self.barrier.check_unsealed()?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let from = if after.is_empty() { String::new() } else { self.key(after) };
        let mut keys = self.barrier.store.list(&self.key(prefix), &from, limit).await?;
        keys.iter_mut().for_each(|key| drop(key.drain(..self.prefix.len())));
        Ok(keys)
    }

    pub async fn put<R: Record>(&self, key: &str, record: &R) -> Result<()> {
        let key = self.key(key);
        let plaintext = record::encode(record)?;
        let value = self.barrier.encrypt(&key, plaintext.expose()).await?;
        self.commit(Batch::new().put(key, value)).await
    }

    /// Deleting what is not there is no error.
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.commit(Batch::new().delete(self.key(key))).await
    }

    /// Deletes up to `limit` keys that start with `prefix` and says whether there are more. Page
    /// by page even a large mount goes away without holding up anybody else.
    pub async fn delete_prefix_page(&self, prefix: &str, limit: usize) -> Result<bool> {
        self.barrier.check_unsealed()?;
        let limit = limit.max(1);
        let mut keys =
            self.barrier.store.list(&self.key(prefix), "", limit.saturating_add(1)).await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        if !keys.is_empty() {
            self.commit(keys.into_iter().fold(Batch::new(), Batch::delete)).await?;
        }
        Ok(more)
    }

    /// Optimistic transaction: what `work` wrote is committed at once, if nobody else changed
    /// what it read in the meantime; else `work` runs again. An error of `work` commits nothing.
    ///
    /// # Errors
    /// Those of `work`; `Unavailable` if others were quicker 64 times.
    pub async fn transact<T, F, Fut>(&self, work: F) -> Result<T>
    where
        F: Fn(Tx) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T>> + Send,
        T: Send,
    {
        transaction::run(self, work).await
    }

    pub(crate) fn barrier(&self) -> &Arc<Barrier> {
        &self.barrier
    }

    /// The key in the store.
    pub(crate) fn key(&self, key: &str) -> String {
        let mut full = String::with_capacity(self.prefix.len() + key.len());
        full.push_str(&self.prefix);
        full.push_str(key);
        full
    }

    /// Commits what has no conditions.
    async fn commit(&self, batch: Batch) -> Result<()> {
        match self.barrier.commit(batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => {
                Err(Error::internal("a batch without conditions met a conflict"))
            }
            Err(CommitError::Failed(error)) => Err(error),
        }
    }
}
