use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base_types::{Error, Result};
use core_lease::{DueEntry, DueSearch, Lease, Leases};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Core;
use crate::wrapping::is_wrapping;

/// How many due leases are looked at a time.
const PAGE: usize = 256;
/// How many tokens are ended without a pause. More of them spare some writes, and keep a request
/// that comes meanwhile from its thread for longer.
const BATCH: usize = 32;
/// The longest the search sleeps, whatever the index says: a clock may have been set.
const SLEEP_MAX: Duration = Duration::from_secs(5);
const SLEEP_MIN: Duration = Duration::from_millis(20);

/// A lease that could not be ended, and why.
type Failure = (Lease, Error);

impl Core {
    /// Ends what is due, for as long as the server is unsealed: tokens at once, secrets by way of
    /// the queues of their targets.
    pub(crate) async fn expire(self: Arc<Self>) {
        while let Err(error) = self.attend_all().await {
            tracing::warn!(error = %error.log(), "could not look for leases that wait");
            tokio::time::sleep(SLEEP_MAX).await;
        }
        let (mut search, mut began) = (DueSearch::default(), Instant::now());
        loop {
            if began.elapsed() > SLEEP_MAX {
                search.restart();
                began = Instant::now();
            }
            let wait = match self.expire_page(&mut search).await {
                Ok(Some(wait)) => wait,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(error = %error.log(), "could not look for expired leases");
                    search.restart();
                    SLEEP_MAX
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.leases.sooner() => tokio::time::sleep(SLEEP_MIN).await,
            }
        }
    }

    /// Deals with one page, and says how long to wait if there was nothing.
    async fn expire_page(self: &Arc<Self>, search: &mut DueSearch) -> Result<Option<Duration>> {
        let due = search.next(&self.leases, PAGE).await?;
        if due.entries.is_empty() {
            let nanos = due.next.map_or(i64::MAX, |next| next.0.saturating_sub(self.clock.now().0));
            let wait = Duration::from_nanos(nanos.max(0) as u64);
            return Ok(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)));
        }
        let mut leases = Vec::new();
        for entry in self.end_bare(due.entries).await? {
            leases.extend(self.leases.read_due(&entry).await?);
        }
        let (tokens, secrets): (Vec<_>, Vec<_>) = leases.into_iter().partition(Leases::is_token);
        if !secrets.is_empty() {
            self.leases.enqueue_due(&secrets).await?;
            self.attend(&secrets);
        }
        for (lease, error) in self.end_each(tokens).await? {
            tracing::warn!(lease = %lease.id, error = %error.log(), "could not revoke a token");
            self.leases.postpone(&lease, error.public()).await?;
        }
        Ok(None)
    }

    /// Ends tokens by their leases: those on which nothing ever depended in one transaction for a
    /// batch of them, the others each by itself.
    ///
    /// # Errors
    /// `Internal` if something broke; the failures of single tokens are the answer.
    pub(crate) async fn end_tokens(self: &Arc<Self>, leases: Vec<Lease>) -> Result<Vec<Failure>> {
        let entries = leases.iter().filter_map(DueEntry::of).collect();
        let left: HashSet<_> = self.end_bare(entries).await?.into_iter().collect();
        let is_left = |lease: &Lease| DueEntry::of(lease).is_none_or(|entry| left.contains(&entry));
        self.end_each(leases.into_iter().filter(is_left).collect()).await
    }

    async fn end_each(self: &Arc<Self>, leases: Vec<Lease>) -> Result<Vec<Failure>> {
        let mut singles = JoinSet::new();
        for lease in leases {
            let core = self.clone();
            singles.spawn(async move { (core.revoke_lease(&lease).await, lease) });
        }
        let failure = |(outcome, lease): (Result<()>, Lease)| Some((lease, outcome.err()?));
        Ok(all(singles).await?.into_iter().filter_map(failure).collect())
    }

    /// Ends those of the leases that are tokens on which nothing depends, and answers with the others.
    async fn end_bare(self: &Arc<Self>, entries: Vec<DueEntry>) -> Result<Vec<DueEntry>> {
        let mut batches = JoinSet::new();
        for batch in entries.chunks(BATCH) {
            let (core, batch) = (self.clone(), batch.to_vec());
            batches.spawn(async move { core.end_batch(batch).await });
        }
        Ok(all(batches).await?.into_iter().flatten().collect())
    }

    async fn end_batch(&self, mut entries: Vec<DueEntry>) -> Vec<DueEntry> {
        // A wrapping token has its answer to take down.
        match self.tokens.erase_bare(&entries, |token| !is_wrapping(token)).await {
            Ok(ended) => {
                for entry in &ended {
                    self.lease_ended(&entry.namespace, &entry.id);
                }
                entries.retain(|entry| !ended.contains(entry));
            }
            // One of them that cannot be read must not keep the others.
            Err(error) => {
                tracing::debug!(error = %error.log(), "tokens are revoked one by one");
            }
        }
        entries
    }
}

/// Waits for all, even if one breaks.
async fn all<T: 'static>(mut work: JoinSet<T>) -> Result<Vec<T>> {
    let (mut outcomes, mut panic) = (Vec::new(), None);
    while let Some(done) = work.join_next().await {
        match done {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => panic = Some(error),
        }
    }
    panic.map_or(Ok(outcomes), |panic| Err(Error::internal(panic)))
}
