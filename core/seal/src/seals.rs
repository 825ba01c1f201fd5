use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_crypto::{Random, random_array};
use base_types::{Error, ErrorKind, Result, Secret};
use store_api::{Batch, CommitError, Expect, Revision, Store};

use crate::ceremony::{Added, Ceremony};
use crate::generate_root::GenerateRoot;
use crate::record::{Blob, SealRecord, Tagged, Wrap};
use crate::rekey::Rekey;
use crate::shamir::ShareKey;
use crate::{RECORD, RootKey, Seal, Share, Split};

/// All seals of one installation, and the operations that need shares.
///
/// It stores and gives out the root key; it does not unseal, and it does not judge who may ask.
pub struct Seals {
    store: Arc<dyn Store>,
    random: Arc<dyn Random>,
    automatic: Vec<Arc<dyn Seal>>,
    operations: Mutex<Operations>,
}

/// Operations in progress. They live in memory alone: a restart forgets them, and all shares.
#[derive(Default)]
pub(crate) struct Operations {
    pub(crate) unseal: Option<Ceremony>,
    pub(crate) generate_root: Option<GenerateRoot>,
    pub(crate) rekey: Option<Rekey>,
}

/// A new root key, not yet stored: commit `batch` together with the keyring.
#[derive(Debug)]
pub struct InitOutcome {
    pub root_key: RootKey,
    /// For the operator, once: unseal keys, or recovery keys if there is an automatic seal.
    pub key_shares: Vec<Share>,
    pub has_recovery_keys: bool,
    pub batch: Batch,
}

/// What anybody may know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealStatus {
    /// `shamir`, or the kind of the first automatic seal.
    pub kind: String,
    pub initialized: bool,
    /// Shares needed and shares made (`t` and `n`); zero if there are none.
    pub threshold: u8,
    pub shares: u8,
    /// Shares given towards unsealing, and the nonce of that attempt if there is one.
    pub progress: u8,
    pub nonce: String,
    /// The shares are recovery keys.
    pub recovery_seal: bool,
}

/// The seal record as read.
pub(crate) struct Stored {
    pub(crate) record: SealRecord,
    pub(crate) revision: Revision,
    tagged: Tagged,
}

/// What enough right shares give.
pub(crate) struct Opened {
    pub(crate) root_key: RootKey,
    pub(crate) share_key: ShareKey,
    pub(crate) stored: Stored,
}

impl Seals {
    /// `automatic` are the configured seals other than shares, in the order to try them.
    ///
    /// # Errors
    /// `Invalid` if two of them have the same kind and name.
    pub fn new(
        store: Arc<dyn Store>,
        random: Arc<dyn Random>,
        automatic: Vec<Arc<dyn Seal>>,
    ) -> Result<Self> {
        for (at, seal) in automatic.iter().enumerate() {
            if automatic[..at].iter().any(|other| is_same(&**other, seal.kind(), seal.name())) {
                let (kind, name) = (seal.kind(), seal.name());
                return Err(Error::invalid(format!("two seals {kind:?} are called {name:?}")));
            }
        }
        Ok(Self { store, random, automatic, operations: Mutex::default() })
    }

    pub fn has_automatic(&self) -> bool {
        !self.automatic.is_empty()
    }

    /// Makes a root key and wraps it for all seals. `split` may be left out only if there is an
    /// automatic seal; the root key is lost for ever when that is lost then.
    ///
    /// # Errors
    /// `Precondition` if there is a seal record already, `Invalid` if no seal would be left.
    pub async fn initialize(&self, split: Option<Split>) -> Result<InitOutcome> {
        if self.store.get(RECORD).await?.is_some() {
            return Err(Error::precondition("Vault is already initialized"));
        }
        if split.is_none() && self.automatic.is_empty() {
            return Err(Error::invalid("shares must be at least one"));
        }
        let root_key = Secret::new(random_array(&*self.random));
        let shared = split.map(|split| (split, ShareKey::generate(&*self.random)));
        let record = self.wrap_all(&root_key, shared.as_ref()).await?;
        let batch =
            Batch::new().expect(RECORD, Expect::Absent).put(RECORD, record.encode(&root_key)?);
        let key_shares = match &shared {
            Some((split, key)) => split.split(&*self.random, key)?,
            None => Vec::new(),
        };
        Ok(InitOutcome { root_key, key_shares, has_recovery_keys: self.has_automatic(), batch })
    }

