use base_crypto::{OaepPrivateKey, OaepPublicKey, Random};
use base_types::Secret;

use super::{fingerprint, wire};
use crate::{Error, FileKey, Recipient, Result, Stanza, Wrapped};

pub(super) const KIND: &str = "ssh-rsa";
const LABEL: &[u8] = b"age-encryption.org/v1/ssh-rsa";

pub(super) struct RsaRecipient {
    blob: Vec<u8>,
    key: OaepPublicKey,
}

impl RsaRecipient {
    /// # Errors
    /// `Invalid` if the numbers are no key, or one that is too short.
    pub(super) fn new(blob: &[u8], modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        Ok(Self { blob: blob.to_vec(), key: OaepPublicKey::from_parts(modulus, exponent)? })
    }
}

impl Recipient for RsaRecipient {
    fn wrap(&self, file_key: &FileKey, _: &dyn Random) -> Result<Wrapped> {
        let body = self.key.encrypt(LABEL, file_key.expose())?;
        let arguments = [KIND.to_owned(), fingerprint(&self.blob)];
        Ok(Wrapped::classic(Stanza::new(arguments, body)))
    }
}

pub(super) struct RsaKey {
    blob: Vec<u8>,
    key: OaepPrivateKey,
}

impl RsaKey {
    pub(super) fn new(modulus: &[u8], exponent: &[u8], key: OaepPrivateKey) -> Self {
        let parts = [wire::string(KIND.as_bytes()), wire::number(exponent), wire::number(modulus)];
        Self { blob: parts.concat(), key }
    }

    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// What a stanza for this key holds.
    pub(super) fn open(&self, stanza: &Stanza) -> Result<FileKey> {
        let damaged = || Error::header("an ssh-rsa stanza is none");
        if stanza.arguments.len() != 2 {
            return Err(damaged());
        }
        let plain = self.key.decrypt(LABEL, &stanza.body).ok_or_else(damaged)?;
        let bytes = plain.expose().as_slice().try_into().map_err(|_| damaged())?;
        Ok(Secret::new(bytes))
    }
}
