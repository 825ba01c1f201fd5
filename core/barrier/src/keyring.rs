use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base_crypto::{AeadKey, Random, hex, hkdf_sha256, random_array, unhex};
use base_types::{Result, Secret, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store_api::Revision;

use crate::{Record, RotationConfig, envelope, record};

/// The keys of the unsealed barrier. A change makes a new keyring, which shares the terms (and so
/// their counts) with the old one.
pub(crate) struct Keyring {
    root: Arc<AeadKey>,
    derivation_secret: Secret<[u8; 32]>,
    pub(crate) rotation: RotationConfig,
    terms: Vec<Arc<Term>>,
    /// Of the stored record that this keyring mirrors.
    pub(crate) revision: Revision,
}

/// One key of the keyring.
pub(crate) struct Term {
    pub(crate) number: u32,
    pub(crate) key: AeadKey,
    secret: Secret<[u8; 32]>,
    pub(crate) install_time: Timestamp,
    used: AtomicU64,
    /// Encryptions that the stored record already accounts for; `used` never exceeds it.
    reserved: AtomicU64,
}

impl Keyring {
    /// The keyring in `record`, to be stored under `root`.
    pub(crate) fn new(record: KeyringRecord, root: Arc<AeadKey>, revision: Revision) -> Self {
        let KeyringRecord { derivation_secret, rotation, terms } = record;
        let terms = terms.into_iter().map(|term| Arc::new(Term::new(term))).collect();
        Self { root, derivation_secret: derivation_secret.0, rotation, terms, revision }
    }

    /// The newest term: the one that encrypts.
    pub(crate) fn active(&self) -> &Arc<Term> {
        self.terms.last().expect("a keyring is made with one term and never loses any")
    }

    /// Terms count from one without a gap, which [`KeyringRecord::open`] has checked.
    pub(crate) fn term(&self, number: u32) -> Option<&Term> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.terms.get(at).map(|term| &**term)
    }

    pub(crate) fn derive(&self, label: &str) -> Secret<[u8; 32]> {
        hkdf_sha256(self.derivation_secret.expose(), b"strongroom barrier", label.as_bytes())
    }

    /// What must be stored, with the reserved counts as counts.
    pub(crate) fn record(&self) -> KeyringRecord {
        KeyringRecord {
            derivation_secret: KeyText(self.derivation_secret.clone()),
            rotation: self.rotation,
            terms: self.terms.iter().map(|term| term.record()).collect(),
        }
    }

    /// This keyring with `changed` in place of its record: another root key, configuration or
    /// one more term. The terms that were there keep their running counts.
    pub(crate) fn changed(
        &self,
        changed: KeyringRecord,
        root: Arc<AeadKey>,
        revision: Revision,
    ) -> Self {
        let mut next = Self::new(changed, root, revision);
        for (term, current) in next.terms.iter_mut().zip(&self.terms) {
            let reserved = term.reserved.load(Ordering::Relaxed);
            current.reserved.store(reserved, Ordering::Relaxed);
            *term = current.clone();
        }
        next
    }

    pub(crate) fn root(&self) -> Arc<AeadKey> {
        self.root.clone()
    }
}

impl Term {
    fn new(record: TermRecord) -> Self {
        let TermRecord { term, key: KeyText(secret), install_time, encryptions } = record;
        Self {
            number: term,
            key: AeadKey::new(&secret),
            secret,
            install_time,
            used: AtomicU64::new(encryptions),
            reserved: AtomicU64::new(encryptions),
        }
    }

    /// Counts one encryption, if there is one left of those reserved, and of `limit`.
    pub(crate) fn take(&self, limit: u64) -> bool {
        let ceiling = self.reserved.load(Ordering::Relaxed).min(limit);
        let next = |used: u64| (used < ceiling).then_some(used + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn record(&self) -> TermRecord {
        TermRecord {
            term: self.number,
            key: KeyText(self.secret.clone()),
            install_time: self.install_time,
            encryptions: self.reserved.load(Ordering::Relaxed),
        }
    }
}

/// The keyring as stored, encrypted by the root key as if that were term zero.
#[derive(Deserialize, Serialize)]
pub(crate) struct KeyringRecord {
    derivation_secret: KeyText,
    pub(crate) rotation: RotationConfig,
    pub(crate) terms: Vec<TermRecord>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct TermRecord {
    term: u32,
    key: KeyText,
    install_time: Timestamp,
    /// The ceiling that is reserved: a crash makes the count too high, never too low.
    pub(crate) encryptions: u64,
}

impl Record for KeyringRecord {
    const KIND: &'static str = "keyring";
}

const ROOT_TERM: u32 = 0;

impl KeyringRecord {
    /// A keyring for a new installation.
    pub(crate) fn generate(random: &dyn Random, now: Timestamp) -> Self {
        let derivation_secret = KeyText(Secret::new(random_array(random)));
        let rotation = RotationConfig::default();
        let mut record = Self { derivation_secret, rotation, terms: Vec::new() };
        record.add_term(random, now);
        record
    }

    /// Adds a term with a fresh key and gives its number.
    pub(crate) fn add_term(&mut self, random: &dyn Random, now: Timestamp) -> u32 {
        let term = self.terms.last().map_or(1, |last| last.term + 1);
        let key = KeyText(Secret::new(random_array(random)));
        self.terms.push(TermRecord { term, key, install_time: now, encryptions: 0 });
        term
    }

    /// The bytes to store at `store_key`.
    pub(crate) fn seal(
        &self,
        random: &dyn Random,
        root: &AeadKey,
        store_key: &str,
    ) -> Result<Vec<u8>> {
        let plaintext = record::encode(self)?;
        Ok(envelope::seal(random, ROOT_TERM, root, store_key, plaintext.expose()))
    }

    /// The keyring in `bytes`, or nothing if `root` does not open it.
    pub(crate) fn open(bytes: &[u8], root: &AeadKey, store_key: &str) -> Option<Result<Self>> {
        let (term, sealed) = envelope::parse(bytes)?;
        if term != ROOT_TERM {
            return None;
        }
        let plaintext = Secret::new(root.open(store_key.as_bytes(), sealed)?);
        let keyring: Result<Self> = record::decode(store_key, plaintext.expose());
        let in_order = |keyring: &Self| {
            let numbers = keyring.terms.iter().map(|term| term.term);
            !keyring.terms.is_empty() && numbers.eq(1..=keyring.terms.len() as u32)
        };
        Some(keyring.and_then(|keyring| match in_order(&keyring) {
            true => Ok(keyring),
            false => Err(base_types::Error::corrupt(format!("{store_key} has a gap in its terms"))),
        }))
    }
}

/// A key written as hexadecimal digits.
struct KeyText(Secret<[u8; 32]>);

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Secret::new(hex(self.0.expose())).expose())
    }
}

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Secret<String> = Deserialize::deserialize(deserializer)?;
        let bytes = unhex(text.expose()).map(Secret::new);
        let key = bytes.and_then(|bytes| bytes.expose().as_slice().try_into().ok());
        key.map(|key| Self(Secret::new(key))).ok_or_else(|| D::Error::custom("not a key"))
    }
}
