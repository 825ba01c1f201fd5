use std::sync::Arc;

use arc_swap::ArcSwapOption;
use base_crypto::{AeadKey, Random};
use base_types::{Clock, Error, ErrorKind, Result, Secret, Timestamp};
use store_api::{Batch, CommitError, Entry, Expect, Revision, Store};
use tokio::sync::Mutex;

use crate::change::Change;
use crate::keyring::{Keyring, KeyringRecord};
use crate::{RotationConfig, View, envelope};

/// Where the keyring is stored.
pub const KEYRING: &str = "core/keyring";

/// What no view may write: the keyring and the seal record.
const RESERVED: [&str; 2] = [KEYRING, "core/seal"];

/// Encrypts on the way to the store and decrypts on the way back, as long as it is unsealed.
pub struct Barrier {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: ArcSwapOption<Keyring>,
    /// Held by whoever changes the keyring. Readers never wait for it.
    pub(crate) changes: Arc<Mutex<()>>,
}

/// What may be told about the key in use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyStatus {
    pub term: u32,
    pub install_time: Timestamp,
    /// Encryptions with this key. After a crash it is an upper bound.
    pub encryptions: u64,
}

impl Barrier {
    /// A sealed barrier over `store`.
    pub fn new(store: Arc<dyn Store>, random: Arc<dyn Random>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let (keyring, changes) = (ArcSwapOption::empty(), Arc::default());
        Arc::new(Self { store, random, clock, keyring, changes })
    }

    /// The part of the barrier below `prefix`, which is empty or ends in a slash.
    pub fn view(self: &Arc<Self>, prefix: &str) -> View {
        View::new(self.clone(), prefix)
    }

    /// Makes a keyring under `root_key`. The barrier stays sealed.
    ///
    /// # Errors
    /// `Precondition` if there is a keyring already.
    pub async fn initialize(&self, root_key: &Secret<[u8; 32]>) -> Result<()> {
        self.initialize_with(root_key, Batch::new()).await
    }

