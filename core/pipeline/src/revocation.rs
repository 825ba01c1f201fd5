use std::sync::Arc;
use std::time::Duration;

use base_types::{Error, ErrorKind, Result, TokenId};
use core_identity::Token;
use core_lease::{Lease, Leases, Subject};

use crate::Core;
use crate::mounts::MountEntry;
use crate::wrapping::is_wrapping;

/// How many leases, children or keys are dealt with in one transaction.
const PAGE: usize = 64;
/// The longest that an engine may take to make a secret, to extend it or to take it back.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(60);

/// The engine in which a token keeps what is its own, and its path in every namespace.
pub(crate) const CUBBYHOLE: &str = "cubbyhole";

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
    async fn end_branch(&self, path: &mut Vec<Branch>) -> Result<(), (TokenId, Error)> {
        let Some(Branch { token, failed }) = path.pop() else { return Ok(()) };
        let parent = path.last().map(|parent| &parent.token.id);
        let ended = match failed {
            Some(_) => Err(Error::unavailable("a child of the token could not be revoked")),
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
            self.release_leases(&leases).await?;
        }
        if is_wrapping(token) {
            self.drop_wrapped(&token.id).await?;
        }
        if let Some(cubbyhole) = self.cubbyhole_of(token)? {
            let folder = format!("{}/", token.id);
            while cubbyhole.storage.delete_prefix_page(&folder, PAGE).await? {}
        }
        Ok(())
    }

    /// Where a token keeps what is its own; nowhere if its namespace is gone.
    pub(crate) fn cubbyhole_of(&self, token: &Token) -> Result<Option<Arc<MountEntry>>> {
        match self.path_of(&token.namespace) {
            Ok(path) => Ok(self.mounts.at(&format!("{path}{CUBBYHOLE}/"))),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes leases due, all at once, and leaves their end to the workers.
    pub(crate) async fn release_leases(&self, leases: &[Lease]) -> Result<()> {
        let release = move |tx| async move {
            for lease in leases {
                if let Some(stored) = self.leases.read_in(&tx, &lease.namespace, &lease.id).await? {
                    self.leases.release(&tx, &stored)?;
                }
            }
            Ok(())
        };
        self.state.transact(release).await
    }

    /// Leaves the end of a lease to those who end what is due, and who begin now. One that was given
    /// up on is tried anew.
    pub async fn queue_lease(self: &Arc<Self>, lease: &Lease) -> Result<()> {
        let queue = move |tx| async move {
            match self.leases.read_in(&tx, &lease.namespace, &lease.id).await? {
                Some(stored) if Leases::is_token(&stored) => self.leases.release(&tx, &stored),
                Some(stored) => self.leases.enqueue(&tx, &stored),
                None => Ok(()),
            }
        };
        self.state.transact(queue).await?;
        self.attend(std::slice::from_ref(lease));
        Ok(())
    }

    /// Ends one lease now.
    ///
    /// # Errors
    /// What the engine says, or `Unavailable` if it says nothing for a minute; the lease is then
    /// kept.
    pub async fn revoke_lease(&self, lease: &Lease) -> Result<()> {
        match &lease.subject {
            Subject::Token { token } => self.revoke_token(token).await?,
            Subject::Secret { mount, kind, internal, .. } => {
                let Some(mount) = self.mount_by_id(mount) else {
                    return Err(Error::unavailable("the engine of this lease is gone"));
                };
                let revoking = async {
                    self.making.settled(&lease.id).await;
                    mount.backend.revoke_lease(kind, internal.clone()).await
                };
                within_time(revoking).await?;
            }
        }
        self.forget_leases(std::slice::from_ref(lease)).await
    }

    /// Removes leases without asking their engines, all at once.
    pub async fn forget_leases(&self, leases: &[Lease]) -> Result<()> {
        let forgotten = self
            .state
            .transact(move |tx| async move {
                let mut forgotten = Vec::with_capacity(leases.len());
                for lease in leases {
                    let stored = self.leases.read_in(&tx, &lease.namespace, &lease.id).await?;
                    if let Some(stored) = stored {
                        self.leases.remove(&tx, &stored);
                        forgotten.push(stored);
                    }
                }
                Ok(forgotten)
            })
            .await?;
        for lease in forgotten {
            self.lease_ended(&lease.namespace, &lease.id);
        }
        Ok(())
    }
}

/// # Errors
/// `Unavailable` if an engine does not come to an end; what it was doing is given up.
pub(crate) async fn within_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(TIME_MAX, work).await {
        Ok(done) => done,
        Err(_) => {
            let seconds = TIME_MAX.as_secs();
            Err(Error::unavailable(format!("the system did not answer within {seconds} seconds")))
        }
    }
}
