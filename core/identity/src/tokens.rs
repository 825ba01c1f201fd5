use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use base_crypto::{HmacKey, Random, hex, random_base62};
use base_types::{Cidr, Clock, Error, ErrorKind, Name, Result, Secret, Timestamp, TokenId, Ttl};
use core_barrier::{Barrier, Tx, View, take_turns};
use core_lease::{DueEntry, Lease, Leases, Subject};
use quick_cache::sync::Cache;

use crate::batch::BatchKey;
use crate::role::{Roles, TokenRole};
use crate::text::TokenText;
use crate::token::{AccessorRecord, Kind, Login, Mark, Token, Uses};

/// All tokens of the server, found one at a time.
pub struct Tokens {
    state: View,
    leases: Arc<Leases>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    roles: Roles,
    keys: ArcSwapOption<Keys>,
    cache: Cache<Digest, Arc<Token>>,
    /// Per shard of the digest, how many changes there have been. What was read before a change is
    /// not cached after it; the lock makes comparing and caching one step.
    changes: [Mutex<u64>; SHARDS],
}

/// The first 160 bits of the keyed hash of a token.
type Digest = [u8; 20];

struct Keys {
    hash: HmacKey,
    batch: BatchKey,
}

const CACHED: usize = 16_384;
const SHARDS: usize = 256;
/// The longest that a request is given to finish after it took the last use of its token.
const LAST_USE: Ttl = Ttl::from_seconds(60);
/// How many entries a tidy looks at a time.
const PAGE: usize = 256;
/// Base-62 digits of an accessor.
const ACCESSOR_LENGTH: usize = 24;

/// What a new token shall be; its times have already been held to the limits in force.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub kind: Kind,
    /// The id of its namespace.
    pub namespace: Arc<str>,
    /// Canonical, sorted, without doubles.
    pub policies: Vec<String>,
    pub display_name: String,
    pub metadata: BTreeMap<String, String>,
    pub parent: Option<TokenId>,
    /// Zero for one that never ends.
    pub ttl: Ttl,
    pub explicit_max_ttl: Ttl,
    pub period: Ttl,
    pub uses: Uses,
    pub path: String,
    pub entity: Option<Arc<str>>,
    pub bound_cidrs: Vec<Cidr>,
    pub role: Option<String>,
    pub renewable: bool,
    pub login: Option<Login>,
    /// The token's own text, for those allowed to choose it.
    pub text: Option<Secret<String>>,
}

/// A token that has just been made: the only moment at which the server has its text.
pub struct Issued {
    pub text: Secret<String>,
    pub token: Arc<Token>,
}