    /// As [`initialize`](Self::initialize), in one commit with `batch`: both happen or neither.
    pub async fn initialize_with(&self, root_key: &Secret<[u8; 32]>, batch: Batch) -> Result<()> {
        let record = KeyringRecord::generate(&*self.random, self.clock.now());
        let bytes = record.seal(&*self.random, &AeadKey::new(root_key), KEYRING)?;
        let batch = batch.expect(KEYRING, Expect::Absent).put(KEYRING, bytes);
        match self.store.commit(batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict) => {
                Err(Error::precondition("the storage is already initialized"))
            }
            Err(CommitError::Failed(error)) => Err(error),
        }
    }

    /// Whether there is a keyring to unseal.
    pub async fn is_initialized(&self) -> Result<bool> {
        Ok(self.store.get(KEYRING).await?.is_some())
    }

    /// Opens the keyring. Nothing changes if the barrier is unsealed already and the key is right.
    ///
    /// # Errors
    /// `Invalid` if `root_key` does not open the keyring, `Sealed` if there is none, `Corrupt` if
    /// it opens and makes no sense. The barrier is then as before.
    pub async fn unseal(&self, root_key: &Secret<[u8; 32]>) -> Result<()> {
        let _change = self.changes.lock().await;
        let Some(entry) = self.store.get(KEYRING).await? else {
            return Err(Error::new(ErrorKind::Sealed, "Vault is not initialized"));
        };
        let root = AeadKey::new(root_key);
        let Some(record) = KeyringRecord::open(&entry.value, &root, KEYRING) else {
            return Err(Error::invalid(format!(
                "the root key does not open {KEYRING}: the key is wrong or the stored keyring is damaged"
            )));
        };
        let record = record?;
        if self.is_sealed() {
            let keyring = Keyring::new(record, Arc::new(root), entry.revision);
            self.keyring.store(Some(Arc::new(keyring)));
        }
        Ok(())
    }

    /// Forgets all keys. What is running ends with `Sealed`.
    pub fn seal(&self) {
        self.keyring.store(None);
    }

    pub fn is_sealed(&self) -> bool {
        self.keyring.load().is_none()
    }

    /// Takes a new key for all values written from now on, and gives its term. Values written
    /// before stay readable.
    pub async fn rotate(self: &Arc<Self>) -> Result<u32> {
        Change::begin(self).await?.add_term().await
    }

    /// Rotates if the key has lived or worked for as long as the configuration allows; to be
    /// called from time to time. The count of encryptions is also enforced without it.
    pub async fn rotate_if_due(self: &Arc<Self>) -> Result<Option<u32>> {
        let change = Change::begin(self).await?;
        let (active, rotation) = (change.keyring.active(), change.keyring.rotation);
        let is_due = active.used() >= rotation.limit()
            || rotation.is_too_old(active.install_time, self.clock.now());
        if is_due { change.add_term().await.map(Some) } else { Ok(None) }
    }

    /// Puts the keyring under `new_root_key`.
    pub async fn rekey(self: &Arc<Self>, new_root_key: &Secret<[u8; 32]>) -> Result<()> {
        self.rekey_with(new_root_key, Batch::new()).await
    }

    /// As [`rekey`](Self::rekey), in one commit with `batch`, which holds the seals of the new
    /// root key: at no moment is there a keyring that no seal opens.
    ///
    /// # Errors
    /// `Precondition` if a condition of `batch` does not hold, or if another process changed the
    /// keyring.
    pub async fn rekey_with(
        self: &Arc<Self>,
        new_root_key: &Secret<[u8; 32]>,
        batch: Batch,
    ) -> Result<()> {
        let change = Change::begin(self).await?;
        let record = change.keyring.record();
        change.store_under(Arc::new(AeadKey::new(new_root_key)), record, batch).await
    }

    pub fn key_status(&self) -> Result<KeyStatus> {
        let keyring = self.keyring()?;
        let active = keyring.active();
        Ok(KeyStatus {
            term: active.number,
            install_time: active.install_time,
            encryptions: active.used(),
        })
    }

    pub fn rotation_config(&self) -> Result<RotationConfig> {
        Ok(self.keyring()?.rotation)
    }

    /// # Errors
    /// `Invalid` if a value lies outside its range.
    pub async fn set_rotation_config(self: &Arc<Self>, config: RotationConfig) -> Result<()> {
        config.check()?;
        let change = Change::begin(self).await?;
        let mut record = change.keyring.record();
        record.rotation = config;
        change.store(record).await
    }

    /// A key for the use that `label` names. It is the same for the whole life of the
    /// installation, whatever is rotated or rekeyed, and another in every installation.
    pub fn derive_key(&self, label: &str) -> Result<Secret<[u8; 32]>> {
        Ok(self.keyring()?.derive(label))
    }

    pub(crate) fn check_unsealed(&self) -> Result<()> {
        if self.is_sealed() { Err(Error::sealed()) } else { Ok(()) }
    }

    /// What to store at `store_key`.
    pub(crate) async fn encrypt(
        self: &Arc<Self>,
        store_key: &str,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        loop {
            if let Some(bytes) = self.encrypt_if_reserved(store_key, plaintext)? {
                return Ok(bytes);
            }
            self.reserve().await?;
        }
    }

    fn encrypt_if_reserved(&self, store_key: &str, plaintext: &[u8]) -> Result<Option<Vec<u8>>> {
        let keyring = self.keyring.load();
        let keyring = keyring.as_deref().ok_or_else(Error::sealed)?;
        let term = keyring.active();
        let seal = || envelope::seal(&*self.random, term.number, &term.key, store_key, plaintext);
        Ok(term.take(keyring.rotation.limit()).then(seal))
    }

    /// The plaintext of what was stored at `store_key`.
    pub(crate) fn decrypt(&self, store_key: &str, entry: &Entry) -> Result<Secret<Vec<u8>>> {
        let keyring = self.keyring.load();
        let keyring = keyring.as_deref().ok_or_else(Error::sealed)?;
        let open = |(number, sealed)| keyring.term(number)?.key.open(store_key.as_bytes(), sealed);
        envelope::parse(&entry.value).and_then(open).map(Secret::new).ok_or_else(|| {
            Error::corrupt(format!("the stored value at {store_key} failed its integrity check"))
        })
    }

    /// Commits what views wrote.
    ///
    /// # Errors
    /// `Internal` if it touches the keys of the barrier and the seals, which are no view's: losing
    /// them would lose everything.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        self.check_unsealed().map_err(CommitError::Failed)?;
        if let Some((key, _)) = batch.ops.iter().find(|(key, _)| RESERVED.contains(&&**key)) {
            return Err(CommitError::Failed(Error::internal(format!("a view wrote to {key}"))));
        }
        self.store.commit(batch).await
    }

    pub(crate) fn keyring(&self) -> Result<Arc<Keyring>> {
        self.keyring.load_full().ok_or_else(Error::sealed)
    }

    /// Makes room for more encryptions: with this key up to its limit, then with a new one.
    async fn reserve(self: &Arc<Self>) -> Result<()> {
        let change = Change::begin(self).await?;
        let (active, rotation) = (change.keyring.active(), change.keyring.rotation);
        let mut record = change.keyring.record();
        let last = record.terms.last_mut().expect("a keyring has a term");
        if active.used() < last.encryptions.min(rotation.limit()) {
            return Ok(()); // Another task was quicker.
        }
        let ceiling = rotation.next_ceiling(last.encryptions);
        if ceiling <= last.encryptions {
            return change.add_term().await.map(|_| ());
        }
        last.encryptions = ceiling;
        change.store(record).await
    }
}
