use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use base_types::{Error, Result, Secret};
use zeroize::Zeroizing;

use crate::der;

/// A public RSA key of 2048 to 8192 bits that encrypts by RSA-OAEP with SHA-256 (RFC 8017,
/// section 7.1).
pub struct OaepPublicKey(OaepPublicEncryptingKey);

impl OaepPublicKey {
    /// From a `SubjectPublicKeyInfo` (RFC 5280, section 4.1) in DER.
    ///
    /// # Errors
    /// `Invalid` if it is none, or a key of another kind or size.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let key = PublicEncryptingKey::from_der(der).map_err(|_| unusable())?;
        OaepPublicEncryptingKey::new(key).map(Self).map_err(|_| unusable())
    }

    /// From modulus and exponent, big-endian.
    ///
    /// # Errors
    /// As [`OaepPublicKey::from_spki`].
    pub fn from_parts(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let key = der::sequence(&[der::integer(modulus), der::integer(exponent)]);
        Self::from_spki(&der::sequence(&[der::rsa_algorithm(), der::bit_string(&key)]))
    }

    /// `plaintext` so that only the holder of the private key who knows the label can read it.
    ///
    /// # Errors
    /// `Invalid` if the plaintext is longer than the modulus less 66 bytes.
    pub fn encrypt(&self, label: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let mut ciphertext = vec![0; self.0.ciphertext_size()];
        let label = Some(label).filter(|label| !label.is_empty());
        let length = self
            .0
            .encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, label)
            .map_err(|_| Error::invalid("the plaintext is too long for this RSA key"))?
            .len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }
}

/// The private key of an [`OaepPublicKey`].
pub struct OaepPrivateKey(OaepPrivateDecryptingKey);

/// The numbers of a private RSA key, big-endian, by their names in RFC 8017, section 3.2.
pub struct RsaNumbers<'a> {
    pub n: &'a [u8],
    pub e: &'a [u8],
    pub d: &'a [u8],
    pub p: &'a [u8],
    pub q: &'a [u8],
    pub q_inverse: &'a [u8],
}

impl OaepPrivateKey {
    /// From a `PrivateKeyInfo` (RFC 5208) in DER.
    ///
    /// # Errors
    /// `Invalid` if it is none, or a key of another kind or size.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| unusable())?;
        OaepPrivateDecryptingKey::new(key).map(Self).map_err(|_| unusable())
    }

    /// From an `RSAPrivateKey` (RFC 8017, appendix A.1.2) in DER.
    ///
    /// # Errors
    /// As [`OaepPrivateKey::from_pkcs8`].
    pub fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let key = der::octet_string(der);
        let info = [der::integer(&[0]), der::rsa_algorithm(), key];
        Self::from_pkcs8(&der::sequence(&info))
    }

    /// From the numbers that a file of OpenSSH holds.
    ///
    /// # Errors
    /// As [`OaepPrivateKey::from_pkcs8`], also if the numbers do not belong together.
    pub fn from_numbers(numbers: &RsaNumbers<'_>) -> Result<Self> {
        let RsaNumbers { n, e, d, p, q, q_inverse } = numbers;
        let exponent = |prime: &[u8]| remainder(d, &less_one(prime)?);
        let (Some(dp), Some(dq)) = (exponent(p), exponent(q)) else { return Err(unusable()) };
        let integers = [&[0][..], n, e, d, p, q, &dp, &dq, q_inverse].map(der::integer);
        Self::from_pkcs1(&der::sequence(&integers))
    }

    /// What was encrypted under `label`; nothing if this key or the label is not the one.
    pub fn decrypt(&self, label: &[u8], ciphertext: &[u8]) -> Option<Secret<Vec<u8>>> {
        let mut plaintext = Zeroizing::new(vec![0; self.0.min_output_size()]);
        let label = Some(label).filter(|label| !label.is_empty());
        let found =
            self.0.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut plaintext, label).ok()?;
        Some(Secret::new(found.to_vec()))
    }
}

