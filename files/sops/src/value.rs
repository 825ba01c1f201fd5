use base_crypto::{
    Random, TAG_LENGTH, WIDE_NONCE_LENGTH, WideNonceKey, constant_time_eq, random_array,
};
use base_types::Secret;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::{Failure, FailureKind, Result};

/// The key that encrypts the values of one file. The file holds it as its master keys wrapped it.
pub struct DataKey {
    bytes: Secret<[u8; 32]>,
    cipher: WideNonceKey,
}

/// Go's decoder, which sops uses, does not mind what the unused bits of the last digit say.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

impl DataKey {
    pub fn new(bytes: Secret<[u8; 32]>) -> Self {
        let cipher = WideNonceKey::new(&bytes);
        Self { bytes, cipher }
    }

    /// Whether both are the same key.
    pub fn is(&self, other: &Self) -> bool {
        constant_time_eq(self.expose(), other.expose())
    }

    pub fn generate(random: &dyn Random) -> Self {
        Self::new(Secret::new(random_array(random)))
    }

    /// The key as bytes, to be wrapped.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.bytes.expose()
    }

    /// `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`. The associated data are the keys on the way to
    /// the value, each followed by a colon.
    pub(crate) fn seal(
        &self,
        random: &dyn Random,
        associated: &str,
        kind: &str,
        plaintext: &[u8],
    ) -> String {
        let nonce: [u8; WIDE_NONCE_LENGTH] = random_array(random);
        let (data, tag) = self.cipher.seal(&nonce, associated.as_bytes(), plaintext);
        // All but the data have some 120 characters.
        let mut text = String::with_capacity(128 + data.len().div_ceil(3) * 4 + kind.len());
        for (name, bytes) in
            [("ENC[AES256_GCM,data:", &data[..]), (",iv:", &nonce), (",tag:", &tag)]
        {
            text.push_str(name);
            BASE64.encode_string(bytes, &mut text);
        }
        text.push_str(",type:");
        text.push_str(kind);
        text.push(']');
        text
    }

    /// The name of the type and the plaintext.
    ///
    /// # Errors
    /// `Decrypt` if `text` has another form, or was sealed with another key or other associated
    /// data. The text is never quoted: it may be a value that somebody forgot to encrypt.
    pub(crate) fn open<'a>(
        &self,
        associated: &str,
        text: &'a str,
    ) -> Result<(&'a str, Zeroizing<Vec<u8>>)> {
        let Sealed { data, nonce, tag, kind } =
            Sealed::parse(text).ok_or_else(|| broken("it is not of the form ENC[AES256_GCM,…]"))?;
        let decode = |digits| BASE64.decode(digits).map_err(|_| broken("it is not base64"));
        let nonce = decode(nonce)?
            .try_into()
            .map_err(|_| broken("its initialisation vector has not 32 bytes"))?;
        let tag: [u8; TAG_LENGTH] =
            decode(tag)?.try_into().map_err(|_| broken("its tag has not 16 bytes"))?;
        let plain = self.cipher.open(&nonce, associated.as_bytes(), &decode(data)?, &tag);
        let plain = plain.ok_or_else(|| {
            broken("it was changed, moved from another place, or encrypted with another key")
        })?;
        Ok((kind, Zeroizing::new(plain)))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// The parts of an encrypted value.
pub(crate) struct Sealed<'a> {
    data: &'a str,
    nonce: &'a str,
    tag: &'a str,
    pub(crate) kind: &'a str,
}

impl<'a> Sealed<'a> {
    /// Nothing if `text` is not an encrypted value. What follows the closing bracket is left out,
    /// as sops does.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("ENC[AES256_GCM,data:")?;
        let (inner, _) = rest.rsplit_once(']')?;
        let (data, rest) = inner.split_once(",iv:")?;
        let (nonce, rest) = rest.split_once(",tag:")?;
        let (tag, kind) = rest.split_once(",type:")?;
        let parts = [data, nonce, tag, kind];
        parts.iter().all(|part| !part.is_empty()).then_some(Self { data, nonce, tag, kind })
    }
}

fn broken(reason: &str) -> Failure {
    Failure::new(FailureKind::Decrypt, format!("the encrypted value cannot be read: {reason}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    fn key() -> DataKey {
        DataKey::generate(&SeededRandom::new(1))
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_alone() {
        let sealed = key().seal(&SeededRandom::new(2), "a:b:", "str", b"hello");
        let (kind, plain) = key().open("a:b:", &sealed).unwrap();
        assert_eq!((kind, plain.as_slice()), ("str", b"hello".as_slice()));
        assert_eq!(key().open("a:", &sealed).unwrap_err().kind, FailureKind::Decrypt);
        let other = DataKey::generate(&SeededRandom::new(3));
        assert_eq!(other.open("a:b:", &sealed).unwrap_err().kind, FailureKind::Decrypt);
    }

    #[test]
    fn every_changed_or_missing_character_is_noticed() {
        let sealed = key().seal(&SeededRandom::new(2), "a:", "int", b"12345");
        let head = "ENC[AES256_GCM,data:".len();
        let end = sealed.find(",type:").unwrap();
        for at in head..end {
            let mut cut = sealed.clone();
            cut.remove(at);
            assert!(key().open("a:", &cut).is_err(), "{cut}");
        }
        for end in 0..sealed.len() {
            assert!(key().open("a:", &sealed[..end]).is_err());
        }
    }

    #[test]
    fn a_plain_value_is_not_quoted() {
        let failure = key().open("a:", "hunter2").unwrap_err();
        assert!(!failure.text.contains("hunter2"));
    }
}