impl Tokens {
    pub fn new(
        state: View,
        leases: Arc<Leases>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            roles: Roles(state.clone()),
            state,
            leases,
            clock,
            random,
            keys: ArcSwapOption::empty(),
            cache: Cache::new(CACHED),
            changes: [const { Mutex::new(0) }; SHARDS],
        }
    }

    /// Takes the keys that only an unsealed barrier has.
    ///
    /// # Errors
    /// `Sealed` if it is not unsealed.
    pub fn unseal(&self, barrier: &Barrier) -> Result<()> {
        let hash = HmacKey::new(barrier.derive_key("token id")?.expose());
        let batch = BatchKey::new(barrier.derive_key("batch token")?);
        self.keys.store(Some(Arc::new(Keys { hash, batch })));
        Ok(())
    }

    /// Forgets the keys and everything read with them.
    pub fn seal(&self) {
        self.keys.store(None);
        self.cache.clear();
    }

    /// The token with this text, if it is known, alive and not being revoked.
    pub async fn authenticate(&self, text: &str) -> Result<Option<Arc<Token>>> {
        let digest = self.digest(text)?;
        let token = match self.cache.get(&digest) {
            Some(token) => Some(token),
            None => self.read_through(digest, text).await?,
        };
        Ok(token.filter(|token| !token.has_expired(self.clock.now()) && !token.revoking))
    }

    async fn read_through(&self, digest: Digest, text: &str) -> Result<Option<Arc<Token>>> {
        let before = *self.changes(&digest);
        let id = id_of(&digest);
        let Some(found) = self.by_id(&id).await? else {
            return self.batch_token(id, text).await;
        };
        let changes = self.changes(&digest);
        if *changes == before {
            self.cache.insert(digest, found.clone());
        }
        drop(changes);
        Ok(Some(found))
    }

    /// A batch token is its own record; it lives only as long as its parent.
    async fn batch_token(&self, id: TokenId, text: &str) -> Result<Option<Arc<Token>>> {
        let Some(payload) = TokenText::batch_payload(text) else { return Ok(None) };
        let keys = self.keys()?;
        let Some(token) = keys.batch.open(payload) else { return Ok(None) };
        if let Some(parent) = &token.parent {
            let alive = self.by_id(parent).await?;
            if alive.is_none_or(|p| p.revoking || p.has_expired(self.clock.now())) {
                return Ok(None);
            }
        }
        Ok(Some(Arc::new(Token { id, ..token })))
    }

    pub async fn by_id(&self, id: &TokenId) -> Result<Option<Arc<Token>>> {
        Ok(self.state.get::<Token>(&token_key(id)).await?.map(Arc::new))
    }

    /// The living token with this accessor, within one namespace (CVE-2026-40264).
    pub async fn by_accessor(&self, namespace: &str, accessor: &str) -> Result<Option<Arc<Token>>> {
        match self.state.get::<AccessorRecord>(&accessor_key(namespace, accessor)).await? {
            Some(record) => {
                let found = self.by_id(&record.token).await?;
                Ok(found.filter(|token| !token.revoking && !token.has_expired(self.clock.now())))
            }
            None => Ok(None),
        }
    }

    /// Whether a stored token may still be used, as part of a transaction that makes something depend
    /// on it. It is not bare from then on.
    pub async fn lean_on(&self, tx: &Tx, id: &TokenId) -> Result<bool> {
        let Some(token) = tx.get::<Token>(&token_key(id)).await? else { return Ok(false) };
        if token.revoking || token.has_expired(self.clock.now()) {
            return Ok(false);
        }
        if token.bare {
            tx.put(&token_key(id), &Token { bare: false, ..token })?;
        }
        Ok(true)
    }

    /// Notes, before something of the token's own is stored, that there is more to take down with it
    /// than itself.
    ///
    /// # Errors
    /// `Denied` if it is gone, has expired, or is being revoked.
    pub async fn burden(&self, id: &TokenId) -> Result<()> {
        let leaned = self.state.transact(move |tx| async move { self.lean_on(&tx, id).await });
        if leaned.await? { Ok(()) } else { Err(Error::denied()) }
    }

    /// The id under which a token with this text would be stored.
    pub fn id(&self, text: &str) -> Result<TokenId> {
        Ok(id_of(&self.digest(text)?))
    }

    /// Makes a token: its record, its lease and all indexes in one batch.
    ///
    /// # Errors
    /// `Denied` if the parent is gone or being revoked; `Invalid` if the chosen text is taken.
    pub async fn create(&self, new: NewToken) -> Result<Issued> {
        let now = self.clock.now();
        let keys = self.keys()?;
        let token = Token {
            id: TokenId("".into()),
            kind: new.kind,
            accessor: "".into(),
            namespace: new.namespace,
            policies: new.policies,
            display_name: new.display_name.into(),
            metadata: new.metadata,
            parent: new.parent,
            created: now,
            expires: (!new.ttl.is_zero()).then(|| now.plus(new.ttl)),
            renewed: None,
            ttl: new.ttl,
            explicit_max_ttl: new.explicit_max_ttl,
            period: new.period,
            uses: new.uses,
            path: new.path.into(),
            entity: new.entity,
            bound_cidrs: new.bound_cidrs,
            role: new.role,
            renewable: new.renewable,
            login: new.login,
            revoking: false,
            bare: new.kind == Kind::Service,
        };
        if token.kind == Kind::Batch {
            let payload = keys.batch.seal(&*self.random, &token)?;
            let text = TokenText::with_checksum(crate::text::BATCH, &payload).into_secret();
            let id = self.id(text.expose())?;
            return Ok(Issued { text, token: Arc::new(Token { id, ..token }) });
        }
        let text = new.text.unwrap_or_else(|| TokenText::service(&*self.random).into_secret());
        let id = self.id(text.expose())?;
        let accessor = random_base62(&*self.random, ACCESSOR_LENGTH).into();
        let token = Token { id, accessor, ..token };
        self.store(&token).await?;
        Ok(Issued { text, token: Arc::new(token) })
    }

    async fn store(&self, token: &Token) -> Result<()> {
        self.state
            .transact(move |tx| async move {
                if let Some(parent) = &token.parent
                    && !self.lean_on(&tx, parent).await?
                {
                    return Err(Error::denied());
                }
                if tx.get::<Token>(&token_key(&token.id)).await?.is_some() {
                    return Err(Error::invalid("cannot create a token with a duplicate ID"));
                }
                tx.put(&token_key(&token.id), token)?;
                let record = AccessorRecord { token: token.id.clone() };
                tx.put(&accessor_key(&token.namespace, &token.accessor), &record)?;
                if let Some(parent) = &token.parent {
                    tx.put(&child_key(parent, &token.id), &Mark())?;
                }
                self.leases.insert(&tx, &lease_of(token))
            })
            .await
    }

    /// Takes one use off a token that has a limited number, and returns what it is now. After the
    /// last one it is refused, and due soon: not at once, since the request that took the last use
    /// is still at work.
    ///
    /// # Errors
    /// `Denied` if no use is left.
    pub async fn take_use(&self, id: &TokenId) -> Result<Arc<Token>> {
        let now = self.clock.now();
        self.change(id, |token| {
            let Uses::Left(left) = token.uses else { return Ok(token) };
            let left = left.checked_sub(1).filter(|_| !token.revoking).ok_or_else(Error::denied)?;
            let token = Token { uses: Uses::Left(left), ..token };
            Ok(if left == 0 { revoking(token, now.plus(LAST_USE)) } else { token })
        })
        .await
    }

    /// Lets a token live until `expires`.
    ///
    /// # Errors
    /// `Denied` if it is gone, has expired, or is being revoked.
    pub async fn renew(&self, id: &TokenId, expires: Timestamp) -> Result<Arc<Token>> {
        let now = self.clock.now();
        self.change(id, |token| {
            if token.revoking || token.has_expired(now) {
                return Err(Error::denied());
            }
            Ok(Token { expires: Some(expires), renewed: Some(now), ..token })
        })
        .await
    }

    /// Refuses the token from now on and makes it due, so that its revocation is finished even if
    /// the server dies on the way. `None` if it is gone already.
    pub async fn begin_revocation(&self, id: &TokenId) -> Result<Option<Arc<Token>>> {
        let now = self.clock.now();
        match self.change(id, |token| Ok(revoking(token, now))).await {
            Ok(token) => Ok(Some(token)),
            Err(error) if error.is(ErrorKind::Denied) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The children of a token that sort after `after`, a page of them.
    pub async fn children(
        &self,
        id: &TokenId,
        after: Option<&TokenId>,
        limit: usize,
    ) -> Result<Vec<TokenId>> {
        let folder = format!("token/parent/{id}/");
        let after = after.map(|child| child_key(id, child)).unwrap_or_default();
        let keys = self.state.keys(&folder, &after, limit).await?;
        Ok(keys
            .iter()
            .filter_map(|key| key.strip_prefix(&folder))
            .map(|id| TokenId(id.into()))
            .collect())
    }

    /// Cuts a child off its parent: it lives on as an orphan.
    pub async fn orphan(&self, parent: &TokenId, child: &TokenId) -> Result<()> {
        let link = child_key(parent, child);
        let link = link.as_str();
        self.state
            .transact(move |tx| async move {
                if let Some(token) = tx.get::<Token>(&token_key(child)).await? {
                    tx.put(&token_key(child), &Token { parent: None, ..token })?;
                }
                tx.delete(link);
                Ok(())
            })
            .await?;
        self.forget(child);
        Ok(())
    }

    /// Removes a token and everything that points at it, and says whether it was still there. What
    /// depended on it must be gone.
    pub async fn erase(&self, id: &TokenId, parent_link: Option<&TokenId>) -> Result<bool> {
        let existed = self
            .state
            .transact(move |tx| async move {
                if let Some(parent) = parent_link {
                    tx.delete(&child_key(parent, id));
                }
                self.erase_in(&tx, id).await
            })
            .await?;
        self.forget(id);
        Ok(existed)
    }

    /// Removes those tokens that are bare, and everything that points at them, all at once. Given and
    /// answered are their leases, as the index knows them; `may_go` has a say in it.
    pub async fn erase_bare(
        &self,
        entries: &[DueEntry],
        may_go: impl Fn(&Token) -> bool + Send + Sync,
    ) -> Result<HashSet<DueEntry>> {
        let may_go = &may_go;
        let erased = self
            .state
            .transact(move |tx| async move {
                let mut erased = Vec::with_capacity(entries.len());
                for (at, entry) in entries.iter().enumerate() {
                    take_turns(at).await;
                    let Some(id) = Token::in_lease(&entry.id) else { continue };
                    let Some(token) = tx.get::<Token>(&token_key(&id)).await? else { continue };
                    let lease = lease_of(&token);
                    let is_its_lease = DueEntry::of(&lease).as_ref() == Some(entry);
                    if token.bare && is_its_lease && may_go(&token) {
                        self.erase_with(&tx, &token, &lease);
                        erased.push((token.id, entry.clone()));
                    }
                }
                Ok(erased)
            })
            .await?;
        erased.iter().for_each(|(id, _)| self.forget(id));
        Ok(erased.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn erase_in(&self, tx: &Tx, id: &TokenId) -> Result<bool> {
        let Some(token) = tx.get::<Token>(&token_key(id)).await? else { return Ok(false) };
        let lease = lease_of(&token);
        let stored = self.leases.read_in(tx, &lease.namespace, &lease.id).await?;
        self.erase_with(tx, &token, &stored.unwrap_or(lease));
        Ok(true)
    }

    fn erase_with(&self, tx: &Tx, token: &Token, lease: &Lease) {
        tx.delete(&token_key(&token.id));
        tx.delete(&accessor_key(&token.namespace, &token.accessor));
        if let Some(parent) = &token.parent {
            tx.delete(&child_key(parent, &token.id));
        }
        self.leases.remove(tx, lease);
    }

    /// The accessors of a namespace, in order, a page of them.
    pub async fn accessors(
        &self,
        namespace: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.state.list(&accessor_key(namespace, ""), after, limit).await
    }

    /// Removes what points at tokens of a namespace that are gone, and says how much that was.
    /// Everything is made and removed together, so there should be none.
    pub async fn tidy(&self, namespace: &str) -> Result<u64> {
        let (folder, mut after, mut removed) = (accessor_key(namespace, ""), String::new(), 0);
        loop {
            let page = self.state.list(&folder, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(removed) };
            after.clone_from(last);
            for accessor in &page {
                let key = accessor_key(namespace, accessor);
                let Some(record) = self.state.get::<AccessorRecord>(&key).await? else { continue };
                if self.by_id(&record.token).await?.is_none() {
                    self.state.delete(&key).await?;
                    removed += 1;
                }
            }
        }
    }

    pub async fn role(&self, namespace: &str, name: &Name) -> Result<Option<TokenRole>> {
        self.roles.read(namespace, name).await
    }

    pub async fn write_role(&self, namespace: &str, name: &Name, role: &TokenRole) -> Result<()> {
        self.roles.write(namespace, name, role).await
    }

    pub async fn delete_role(&self, namespace: &str, name: &Name) -> Result<()> {
        self.roles.delete(namespace, name).await
    }

    pub async fn roles(&self, namespace: &str) -> Result<Vec<String>> {
        self.roles.list(namespace).await
    }

    /// Changes a token, and its lease where its end changes.
    async fn change(
        &self,
        id: &TokenId,
        change: impl Fn(Token) -> Result<Token> + Send + Sync,
    ) -> Result<Arc<Token>> {
        let change = &change;
        let token = self
            .state
            .transact(move |tx| async move {
                let token = tx.get::<Token>(&token_key(id)).await?.ok_or_else(Error::denied)?;
                self.change_in(&tx, token, change).await
            })
            .await?;
        self.forget(id);
        Ok(Arc::new(token))
    }

    async fn change_in(
        &self,
        tx: &Tx,
        before: Token,
        change: impl Fn(Token) -> Result<Token> + Send + Sync,
    ) -> Result<Token> {
        let (old, times) = (lease_of(&before), (before.expires, before.renewed));
        let token = change(before)?;
        if (token.expires, token.renewed) != times {
            let stored = self.leases.read_in(tx, &old.namespace, &old.id).await?;
            self.leases.replace(tx, &stored.unwrap_or(old), &lease_of(&token))?;
        }
        tx.put(&token_key(&token.id), &token)?;
        Ok(token)
    }

    /// Called after a change is stored and before it is acknowledged.
    fn forget(&self, id: &TokenId) {
        let digest = base_crypto::unhex(id.as_str()).and_then(|bytes| Digest::try_from(bytes).ok());
        if let Some(digest) = digest {
            let mut changes = self.changes(&digest);
            *changes += 1;
            self.cache.remove(&digest);
        }
    }

    fn changes(&self, digest: &Digest) -> MutexGuard<'_, u64> {
        self.changes[usize::from(digest[0])].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self, text: &str) -> Result<Digest> {
        let keys = self.keys.load();
        let mac = keys.as_ref().ok_or_else(Error::sealed)?.hash.sign(text.as_bytes());
        Ok(std::array::from_fn(|at| mac[at]))
    }

    fn keys(&self) -> Result<Arc<Keys>> {
        self.keys.load_full().ok_or_else(Error::sealed)
    }
}

/// A token that is refused, and due at `at` or when it would have ended before.
fn revoking(token: Token, at: Timestamp) -> Token {
    let expires = Some(token.expires.map_or(at, |end| end.min(at)));
    Token { revoking: true, expires, ..token }
}

fn id_of(digest: &Digest) -> TokenId {
    TokenId(hex(digest).into())
}

fn lease_of(token: &Token) -> Lease {
    Lease {
        namespace: token.namespace.to_string(),
        id: token.lease_id(),
        issued: token.created,
        expires: token.expires,
        renewed: token.renewed,
        renewable: token.renewable,
        subject: Subject::Token { token: token.id.clone() },
        queued: false,
        failures: 0,
        cause: None,
    }
}

fn token_key(id: &TokenId) -> String {
    format!("token/id/{id}")
}

fn accessor_key(namespace: &str, accessor: &str) -> String {
    format!("token/accessor/{namespace}/{accessor}")
}

fn child_key(parent: &TokenId, child: &TokenId) -> String {
    format!("token/parent/{parent}/{child}")
}