fn unusable() -> Error {
    Error::invalid("this is no RSA key of 2048 to 8192 bits")
}

/// An odd number, big-endian, less one; nothing for an even one, which is no prime.
fn less_one(number: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut less = Zeroizing::new(number.to_vec());
    let last = less.last_mut().filter(|last| **last & 1 == 1)?;
    *last -= 1;
    Some(less)
}

/// `number` modulo `modulus`, big-endian, bit by bit as one divides by hand. How long that takes
/// tells of the key, once, to who watches the process that reads its file.
fn remainder(number: &[u8], modulus: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let modulus = &modulus[modulus.iter().position(|byte| *byte != 0)?..];
    // One byte more than the modulus, for what is doubled.
    let mut rest = Zeroizing::new(vec![0_u8; modulus.len() + 1]);
    for byte in number {
        for bit in (0..8).rev() {
            let mut carry = byte >> bit & 1;
            for digit in rest.iter_mut().rev() {
                (*digit, carry) = (*digit << 1 | carry, *digit >> 7);
            }
            if rest[0] != 0 || rest[1..] >= *modulus {
                subtract(&mut rest, modulus);
            }
        }
    }
    Some(rest)
}

/// Takes `other`, which is not larger, away from `number`.
fn subtract(number: &mut [u8], other: &[u8]) {
    let mut borrow = false;
    let zeros = std::iter::repeat(&0);
    for (digit, less) in number.iter_mut().rev().zip(other.iter().rev().chain(zeros)) {
        let (once, first) = digit.overflowing_sub(*less);
        let (twice, second) = once.overflowing_sub(u8::from(borrow));
        (*digit, borrow) = (twice, first || second);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;

    use super::*;

    fn pair() -> (OaepPublicKey, OaepPrivateKey) {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
        let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let private = OaepPrivateKey::from_pkcs8(der.as_ref()).unwrap();
        (OaepPublicKey::from_spki(public.as_ref()).unwrap(), private)
    }

    #[test]
    fn what_is_encrypted_opens_with_its_key_and_label_alone() {
        let ((public, private), (_, other)) = (pair(), pair());
        for label in [&b"team/name"[..], b""] {
            let sealed = public.encrypt(label, b"secret").unwrap();
            assert_eq!(private.decrypt(label, &sealed).unwrap().expose(), b"secret");
            assert!(private.decrypt(b"team/other", &sealed).is_none());
            assert!(other.decrypt(label, &sealed).is_none());
            assert!(private.decrypt(label, &sealed[1..]).is_none());
            let mut broken = sealed.clone();
            broken[100] ^= 1;
            assert!(private.decrypt(label, &broken).is_none());
        }
        assert!(public.encrypt(b"", &[0; 190]).is_ok() && public.encrypt(b"", &[0; 191]).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(OaepPublicKey::from_spki(b"").is_err());
        assert!(OaepPublicKey::from_parts(&[1; 64], &[1, 0, 1]).is_err());
        assert!(OaepPrivateKey::from_pkcs1(b"x").is_err());
        let numbers = RsaNumbers {
            n: &[1; 256],
            e: &[3],
            d: &[5],
            p: &[7; 128],
            q: &[9; 128],
            q_inverse: &[1],
        };
        assert!(OaepPrivateKey::from_numbers(&numbers).is_err());
        assert!(OaepPrivateKey::from_numbers(&RsaNumbers { p: &[], ..numbers }).is_err());
    }

    #[test]
    fn remainders_are_those_of_machine_numbers() {
        for (number, modulus) in
            [(0, 1), (5, 7), (7, 7), (0xffff_ffff, 0x1_0001), (0x8000_0000_0000, 0xff_ffff_ffff)]
        {
            let bytes = |number: u64| number.to_be_bytes().to_vec();
            let rest = remainder(&bytes(number), &bytes(modulus)).unwrap();
            let rest = rest.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            assert_eq!(rest, number % modulus, "{number} % {modulus}");
        }
        assert!(remainder(&[1], &[0, 0]).is_none());
    }
}
