use aes_gcm::aead::consts::U32;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};
use base_types::Secret;
use zeroize::Zeroizing;

use crate::TAG_LENGTH;

/// The length of a wide nonce in bytes. GCM hashes one that is not 96 bits long into its first
/// counter (NIST SP 800-38D, section 7.1, step 2), so that random nonces practically never meet.
pub const WIDE_NONCE_LENGTH: usize = 32;

/// A key for AES-256-GCM with nonces of 32 bytes, which is what SOPS writes. What is of our own
/// format takes [`AeadKey`](crate::AeadKey).
pub struct WideNonceKey(AesGcm<Aes256, U32>);

impl WideNonceKey {
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(AesGcm::new(key.expose().into()))
    }

    /// The ciphertext, as long as the plaintext, and its tag. A nonce must never be used twice with
    /// one key.
    pub fn seal(
        &self,
        nonce: &[u8; WIDE_NONCE_LENGTH],
        aad: &[u8],
        plaintext: &[u8],
    ) -> (Vec<u8>, [u8; TAG_LENGTH]) {
        let mut buffer = plaintext.to_vec();
        let tag = self
            .0
            .encrypt_in_place_detached(Nonce::from_slice(nonce), aad, &mut buffer)
            .expect("a message in memory is shorter than the 64 GiB that GCM allows");
        (buffer, tag.into())
    }

    /// The plaintext, or nothing if a bit of the ciphertext, the tag or `aad` is not what was sealed
    /// with this key and nonce.
    pub fn open(
        &self,
        nonce: &[u8; WIDE_NONCE_LENGTH],
        aad: &[u8],
        ciphertext: &[u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Option<Vec<u8>> {
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        self.0
            .decrypt_in_place_detached(
                Nonce::from_slice(nonce),
                aad,
                &mut buffer,
                Tag::from_slice(tag),
            )
            .ok()?;
        Some(std::mem::take(&mut *buffer))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn it_gives_what_openssl_gives() {
        let key = WideNonceKey::new(&Secret::new(std::array::from_fn(|at| at as u8)));
        let nonce = std::array::from_fn(|at| at as u8 + 32);
        let (sealed, tag) = key.seal(&nonce, b"a:b:", b"value");
        // EVP_aes_256_gcm with EVP_CTRL_AEAD_SET_IVLEN 32.
        assert_eq!(hex(&sealed), "61a09d3de8");
        assert_eq!(hex(&tag), "999c162b5fa46f8096f0a62ec19d3e32");
    }

    #[test]
    fn only_what_was_sealed_opens() {
        let key = WideNonceKey::new(&Secret::new([7; 32]));
        let (sealed, tag) = key.seal(&[9; 32], b"a:b:", b"value");
        assert_eq!(key.open(&[9; 32], b"a:b:", &sealed, &tag).unwrap(), b"value");
        assert!(key.open(&[9; 32], b"a:", &sealed, &tag).is_none());
        assert!(key.open(&[8; 32], b"a:b:", &sealed, &tag).is_none());
        assert!(key.open(&[9; 32], b"a:b:", &sealed[1..], &tag).is_none());
        assert!(key.open(&[9; 32], b"a:b:", &sealed, &[0; TAG_LENGTH]).is_none());
    }
}
