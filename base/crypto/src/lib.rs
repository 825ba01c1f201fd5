//! The project's cryptography: the only crate that names a cryptographic library.
//!
//! Each file is one primitive with the few parameters that the project uses. Keyed contexts
//! ([`AeadKey`], [`HmacKey`]) are made once and kept, because expanding a key costs more than
//! using it on a small message.

mod aead;
mod chacha;
mod compare;
mod der;
mod digest;
mod hex;
mod hmac;
mod kdf;
mod oaep;
mod openssh;
mod random;
mod rsa_sign;
mod scrypt;
pub mod shamir;
mod sign;
mod wide_nonce;
mod x25519;
mod xwing;

pub use aead::{AeadKey, NONCE_LENGTH, TAG_LENGTH};
pub use chacha::ChaChaKey;
pub use compare::constant_time_eq;
pub use digest::{Sha512, digest_by_name, sha256};
pub use hex::{hex, unhex};
pub use hmac::HmacKey;
pub use kdf::hkdf_sha256;
pub use oaep::{OaepPrivateKey, OaepPublicKey, RsaNumbers};
pub use openssh::openssh_decrypt;
pub use random::{Random, SeededRandom, SystemRandom, random_array, random_base62, random_uuid};
pub use rsa_sign::rsa_sha256_sign;
pub use scrypt::scrypt;
pub use sign::{SigningKey, verify_signature};
pub use wide_nonce::{WIDE_NONCE_LENGTH, WideNonceKey};
pub use x25519::{X25519Key, x25519_of_ed25519};
pub use xwing::{XWING_CIPHERTEXT_LENGTH, XWING_PUBLIC_LENGTH, XWingKey, XWingPublicKey};
