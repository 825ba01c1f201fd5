use aws_lc_rs::digest::{Context, SHA3_256};
use base_types::{Error, Result, Secret};
use ml_kem::kem::{Decapsulate, DecapsulationKey, EncapsulationKey};
use ml_kem::{B32, Ciphertext, EncapsulateDeterministic, Encoded, EncodedSizeUser, KemCore};
use ml_kem::{MlKem768, MlKem768Params};
use sha3::Shake256;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use zeroize::{Zeroize, Zeroizing};

use crate::{Random, X25519Key, random_array};

/// A public key of X-Wing, ML-KEM-768 and X25519 together, which stays secret as long as one of
/// the two holds (draft-connolly-cfrg-xwing-kem; MLKEM768-X25519 in draft-ietf-hpke-pq).
#[derive(Clone)]
pub struct XWingPublicKey {
    lattice: EncapsulationKey<MlKem768Params>,
    curve: [u8; 32],
}

/// The private key of an [`XWingPublicKey`].
pub struct XWingKey {
    lattice: DecapsulationKey<MlKem768Params>,
    curve: X25519Key,
}

/// The length of a public key in bytes.
pub const XWING_PUBLIC_LENGTH: usize = LATTICE_PUBLIC_LENGTH + 32;
/// The length in bytes of what carries the shared secret.
pub const XWING_CIPHERTEXT_LENGTH: usize = LATTICE_CIPHERTEXT_LENGTH + 32;
const LATTICE_PUBLIC_LENGTH: usize = 1184;
const LATTICE_CIPHERTEXT_LENGTH: usize = 1088;
const LABEL: &[u8; 6] = br"\.//^\";

impl XWingPublicKey {
    /// # Errors
    /// `Invalid` if the bytes are no key (FIPS 203, section 7.2).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let invalid = || Error::invalid("this is no public key of ML-KEM-768 and X25519");
        let (lattice, curve) = bytes.split_at_checked(LATTICE_PUBLIC_LENGTH).ok_or_else(invalid)?;
        let curve = curve.try_into().map_err(|_| invalid())?;
        let encoded = Encoded::<EncapsulationKey<MlKem768Params>>::try_from(lattice);
        let encoded = encoded.map_err(|_| invalid())?;
        let lattice = EncapsulationKey::from_bytes(&encoded);
        // Numbers that are not reduced would have a second spelling.
        if lattice.as_bytes() != encoded {
            return Err(invalid());
        }
        Ok(Self { lattice, curve })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        [self.lattice.as_bytes().as_slice(), &self.curve].concat()
    }

    /// A new shared secret, and what carries it to the holder of the private key; nothing if the
    /// point of the key leaves no secret.
    pub fn encapsulate(&self, random: &dyn Random) -> Option<(Vec<u8>, Secret<[u8; 32]>)> {
        let ephemeral = X25519Key::generate(random);
        let curve_secret = ephemeral.agree(&self.curve)?;
        let mut message = B32::from(random_array(random));
        let (lattice, mut lattice_secret) =
            self.lattice.encapsulate_deterministic(&message).expect("it never fails");
        let carrier = [lattice.as_slice(), &ephemeral.public()].concat();
        let secret = combine(&lattice_secret, &curve_secret, &ephemeral.public(), &self.curve);
        message.as_mut_slice().zeroize();
        lattice_secret.as_mut_slice().zeroize();
        Some((carrier, secret))
    }
}