    pub async fn status(&self) -> Result<SealStatus> {
        let stored = self.stored().await?;
        let record = stored.as_ref().map(|stored| &stored.record);
        let split = record.and_then(|record| record.shared()).map(|(_, split)| split);
        let operations = self.operations();
        let unseal = operations.unseal.as_ref();
        Ok(SealStatus {
            kind: self.kind(record),
            initialized: record.is_some(),
            threshold: split.map_or(0, Split::threshold),
            shares: split.map_or(0, Split::shares),
            progress: unseal.map_or(0, Ceremony::progress),
            nonce: unseal.map(|ceremony| ceremony.nonce().to_owned()).unwrap_or_default(),
            recovery_seal: record.map_or(self.has_automatic(), SealRecord::has_automatic),
        })
    }

    /// The root key, if one of the automatic seals has it. Nothing if none of them ever had it:
    /// shares are needed then.
    ///
    /// # Errors
    /// What the seals said, if they have it and none of them opens it; the shares still do.
    pub async fn auto_unseal(&self) -> Result<Option<RootKey>> {
        let Some(stored) = self.stored().await? else { return Ok(None) };
        let mut failures: Vec<Error> = Vec::new();
        for seal in &self.automatic {
            let wraps = &stored.record.wraps;
            let Some(wrap) = wraps.iter().find(|wrap| wrap.is_of(&**seal)) else { continue };
            match seal.unwrap(&wrap.blob.0, &wrap.own_context()).await {
                Ok(unwrapped) => {
                    stored.tagged.check(&unwrapped.root_key)?;
                    return Ok(Some(unwrapped.root_key));
                }
                Err(error) => failures.push(error),
            }
        }
        match failures.pop() {
            None => Ok(None),
            Some(last) => {
                Err(failures.iter().rev().fold(last, |error, other| error.at(other.public())))
            }
        }
    }

    /// Makes the seal record fit the configured seals: a seal that is new, or whose key is, gets
    /// the root key. To be called after every unseal. Says whether anything was changed.
    pub async fn refresh(&self, root_key: &RootKey) -> Result<bool> {
        let mut stored = self.require_stored().await?;
        stored.tagged.check(root_key)?;
        let mut changed = false;
        for seal in &self.automatic {
            let wraps = &mut stored.record.wraps;
            let at = wraps.iter().position(|wrap| wrap.is_of(&**seal));
            if let Some(at) = at {
                let unwrapped = seal.unwrap(&wraps[at].blob.0, &wraps[at].own_context()).await;
                if unwrapped.is_ok_and(|known| !known.is_stale && known.root_key == *root_key) {
                    continue;
                }
            }
            let wrap = wrap_by(&**seal, root_key).await?;
            changed = true;
            match at {
                Some(at) => wraps[at] = wrap,
                None => wraps.push(wrap),
            }
        }
        if changed {
            let batch = stored.replacement(&stored.record, root_key)?;
            self.store.commit(batch).await.map_err(commit_error)?;
        }
        Ok(changed)
    }

    /// Adds a share towards unsealing and gives the root key when there are enough. A share that
    /// was given before changes nothing.
    ///
    /// # Errors
    /// `Invalid` if the shares do not make the key; all of them are forgotten then.
    pub async fn unseal(&self, share: Share) -> Result<Option<RootKey>> {
        let (_, split) = self.require_shares().await?;
        let parts = {
            let mut operations = self.operations();
            let start = || Ceremony::new(&*self.random, split.threshold());
            match operations.unseal.get_or_insert_with(start).add(share) {
                Added::Continue | Added::Duplicate => return Ok(None),
                Added::Complete(parts) => {
                    operations.unseal = None;
                    parts
                }
            }
        };
        self.open(&parts).await.map(|opened| Some(opened.root_key))
    }

