use base_crypto::{ChaChaKey, NONCE_LENGTH, Random, X25519Key, hkdf_sha256};
use base_types::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::identity::{FILE_KEY_LENGTH, first};
use crate::{Error, FileKey, Identity, Recipient, Result, Stanza, Wrapped, base64, bech32};

// https://c2sp.org/age#the-x25519-recipient-type
const TAG: &str = "X25519";
const INFO: &[u8] = b"age-encryption.org/v1/X25519";
const RECIPIENT_NAME: &str = "age";
const IDENTITY_NAME: &str = "age-secret-key-";

/// Curve25519: `age1…`.
pub(crate) struct X25519Recipient([u8; 32]);

impl X25519Recipient {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl Recipient for X25519Recipient {
    fn wrap(&self, file_key: &FileKey, random: &dyn Random) -> Result<Wrapped> {
        let ephemeral = X25519Key::generate(random);
        let share = ephemeral.public();
        let shared = ephemeral
            .agree(&self.0)
            .ok_or_else(|| Error::invalid("the recipient is a point that keeps nothing secret"))?;
        let body = seal(&wrap_key(&shared, &share, &self.0), file_key);
        Ok(Wrapped::classic(Stanza::new([TAG.to_owned(), base64::encode(&share)], body)))
    }
}

/// `AGE-SECRET-KEY-1…`.
pub struct X25519Identity {
    secret: Secret<[u8; 32]>,
    key: X25519Key,
}

impl X25519Identity {
    pub fn generate(random: &dyn Random) -> Self {
        Self::from_secret(Secret::new(base_crypto::random_array(random)))
    }

    /// # Errors
    /// `Invalid` if the text is no such identity.
    pub fn parse(text: &str) -> Result<Self> {
        let secret = secret_of(text, IDENTITY_NAME)
            .ok_or_else(|| Error::invalid("this is no identity AGE-SECRET-KEY-1…"))?;
        Ok(Self::from_secret(secret))
    }

    fn from_secret(secret: Secret<[u8; 32]>) -> Self {
        let key = X25519Key::from_bytes(&secret);
        Self { secret, key }
    }

    /// How it is written in files.
    pub fn text(&self) -> Secret<String> {
        identity_text(IDENTITY_NAME, self.secret.expose())
    }

    /// The text of the recipient that belongs to it.
    pub fn recipient(&self) -> String {
        bech32::encode(RECIPIENT_NAME, &self.key.public()).to_string()
    }

    fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>> {
        if stanza.tag() != TAG {
            return Ok(None);
        }
        let damaged = || Error::header("an X25519 stanza is none");
        let [_, share] = stanza.arguments.as_slice() else { return Err(damaged()) };
        let share = base64::decode_array(share).ok_or_else(damaged)?;
        let sealed = sealed_key(&stanza.body).ok_or_else(damaged)?;
        let shared = self.key.agree(&share).ok_or_else(damaged)?;
        Ok(open(&wrap_key(&shared, &share, &self.key.public()), sealed))
    }
}

impl Identity for X25519Identity {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        first(stanzas, |stanza| self.open(stanza))
    }
}

fn wrap_key(shared: &Secret<[u8; 32]>, share: &[u8; 32], recipient: &[u8; 32]) -> Secret<[u8; 32]> {
    hkdf_sha256(shared.expose(), &[*share, *recipient].concat(), INFO)
}

/// The 32 bytes of an identity that is written in upper case under a name.
pub(crate) fn secret_of(text: &str, name: &str) -> Option<Secret<[u8; 32]>> {
    let (found, bytes) = bech32::decode(text)?;
    let is_upper = !text.bytes().any(|byte| byte.is_ascii_lowercase());
    let mut array: [u8; 32] = bytes.as_slice().try_into().ok()?;
    let secret = Secret::new(array);
    array.zeroize();
    Some(secret).filter(|_| is_upper && found == name)
}

pub(crate) fn identity_text(name: &str, secret: &[u8]) -> Secret<String> {
    let text = bech32::encode(name, secret);
    Secret::new(text.to_ascii_uppercase())
}

/// The length of a file key as stanzas hold it, with its tag. Nothing else is even tried: one file
/// could be made to open for many keys.
const SEALED_KEY_LENGTH: usize = FILE_KEY_LENGTH + base_crypto::TAG_LENGTH;

pub(crate) fn sealed_key(body: &[u8]) -> Option<&[u8; SEALED_KEY_LENGTH]> {
    body.try_into().ok()
}

/// The file key under a key that is used once, and so with a nonce of zeros.
pub(crate) fn seal(key: &Secret<[u8; 32]>, file_key: &FileKey) -> Vec<u8> {
    let mut body = Vec::with_capacity(SEALED_KEY_LENGTH);
    body.extend_from_slice(file_key.expose());
    ChaChaKey::new(key).seal([0; NONCE_LENGTH], &mut body);
    body
}

/// What [`seal`] was given; nothing if it was another key.
pub(crate) fn open(key: &Secret<[u8; 32]>, sealed: &[u8; SEALED_KEY_LENGTH]) -> Option<FileKey> {
    open_with(key, [0; NONCE_LENGTH], sealed)
}

/// As [`open`], with a nonce.
pub(crate) fn open_with(
    key: &Secret<[u8; 32]>,
    nonce: [u8; NONCE_LENGTH],
    sealed: &[u8; SEALED_KEY_LENGTH],
) -> Option<FileKey> {
    let mut plain = Zeroizing::new([0; FILE_KEY_LENGTH]);
    let opened = ChaChaKey::new(key).open(nonce, sealed, &mut *plain);
    opened.then(|| Secret::new(*plain))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn identities_are_read_and_written() {
        let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let identity = X25519Identity::parse(text).unwrap();
        let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
        assert_eq!(identity.recipient(), recipient);
        assert_eq!(identity.text().expose(), text);
        assert!(X25519Identity::parse(&text.to_lowercase()).is_err());
        assert!(X25519Identity::parse(&text.replace('G', "H")).is_err());
        assert!(X25519Identity::parse(recipient).is_err());
    }
}
