use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base_types::Secret;

use crate::{Random, random_array};

/// A key for Ed25519 signatures (RFC 8032), expanded once and kept.
pub struct SigningKey {
    seed: Secret<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    pub fn generate(random: &dyn Random) -> Self {
        Self::from_seed(&Secret::new(random_array(random)))
    }

    /// The seed is what RFC 8032, section 5.1.5, calls the private key.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .expect("every 32 bytes are the seed of a key");
        Self { seed: seed.clone(), pair }
    }

    pub fn seed(&self) -> Secret<[u8; 32]> {
        self.seed.clone()
    }

    pub fn public(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().expect("a public key has 32 bytes")
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().expect("a signature has 64 bytes")
    }
}

/// Whether `signature` is that of the owner of `public` under `message`.
pub fn verify_signature(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{SeededRandom, hex, unhex};

    /// RFC 8032, section 7.1, tests 1 to 3.
    const VECTORS: [[&str; 4]; 3] = [
        [
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
             d25bf5f0595bbe24655141438e7a100b",
        ],
        [
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c\
             387b2eaeb4302aeeb00d291612bb0c00",
        ],
        [
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659\
             4a7c15e9716ed28dc027beceea1ec40a",
        ],
    ];

    #[test]
    fn agrees_with_the_published_vectors() {
        for [seed, public, message, signature] in VECTORS {
            let key = SigningKey::from_seed(&Secret::new(unhex(seed).unwrap().try_into().unwrap()));
            let message = unhex(message).unwrap();
            assert_eq!(hex(&key.public()), public);
            assert_eq!(hex(&key.sign(&message)), signature);
            assert_eq!(hex(key.seed().expose()), seed);
            assert!(verify_signature(&key.public(), &message, &key.sign(&message)));
        }
    }

    #[test]
    fn refuses_another_message_another_key_and_any_flipped_bit() {
        let (key, other) = (
            SigningKey::generate(&SeededRandom::new(1)),
            SigningKey::generate(&SeededRandom::new(2)),
        );
        let signature = key.sign(b"message");
        assert!(!verify_signature(&key.public(), b"massage", &signature));
        assert!(!verify_signature(&other.public(), b"message", &signature));
        for bit in 0..512 {
            let mut broken = signature;
            broken[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify_signature(&key.public(), b"message", &broken), "bit {bit}");
        }
    }
}