impl XWingKey {
    /// The key that a seed stands for.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        let mut hash = Shake256::default();
        hash.update(seed.expose());
        let mut expanded = Zeroizing::new([0; 96]);
        hash.finalize_xof().read(&mut *expanded);
        let part = |at: usize| -> [u8; 32] {
            expanded[at..at + 32].try_into().expect("the parts have 32 bytes")
        };
        let (mut d, mut z) = (B32::from(part(0)), B32::from(part(32)));
        let (lattice, _) = MlKem768::generate_deterministic(&d, &z);
        d.as_mut_slice().zeroize();
        z.as_mut_slice().zeroize();
        Self { lattice, curve: X25519Key::from_bytes(&Secret::new(part(64))) }
    }

    pub fn public(&self) -> XWingPublicKey {
        let lattice = self.lattice.encapsulation_key().clone();
        XWingPublicKey { lattice, curve: self.curve.public() }
    }

    /// The secret that was encapsulated; nothing if the length is wrong or the point leaves no
    /// secret. Anything else gives some secret, which is another one if it was not made for this
    /// key.
    pub fn decapsulate(&self, carrier: &[u8]) -> Option<Secret<[u8; 32]>> {
        let (lattice, point) = carrier.split_at_checked(LATTICE_CIPHERTEXT_LENGTH)?;
        let point: [u8; 32] = point.try_into().ok()?;
        let lattice = Ciphertext::<MlKem768>::try_from(lattice).ok()?;
        let curve_secret = self.curve.agree(&point)?;
        let mut lattice_secret = self.lattice.decapsulate(&lattice).expect("it never fails");
        let secret = combine(&lattice_secret, &curve_secret, &point, &self.curve.public());
        lattice_secret.as_mut_slice().zeroize();
        Some(secret)
    }
}

fn combine(
    lattice: &[u8],
    curve: &Secret<[u8; 32]>,
    point: &[u8; 32],
    public: &[u8; 32],
) -> Secret<[u8; 32]> {
    let mut hash = Context::new(&SHA3_256);
    [lattice, curve.expose(), point, public, LABEL].iter().for_each(|part| hash.update(part));
    Secret::new(hash.finish().as_ref().try_into().expect("SHA3-256 gives 32 bytes"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{SeededRandom, hex, sha256, unhex};

    /// draft-ietf-hpke-pq, the vector of MLKEM768-X25519 with HKDF-SHA256 and ChaCha20Poly1305: the
    /// seed, and the SHA-256 of its public key. Files of age are the vectors for the rest.
    #[test]
    fn agrees_with_the_published_vector() {
        let seed = unhex("b3f98b03126a431ccecc62ae0f68e102c2d8e1cc7b21ba85d821d8e31761e0f8");
        let seed = Secret::new(seed.unwrap().try_into().unwrap());
        let public = XWingKey::from_seed(&seed).public().to_bytes();
        assert_eq!(public.len(), XWING_PUBLIC_LENGTH);
        let digest = "120b60e0ae3c00c1c9def1c61aeb12de710bfa49646ae6f99a7e564b25ace493";
        assert_eq!(hex(&sha256(&public)), digest);
    }

    #[test]
    fn both_sides_share_the_secret_and_nobody_else() {
        let random = SeededRandom::new(1);
        let key = XWingKey::from_seed(&Secret::new([1; 32]));
        let public = XWingPublicKey::from_bytes(&key.public().to_bytes()).unwrap();
        let (carrier, secret) = public.encapsulate(&random).unwrap();
        assert_eq!(carrier.len(), XWING_CIPHERTEXT_LENGTH);
        assert_eq!(key.decapsulate(&carrier).unwrap(), secret);
        let other = XWingKey::from_seed(&Secret::new([2; 32]));
        assert_ne!(other.decapsulate(&carrier).unwrap(), secret);
        for at in [0, 500, LATTICE_CIPHERTEXT_LENGTH] {
            let mut broken = carrier.clone();
            broken[at] ^= 1;
            assert_ne!(key.decapsulate(&broken), Some(secret.clone()), "byte {at}");
        }
        assert!(key.decapsulate(&carrier[1..]).is_none());
        let mut no_point = carrier.clone();
        no_point[LATTICE_CIPHERTEXT_LENGTH..].fill(0);
        assert!(key.decapsulate(&no_point).is_none());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let public = XWingKey::from_seed(&Secret::new([1; 32])).public().to_bytes();
        assert!(XWingPublicKey::from_bytes(&public[1..]).is_err());
        let mut unreduced = public.clone();
        unreduced[..3].fill(0xff);
        assert!(XWingPublicKey::from_bytes(&unreduced).is_err());
    }
}
