use base_crypto::{Random, Sha512, SigningKey, X25519Key, hkdf_sha256, x25519_of_ed25519};
use base_types::Secret;
use zeroize::{Zeroize, Zeroizing};

use super::{fingerprint, wire};
use crate::x25519::{open, seal, sealed_key};
use crate::{Error, FileKey, Recipient, Result, Stanza, Wrapped, base64};

pub(super) const KIND: &str = "ssh-ed25519";
const INFO: &[u8] = b"age-encryption.org/v1/ssh-ed25519";

pub(super) struct Ed25519Recipient {
    blob: Vec<u8>,
    point: [u8; 32],
}

impl Ed25519Recipient {
    /// Nothing if `public` is no key.
    pub(super) fn new(blob: &[u8], public: &[u8; 32]) -> Option<Self> {
        Some(Self { blob: blob.to_vec(), point: x25519_of_ed25519(public)? })
    }
}

impl Recipient for Ed25519Recipient {
    fn wrap(&self, file_key: &FileKey, random: &dyn Random) -> Result<Wrapped> {
        let ephemeral = X25519Key::generate(random);
        let share = ephemeral.public();
        let shared = ephemeral.agree(&self.point);
        let key = shared.and_then(|shared| wrap_key(&shared, &share, &self.point, &self.blob));
        let key =
            key.ok_or_else(|| Error::invalid("the SSH key is a point that keeps nothing secret"))?;
        let arguments = [KIND.to_owned(), fingerprint(&self.blob), base64::encode(&share)];
        Ok(Wrapped::classic(Stanza::new(arguments, seal(&key, file_key))))
    }
}

pub(super) struct Ed25519Key {
    blob: Vec<u8>,
    key: X25519Key,
}

impl Ed25519Key {
    /// The key of a seed, as RFC 8032 calls its private key.
    pub(super) fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        let public = SigningKey::from_seed(seed).public();
        let blob = [wire::string(KIND.as_bytes()), wire::string(&public)].concat();
        let mut hash = Sha512::default();
        hash.update(seed.expose());
        let hash = Zeroizing::new(hash.finish());
        let mut number: [u8; 32] = hash[..32].try_into().expect("the hash has 64 bytes");
        let key = X25519Key::from_bytes(&Secret::new(number));
        number.zeroize();
        Self { blob, key }
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// What a stanza for this key holds.
    pub(super) fn open(&self, stanza: &Stanza) -> Result<FileKey> {
        let damaged = || Error::header("an ssh-ed25519 stanza is none");
        let [_, _, share] = stanza.arguments.as_slice() else { return Err(damaged()) };
        let share = base64::decode_array(share).ok_or_else(damaged)?;
        let sealed = sealed_key(&stanza.body).ok_or_else(damaged)?;
        let shared = self.key.agree(&share);
        let key =
            shared.and_then(|shared| wrap_key(&shared, &share, &self.key.public(), &self.blob));
        open(&key.ok_or_else(damaged)?, sealed).ok_or_else(damaged)
    }
}

/// The key that wraps the file key. The tweak ties it to the SSH key, of which the point says only a
/// half.
fn wrap_key(
    shared: &Secret<[u8; 32]>,
    share: &[u8; 32],
    point: &[u8; 32],
    blob: &[u8],
) -> Option<Secret<[u8; 32]>> {
    let tweak = X25519Key::from_bytes(&hkdf_sha256(b"", blob, INFO));
    let tweaked = tweak.agree(shared.expose())?;
    Some(hkdf_sha256(tweaked.expose(), &[*share, *point].concat(), INFO))
}
