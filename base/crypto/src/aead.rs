use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base_types::Secret;

/// The length of a nonce in bytes (NIST SP 800-38D, section 5.2.1.1: 96 bits are recommended).
pub const NONCE_LENGTH: usize = 12;

/// The length of an authentication tag in bytes.
pub const TAG_LENGTH: usize = 16;

/// A key for AES-256-GCM (NIST SP 800-38D), expanded once and kept.
///
/// With random nonces one key is good for 2^32 messages; who owns the key counts them.
pub struct AeadKey(LessSafeKey);

impl AeadKey {
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).expect("32 bytes are a key");
        Self(LessSafeKey::new(key))
    }

    /// `prefix || nonce || ciphertext || tag`. The prefix is copied, not protected: what must be
    /// protected goes into `aad` too. A nonce must never be used twice with one key.
    pub fn seal(
        &self,
        nonce: [u8; NONCE_LENGTH],
        aad: &[u8],
        plaintext: &[u8],
        prefix: &[u8],
    ) -> Vec<u8> {
        let start = prefix.len() + NONCE_LENGTH;
        let mut sealed = Vec::with_capacity(start + plaintext.len() + TAG_LENGTH);
        sealed.extend_from_slice(prefix);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut sealed[start..])
            .expect("a message in memory is shorter than the 64 GiB that GCM allows");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// The plaintext of `nonce || ciphertext || tag`, or nothing if a bit of it or of `aad` is not
    /// what was sealed with this key.
    pub fn open(&self, aad: &[u8], nonce_ciphertext_tag: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = nonce_ciphertext_tag.split_first_chunk::<NONCE_LENGTH>()?;
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LENGTH>()?;
        let mut plaintext = vec![0; ciphertext.len()];
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext).ok()?;
        Some(plaintext)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::unhex;

    struct Vector {
        key: &'static str,
        nonce: &'static str,
        aad: &'static str,
        plaintext: &'static str,
        sealed: &'static str,
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16.
    const VECTORS: [Vector; 3] = [
        Vector {
            key: "0000000000000000000000000000000000000000000000000000000000000000",
            nonce: "000000000000000000000000",
            aad: "",
            plaintext: "",
            sealed: "530f8afbc74536b9a963b4f1c4cb738b",
        },
        Vector {
            key: "0000000000000000000000000000000000000000000000000000000000000000",
            nonce: "000000000000000000000000",
            aad: "",
            plaintext: "00000000000000000000000000000000",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        },
        Vector {
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                     8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                     76fc6ece0f4e1768cddf8853bb2d551b",
        },
    ];

    fn key(text: &str) -> AeadKey {
        AeadKey::new(&Secret::new(unhex(text).unwrap().try_into().unwrap()))
    }

    #[test]
    fn agrees_with_the_published_vectors() {
        for vector in &VECTORS {
            let nonce = unhex(vector.nonce).unwrap();
            let (aad, plaintext) = (unhex(vector.aad).unwrap(), unhex(vector.plaintext).unwrap());
            let key = key(vector.key);
            let sealed = key.seal(nonce.clone().try_into().unwrap(), &aad, &plaintext, b"prefix");
            let expected = [b"prefix".to_vec(), nonce, unhex(vector.sealed).unwrap()].concat();
            assert_eq!(sealed, expected);
            assert_eq!(key.open(&aad, &sealed[6..]).unwrap(), plaintext);
        }
    }

    #[test]
    fn refuses_every_flipped_bit_every_truncation_and_another_key_or_context() {
        let vector = &VECTORS[2];
        let (aad, right) = (unhex(vector.aad).unwrap(), key(vector.key));
        let sealed = right.seal([7; 12], &aad, b"plaintext", b"");
        for bit in 0..sealed.len() * 8 {
            let mut broken = sealed.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(right.open(&aad, &broken).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(right.open(&aad, &sealed[..length]).is_none(), "length {length}");
        }
        assert!(right.open(b"elsewhere", &sealed).is_none());
        assert!(right.open(&aad, &[&sealed[..], b"x"].concat()).is_none());
        assert!(key(VECTORS[0].key).open(&aad, &sealed).is_none());
    }
}
