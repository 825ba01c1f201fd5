use std::sync::Arc;
use std::time::Duration;

use base_types::{Result, TokenId};
use core_identity::Token;
use core_lease::{Lease, Subject};

use crate::Core;
use crate::wrapping::is_wrapping;

/// How many leases are looked at and revoked at a time.
const PAGE: usize = 64;
/// The longest the worker sleeps, whatever the index says: a clock may have been set.
const SLEEP_MAX: Duration = Duration::from_secs(5);
const SLEEP_MIN: Duration = Duration::from_millis(20);

/// A token on the way down a tree.
struct Branch {
    token: Arc<Token>,
    /// The last of its children that could not be ended; those after it are still to be tried.
    failed: Option<TokenId>,
}

impl Branch {
    fn of(token: Arc<Token>) -> Self {
        Self { token, failed: None }
    }
}

impl Core {
    /// Ends a token, its children and their children, and the secrets made with any of them.
    ///
    /// It is refused from the first step on. If the server dies on the way, the rest is done when
    /// it is back: a token whose revocation has begun is due.
    pub async fn revoke_token(&self, id: &TokenId) -> Result<()> {
        let Some(token) = self.tokens.begin_revocation(id).await? else { return Ok(()) };
        self.finish_revocation(token).await
    }

    /// Takes down the tree below a token that is already refused, deepest first.
    ///
    /// # Errors
    /// The first failure. A token with a child that could not be ended stays, refused and due, and
    /// all others are ended.
    async fn finish_revocation(&self, token: Arc<Token>) -> Result<()> {
        let mut path = vec![Branch::of(token)];
        let mut first_failure = None;
        while let Some(branch) = path.last_mut() {
            let outcome = match self
                .tokens
                .children(&branch.token.id, branch.failed.as_ref(), 1)
                .await?
                .pop()
            {
                Some(child) => match self.tokens.begin_revocation(&child).await {
                    Ok(Some(child)) => {
                        path.push(Branch::of(child));
                        continue;
                    }
                    Ok(None) => {
                        let erased = self.tokens.erase(&child, Some(&branch.token.id)).await;
                        erased.map(drop).map_err(|error| (child, error))
                    }
                    Err(error) => Err((child, error)),
                },
                None => self.end_branch(&mut path).await,
            };
            if let Err((child, error)) = outcome {
                if let Some(parent) = path.last_mut() {
                    parent.failed = Some(child);
                }
                first_failure.get_or_insert(error);
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Ends the last token of the path, whose children are gone, or leaves it if one is not.
    async fn end_branch(&self, path: &mut Vec<Branch>) -> Result<(), (TokenId, base_types::Error)> {
        let Some(Branch { token, failed }) = path.pop() else { return Ok(()) };
        let parent = path.last().map(|parent| &parent.token.id);
        let ended = match failed {
            Some(_) => {
                Err(base_types::Error::unavailable("a child of the token could not be revoked"))
            }
            None => match self.release(&token).await {
                Ok(()) => self.erase(&token, parent).await,
                failure => failure,
            },
        };
        ended.map_err(|error| (token.id.clone(), error))
    }

    async fn erase(&self, token: &Token, parent: Option<&TokenId>) -> Result<()> {
        // A wrapping token took no place in a quota.
        if self.tokens.erase(&token.id, parent).await? && !is_wrapping(token) {
            self.lease_ended(&token.namespace, &token.lease_id());
        }
        Ok(())
    }

    /// Ends a token and lets its children live on as orphans.
    pub async fn revoke_orphan(&self, id: &TokenId) -> Result<()> {
        loop {
            let children = self.tokens.children(id, None, PAGE).await?;
            if children.is_empty() {
                break;
            }
            for child in children {
                self.tokens.orphan(id, &child).await?;
            }
        }
        self.revoke_token(id).await
    }

    /// What a token leaves behind: its secrets become due, its private store goes.
    async fn release(&self, token: &Token) -> Result<()> {
        loop {
            let leases = self.leases.of_token(&token.id, PAGE).await?;
            if leases.is_empty() {
                break;
            }
            for lease in &leases {
                self.release_lease(lease).await?;
            }
        }
        if is_wrapping(token) {
            self.drop_wrapped(&token.id).await?;
        }
        let cubbyhole = self.mounts.by(|mount| {
            mount.namespace.id() == &token.namespace && mount.record.path == "cubbyhole/"
        });
        if let Some(cubbyhole) = cubbyhole {
            let folder = format!("{}/", token.id);
            while cubbyhole.storage.delete_prefix_page(&folder, PAGE).await? {}
        }
        Ok(())
    }

    /// Makes a lease due, and leaves its end to the worker.
    pub(crate) async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let release = move |tx| async move {
            match self.leases.read_in(&tx, &lease.namespace, &lease.id).await? {
                Some(stored) => self.leases.release(&tx, &stored),
                None => Ok(()),
            }
        };
        self.state.transact(release).await
    }

    /// Ends one lease now.
    ///
    /// # Errors
    /// What the engine says; the lease is then kept, to be tried again.
    pub async fn revoke_lease(&self, lease: &Lease) -> Result<()> {
        match &lease.subject {
            Subject::Token { token } => {
                self.revoke_token(token).await?;
                self.forget_lease(lease).await
            }
            Subject::Secret { mount, kind, internal, .. } => {
                let Some(mount) = self.mount_by_id(mount) else {
                    return Err(base_types::Error::unavailable("the engine of this lease is gone"));
                };
                mount.backend.revoke_lease(kind, internal.clone()).await?;
                self.forget_lease(lease).await
            }
        }
    }

    /// Removes a lease without asking its engine.
    pub async fn forget_lease(&self, lease: &Lease) -> Result<()> {
        let existed = self
            .state
            .transact(move |tx| async move {
                let stored = self.leases.read_in(&tx, &lease.namespace, &lease.id).await?;
                if let Some(stored) = &stored {
                    self.leases.remove(&tx, stored);
                }
                Ok(stored.is_some())
            })
            .await?;
        if existed {
            self.lease_ended(&lease.namespace, &lease.id);
        }
        Ok(())
    }

    /// Ends every lease whose id starts with `prefix`. With `force`, a lease whose engine cannot
    /// revoke it is forgotten all the same.
    pub async fn revoke_prefix(&self, namespace: &str, prefix: &str, force: bool) -> Result<()> {
        let (mut after, mut first_failure) = (String::new(), None);
        loop {
            let ids = self.leases.page(namespace, prefix, &after, PAGE).await?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            for id in &ids {
                let Some(lease) = self.leases.read(namespace, id).await? else { continue };
                if let Err(error) = self.revoke_lease(&lease).await {
                    if force {
                        self.forget_lease(&lease).await?;
                    } else {
                        self.leases.postpone(&lease, error.public()).await?;
                        first_failure.get_or_insert(error);
                    }
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    /// Revokes what is due, for as long as the server is unsealed.
    pub(crate) async fn expire(self: Arc<Self>) {
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

    /// Revokes one page, and says how long to wait if there was nothing more.
    async fn expire_page(self: &Arc<Self>) -> Result<Option<Duration>> {
        let due = self.leases.due(PAGE).await?;
        if due.leases.is_empty() {
            let nanos = due.next.map_or(i64::MAX, |next| next.0.saturating_sub(self.clock.now().0));
            let wait = Duration::from_nanos(nanos.max(0) as u64);
            return Ok(Some(wait.clamp(SLEEP_MIN, SLEEP_MAX)));
        }
        let mut work = tokio::task::JoinSet::new();
        for lease in due.leases {
            let core = self.clone();
            work.spawn(async move { core.expire_one(&lease).await });
        }
        // All of them come to their end, whatever becomes of one.
        let mut first_failure = None;
        while let Some(done) = work.join_next().await {
            if let Err(error) = done.unwrap_or_else(|panic| Err(base_types::Error::internal(panic)))
            {
                first_failure.get_or_insert(error);
            }
        }
        first_failure.map_or(Ok(None), Err)
    }

    async fn expire_one(&self, lease: &Lease) -> Result<()> {
        match self.revoke_lease(lease).await {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::warn!(lease = %lease.id, error = %error.log(), "could not revoke a lease");
                self.leases.postpone(lease, error.public()).await
            }
        }
    }
}
