use std::sync::Arc;
use std::time::Duration;

use base_types::{Error, Result};
use core_identity::Token;
use core_lease::{Lease, Leases, Subject};
use tokio::task::JoinSet;

use crate::Core;
use crate::wrapping::is_wrapping;

/// How many due leases are looked at a time.
const PAGE: usize = 128;
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
        loop {
            let wait = match self.expire_page().await {
                Ok(Some(wait)) => wait,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(error = %error.log(), "could not look for expired leases");
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
    async fn expire_page(self: &Arc<Self>) -> Result<Option<Duration>> {
        let due = self.leases.due(PAGE).await?;
        if due.leases.is_empty() {
            let nanos = due.next.map_or(i64::MAX, |next| next.0.saturating_sub(self.clock.now().0));
            let wait = Duration::from_nanos(nanos.max(0) as u64);
            return Ok(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)));
        }
        let (tokens, secrets): (Vec<_>, Vec<_>) =
            due.leases.into_iter().partition(Leases::is_token);
        if !secrets.is_empty() {
            self.leases.enqueue_due(&secrets).await?;
            self.attend(&secrets);
        }
        for (lease, error) in self.end_tokens(tokens).await? {
            tracing::warn!(lease = %lease.id, error = %error.log(), "could not revoke a token");
            self.leases.postpone(&lease, error.public()).await?;
        }
        Ok(None)
    }

    /// Ends tokens by their leases: those on which nothing depends in two transactions for a batch
    /// of them, the others each by itself.
    ///
    /// # Errors
    /// `Internal` if something broke; the failures of single tokens are the answer.
    pub(crate) async fn end_tokens(self: &Arc<Self>, leases: Vec<Lease>) -> Result<Vec<Failure>> {
        let mut batches = JoinSet::new();
        for batch in leases.chunks(BATCH) {
            let (core, batch) = (self.clone(), batch.to_vec());
            batches.spawn(async move { core.end_batch(batch).await });
        }
        let mut singles = JoinSet::new();
        for lease in all(batches).await?.into_iter().flatten() {
            let core = self.clone();
            singles.spawn(async move { (core.revoke_lease(&lease).await, lease) });
        }
        let failure = |(outcome, lease): (Result<()>, Lease)| Some((lease, outcome.err()?));
        Ok(all(singles).await?.into_iter().filter_map(failure).collect())
    }

    /// The leases of the tokens that are left.
    async fn end_batch(&self, leases: Vec<Lease>) -> Vec<Lease> {
        match self.end_bare_tokens(&leases).await {
            Ok(rest) => rest,
            // One of them that cannot be read must not keep the others.
            Err(error) => {
                tracing::debug!(error = %error.log(), "tokens are revoked one by one");
                leases
            }
        }
    }

    /// Ends those tokens on which nothing depends, and answers with the leases of the others.
    async fn end_bare_tokens(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let ids: Vec<_> = leases.iter().filter_map(token_of).cloned().collect();
        if ids.is_empty() {
            return Ok(leases.to_vec());
        }
        let mut bare = Vec::with_capacity(ids.len());
        for token in self.tokens.begin_revocations(&ids).await? {
            if self.is_bare(&token).await? {
                bare.push(token);
            }
        }
        for token in self.tokens.erase_all(&bare).await? {
            self.lease_ended(&token.namespace, &token.lease_id());
        }
        let is_left = |lease: &&Lease| bare.iter().all(|token| Some(&token.id) != token_of(lease));
        Ok(leases.iter().filter(is_left).cloned().collect())
    }

    /// Whether a token that is refused already leaves nothing behind.
    async fn is_bare(&self, token: &Token) -> Result<bool> {
        Ok(!is_wrapping(token)
            && self.tokens.children(&token.id, None, 1).await?.is_empty()
            && self.leases.of_token(&token.id, 1).await?.is_empty()
            && match self.cubbyhole_of(token)? {
                Some(cubbyhole) => {
                    cubbyhole.storage.keys(&format!("{}/", token.id), "", 1).await?.is_empty()
                }
                None => true,
            })
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

fn token_of(lease: &Lease) -> Option<&base_types::TokenId> {
    match &lease.subject {
        Subject::Token { token } => Some(token),
        Subject::Secret { .. } => None,
    }
}
