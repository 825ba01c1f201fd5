use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use base_types::Secret;

use crate::{NONCE_LENGTH, TAG_LENGTH};

/// A key for ChaCha20-Poly1305 (RFC 8439), expanded once and kept. Nothing is authenticated but
/// the message: nobody here has more.
pub struct ChaChaKey(LessSafeKey);

impl ChaChaKey {
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.expose()).expect("32 bytes are a key");
        Self(LessSafeKey::new(key))
    }

    /// Makes `ciphertext || tag` of a plaintext. A nonce must never be used twice with one key.
    pub fn seal(&self, nonce: [u8; NONCE_LENGTH], message: &mut Vec<u8>) {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(nonce, Aad::empty(), message)
            .expect("a message in memory is shorter than the 256 GiB that the cipher allows");
    }

    /// Writes the plaintext of `ciphertext || tag`, which is so much shorter than that. If a bit is not
    /// what was sealed, the answer is false, and what `plain` then holds means nothing.
    #[must_use]
    pub fn open(&self, nonce: [u8; NONCE_LENGTH], sealed: &[u8], plain: &mut [u8]) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let Some((ciphertext, tag)) = sealed.split_last_chunk::<TAG_LENGTH>() else { return false };
        plain.len() == ciphertext.len()
            && self.0.open_separate_gather(nonce, Aad::empty(), ciphertext, tag, plain).is_ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{hex, unhex};

    /// RFC 8439 gives vectors with associated data alone; this one was
    /// made by OpenSSL 3.
    #[test]
    fn agrees_with_another_implementation() {
        let key = ChaChaKey::new(&Secret::new([1; 32]));
        let mut message = b"age-encryption.org".to_vec();
        key.seal([2; 12], &mut message);
        assert_eq!(hex(&message), EXPECTED);
        let mut plain = [0; 18];
        assert!(key.open([2; 12], &message, &mut plain));
        assert_eq!(&plain, b"age-encryption.org");
        assert!(!key.open([2; 12], &message, &mut [0; 17]));
    }

    const EXPECTED: &str = "877b9703e8cd8ba8085d9d90bce5ca46fed426eaa006f809abdd10ee8950d34b8174";

    #[test]
    fn refuses_every_flipped_bit_every_truncation_and_another_nonce() {
        let key = ChaChaKey::new(&Secret::new([1; 32]));
        let sealed = unhex(EXPECTED).unwrap();
        let opens = |nonce, sealed: &[u8]| {
            key.open(nonce, sealed, &mut vec![0; sealed.len().saturating_sub(TAG_LENGTH)])
        };
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens([2; 12], &broken), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(!opens([2; 12], &sealed[..length]), "length {length}");
        }
        assert!(!opens([3; 12], &sealed));
    }
}
