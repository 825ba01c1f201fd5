use std::sync::Arc;

use base_types::{Clock, ErrorKind, Result, TokenId, Ttl};
use core_barrier::{Tx, View};
use tokio::sync::Notify;

use crate::lease::{FAILURES_MAX, Mark, record_key, split_namespace, stuck_key};
use crate::{Lease, Subject};

/// The wait after the first failure; it doubles with each further one.
const RETRY_FIRST: Ttl = Ttl::from_seconds(10);

/// How many keys are read at a time to count leases.
const COUNT_PAGE: usize = 1000;

/// All leases of the server. Every change is made inside the caller's transaction, so that a lease
/// and what it is about are stored together or not at all.
pub struct Leases {
    /// The whole barrier: transactions span leases and their subjects.
    pub(crate) state: View,
    pub(crate) clock: Arc<dyn Clock>,
    /// Rung when something becomes due earlier than anybody may be waiting for.
    sooner: Notify,
}

impl Leases {
    pub fn new(state: View, clock: Arc<dyn Clock>) -> Self {
        Self { state, clock, sooner: Notify::new() }
    }

    pub fn insert(&self, tx: &Tx, lease: &Lease) -> Result<()> {
        tx.put(&lease.key(), lease)?;
        for key in lease.index_keys() {
            tx.put(&key, &Mark())?;
        }
        self.sooner.notify_one();
        Ok(())
    }

    pub fn remove(&self, tx: &Tx, lease: &Lease) {
        tx.delete(&lease.key());
        for key in lease.index_keys() {
            tx.delete(&key);
        }
    }

    /// Replaces a stored lease by one with other times.
    pub fn replace(&self, tx: &Tx, old: &Lease, new: &Lease) -> Result<()> {
        self.remove(tx, old);
        self.insert(tx, new)
    }

    pub async fn read(&self, namespace: &str, id: &str) -> Result<Option<Lease>> {
        self.state.get(&record_key(namespace, id)).await
    }

    pub async fn read_in(&self, tx: &Tx, namespace: &str, id: &str) -> Result<Option<Lease>> {
        tx.get(&record_key(namespace, id)).await
    }

    /// The direct children of `folder` among the lease ids, for people who browse.
    pub async fn list(&self, namespace: &str, folder: &str) -> Result<Vec<String>> {
        self.state.list(&record_key(namespace, folder), "", 0).await
    }

    /// The ids that start with `prefix` and sort after `after`, a page of them.
    pub async fn page(
        &self,
        namespace: &str,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        let root = record_key(namespace, "");
        let after = if after.is_empty() { String::new() } else { format!("{root}{after}") };
        let keys = self.state.keys(&format!("{root}{prefix}"), &after, limit).await?;
        Ok(keys.into_iter().filter_map(|key| key.strip_prefix(&root).map(str::to_owned)).collect())
    }

    /// The leases that die with `token`, a page of them.
    pub async fn of_token(&self, token: &TokenId, limit: usize) -> Result<Vec<Lease>> {
        let root = format!("lease/token/{token}/");
        let mut leases = Vec::new();
        for key in self.state.keys(&root, "", limit).await? {
            let (namespace, id) = split_namespace(key.strip_prefix(&root).unwrap_or_default())?;
            match self.indexed(&key, namespace, id).await? {
                Some(lease) => leases.push(lease),
                None => self.state.delete(&key).await?,
            }
        }
        Ok(leases)
    }

    /// The lease that the index entry `key` names. One that cannot be read must not keep the others
    /// waiting: it is listed as given up on, and its entry is to go.
    pub(crate) async fn indexed(
        &self,
        key: &str,
        namespace: &str,
        id: &str,
    ) -> Result<Option<Lease>> {
        match self.read(namespace, id).await {
            Err(error) if error.is(ErrorKind::Corrupt) => {
                tracing::error!(entry = %key, error = %error.log(), "a lease cannot be read and will not be revoked");
                self.state.put(&stuck_key(namespace, id), &Mark()).await?;
                Ok(None)
            }
            found => found,
        }
    }

    /// Waits until a lease may have become due sooner than the last search said.
    pub async fn sooner(&self) {
        self.sooner.notified().await;
    }

    /// Makes a lease due now and takes it off its token, which is going. One that waits in the queue
    /// of its target already goes on waiting.
    pub fn release(&self, tx: &Tx, lease: &Lease) -> Result<()> {
        if lease.queued {
            return Ok(());
        }
        let now = Lease { expires: Some(self.clock.now()), failures: 0, ..lease.clone() };
        self.replace(tx, lease, &now)?;
        if let Some(key) = now.token_key() {
            tx.delete(&key);
        }
        Ok(())
    }

    /// Notes that revoking failed by the lease's own fault: tries again later, and in the end leaves it to a person.
    pub async fn postpone(&self, lease: &Lease, cause: &str) -> Result<()> {
        let now = self.clock.now();
        self.state
            .transact(move |tx| async move {
                let Some(stored) = self.read_in(&tx, &lease.namespace, &lease.id).await? else {
                    return Ok(());
                };
                let wait = Ttl::from_seconds(RETRY_FIRST.seconds() << stored.failures.min(10));
                let failures = stored.failures + 1;
                let later = Lease {
                    queued: false,
                    failures,
                    cause: Some(cause.to_owned()),
                    expires: (failures < FAILURES_MAX).then(|| now.plus(wait)),
                    ..stored.clone()
                };
                self.replace(&tx, &stored, &later)
            })
            .await
    }

    /// The leases that were given up on and sort after `after`, at most `limit` (zero for all).
    pub async fn stuck(&self, namespace: &str, after: &str, limit: usize) -> Result<Vec<Lease>> {
        let root = format!("lease/stuck/{namespace}/");
        let mut after = if after.is_empty() { String::new() } else { format!("{root}{after}") };
        let mut leases = Vec::new();
        while limit == 0 || leases.len() < limit {
            let missing = if limit == 0 { 0 } else { limit - leases.len() };
            let keys = self.state.keys(&root, &after, missing).await?;
            let Some(last) = keys.last() else { break };
            after.clone_from(last);
            for key in keys {
                // One that cannot be read is in the server's log; it must not hide the others.
                match self.read(namespace, key.strip_prefix(&root).unwrap_or_default()).await {
                    Err(error) if error.is(ErrorKind::Corrupt) => {}
                    found => leases.extend(found?),
                }
            }
        }
        Ok(leases)
    }

    /// How many leases start with `prefix`; reads keys only, page by page.
    pub async fn count(&self, namespace: &str, prefix: &str) -> Result<u64> {
        self.count_keys(&record_key(namespace, prefix)).await
    }

    /// How many leases of all namespaces were given up on.
    pub async fn count_stuck(&self) -> Result<u64> {
        self.count_keys("lease/stuck/").await
    }

    pub(crate) async fn count_keys(&self, prefix: &str) -> Result<u64> {
        let (mut total, mut after) = (0, String::new());
        loop {
            let page = self.state.keys(prefix, &after, COUNT_PAGE).await?;
            total += page.len() as u64;
            match page.into_iter().last().filter(|_| total % COUNT_PAGE as u64 == 0) {
                Some(last) => after = last,
                None => return Ok(total),
            }
        }
    }

    /// Whether the lease is about a token rather than a secret.
    pub fn is_token(lease: &Lease) -> bool {
        matches!(lease.subject, Subject::Token { .. })
    }
}
