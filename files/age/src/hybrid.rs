use std::collections::BTreeSet;

use base_crypto::{Random, XWING_CIPHERTEXT_LENGTH, XWingKey, XWingPublicKey, random_array};
use base_types::Secret;

use crate::hpke::Context;
use crate::identity::first;
use crate::x25519::{identity_text, open_with, sealed_key, secret_of};
use crate::{Error, FileKey, Identity, Recipient, Result, Stanza, Wrapped, base64, bech32};

// https://c2sp.org/age#the-mlkem768-x25519-ie-x-wing-hybrid-post-quantum-recipient-type
const TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const RECIPIENT_NAME: &str = "age1pq";
const IDENTITY_NAME: &str = "age-secret-key-pq-";
/// MLKEM768-X25519 in the registry of HPKE.
const KEM: u16 = 0x647a;
/// What keeps recipients out that a quantum computer would open.
const LABEL: &str = "postquantum";

/// ML-KEM-768 and X25519 together: `age1pq1…`.
pub(crate) struct HybridRecipient(XWingPublicKey);

impl HybridRecipient {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Self(XWingPublicKey::from_bytes(bytes)?))
    }
}

impl Recipient for HybridRecipient {
    fn wrap(&self, file_key: &FileKey, random: &dyn Random) -> Result<Wrapped> {
        let (carrier, shared) = self
            .0
            .encapsulate(random)
            .ok_or_else(|| Error::invalid("the recipient is a point that keeps nothing secret"))?;
        let body = Context::new(KEM, &shared, INFO).seal(file_key.expose());
        let stanza = Stanza::new([TAG.to_owned(), base64::encode(&carrier)], body);
        Ok(Wrapped { stanzas: vec![stanza], labels: BTreeSet::from([LABEL.to_owned()]) })
    }
}

/// `AGE-SECRET-KEY-PQ-1…`.
pub struct HybridIdentity {
    seed: Secret<[u8; 32]>,
    /// Some thousands of bytes, which every identity would have to have room for.
    key: Box<XWingKey>,
}

impl HybridIdentity {
    pub fn generate(random: &dyn Random) -> Self {
        Self::from_seed(Secret::new(random_array(random)))
    }

    /// # Errors
    /// `Invalid` if the text is no such identity.
    pub fn parse(text: &str) -> Result<Self> {
        let seed = secret_of(text, IDENTITY_NAME)
            .ok_or_else(|| Error::invalid("this is no identity AGE-SECRET-KEY-PQ-1…"))?;
        Ok(Self::from_seed(seed))
    }

    fn from_seed(seed: Secret<[u8; 32]>) -> Self {
        let key = Box::new(XWingKey::from_seed(&seed));
        Self { seed, key }
    }

    /// How it is written in files.
    pub fn text(&self) -> Secret<String> {
        identity_text(IDENTITY_NAME, self.seed.expose())
    }

    /// The text of the recipient that belongs to it.
    pub fn recipient(&self) -> String {
        bech32::encode(RECIPIENT_NAME, &self.key.public().to_bytes()).to_string()
    }

    fn open(&self, stanza: &Stanza) -> Result<Option<FileKey>> {
        if stanza.tag() != TAG {
            return Ok(None);
        }
        let damaged = || Error::header("an mlkem768x25519 stanza is none");
        let [_, carrier] = stanza.arguments.as_slice() else { return Err(damaged()) };
        let carrier = base64::decode(carrier)
            .filter(|carrier| carrier.len() == XWING_CIPHERTEXT_LENGTH)
            .ok_or_else(damaged)?;
        let sealed = sealed_key(&stanza.body).ok_or_else(damaged)?;
        let shared = self.key.decapsulate(&carrier).ok_or_else(damaged)?;
        let context = Context::new(KEM, &shared, INFO);
        Ok(open_with(&context.key, context.nonce, sealed))
    }
}

impl Identity for HybridIdentity {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        first(stanzas, |stanza| self.open(stanza))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn identities_are_read_and_written() {
        let text = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR";
        let identity = HybridIdentity::parse(text).unwrap();
        let recipient = identity.recipient();
        assert!(recipient.starts_with("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235"));
        assert!(recipient.ends_with("k2ykx3qheyty7saeq0d3fzv49zc0k"));
        assert_eq!(identity.text().expose(), text);
        assert!(HybridIdentity::parse(&text.to_lowercase()).is_err());
        assert!(crate::recipient(&recipient).is_ok());
        assert!(crate::recipient(&recipient.replace("pq1x3", "pq1x4")).is_err());
    }
}