    /// Forgets the shares given towards unsealing.
    pub fn reset_unseal(&self) {
        self.operations().unseal = None;
    }

    /// What `parts` open, if they are enough and all right.
    pub(crate) async fn open(&self, parts: &[Share]) -> Result<Opened> {
        let (stored, split) = self.require_shares().await?;
        let share_key = split.combine(parts)?;
        let (wrap, _) = stored.record.shared().expect("there is a wrap with a split");
        let root_key = share_key.unwrap(&wrap.blob.0, &wrap.own_context())?.root_key;
        stored.tagged.check(&root_key)?;
        Ok(Opened { root_key, share_key, stored })
    }

    pub(crate) async fn wrap_all(
        &self,
        root_key: &RootKey,
        shared: Option<&(Split, ShareKey)>,
    ) -> Result<SealRecord> {
        let mut wraps = Vec::new();
        for seal in &self.automatic {
            wraps.push(wrap_by(&**seal, root_key).await?);
        }
        if let Some((split, key)) = shared {
            let (name, kind, split) = (ShareKey::KIND, ShareKey::KIND, Some(*split));
            let blob = key.wrap(&*self.random, root_key, &Wrap::context(name, kind, split));
            wraps.push(Wrap { name: name.into(), kind: kind.into(), split, blob: Blob(blob) });
        }
        Ok(SealRecord { wraps })
    }

    /// How many shares an operation needs; zero if there are none.
    pub(crate) async fn required(&self) -> Result<u8> {
        let stored = self.require_stored().await?;
        Ok(stored.record.shared().map_or(0, |(_, split)| split.threshold()))
    }

    pub(crate) async fn require_shares(&self) -> Result<(Stored, Split)> {
        let stored = self.require_stored().await?;
        let split = stored.record.shared().map(|(_, split)| split);
        let split =
            split.ok_or_else(|| Error::invalid("this installation has no recovery keys"))?;
        Ok((stored, split))
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        // Every change replaces a whole operation or adds one share.
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self, record: Option<&SealRecord>) -> String {
        let wraps = record.map(|record| &*record.wraps).unwrap_or_default();
        let stored = wraps.iter().find(|wrap| wrap.split.is_none()).map(|wrap| wrap.kind.as_str());
        let configured = self.automatic.first().map(|seal| seal.kind());
        let kind = if record.is_some() { stored } else { configured };
        kind.unwrap_or(ShareKey::KIND).to_owned()
    }

    async fn stored(&self) -> Result<Option<Stored>> {
        let Some(entry) = self.store.get(RECORD).await? else { return Ok(None) };
        let (record, tagged) = SealRecord::decode(&entry.value)?;
        Ok(Some(Stored { record, revision: entry.revision, tagged }))
    }

    pub(crate) async fn require_stored(&self) -> Result<Stored> {
        let missing = || Error::new(ErrorKind::Sealed, "Vault is not initialized");
        self.stored().await?.ok_or_else(missing)
    }
}

impl Stored {
    /// Writes `record` in place of this one, if nobody else was quicker.
    pub(crate) fn replacement(&self, record: &SealRecord, root_key: &RootKey) -> Result<Batch> {
        let bytes = record.encode(root_key)?;
        Ok(Batch::new().expect(RECORD, Expect::At(self.revision)).put(RECORD, bytes))
    }
}

impl Wrap {
    fn is_of(&self, seal: &dyn Seal) -> bool {
        is_same(seal, &self.kind, &self.name)
    }
}

fn is_same(seal: &dyn Seal, kind: &str, name: &str) -> bool {
    seal.kind() == kind && seal.name() == name
}

async fn wrap_by(seal: &dyn Seal, root_key: &RootKey) -> Result<Wrap> {
    let (name, kind) = (seal.name(), seal.kind());
    let blob = seal.wrap(root_key, &Wrap::context(name, kind, None)).await?;
    Ok(Wrap { name: name.into(), kind: kind.into(), split: None, blob: Blob(blob) })
}

fn commit_error(error: CommitError) -> Error {
    match error {
        CommitError::Conflict => {
            Error::precondition("the seal record was changed by somebody else: try again")
        }
        CommitError::Failed(error) => error,
    }
}
