use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use base_types::Secret;
use curve25519_dalek::edwards::CompressedEdwardsY;
use zeroize::Zeroize;

use crate::{Random, random_array};

/// A private key for X25519 (RFC 7748, section 5), expanded once and kept.
pub struct X25519Key(PrivateKey);

impl X25519Key {
    pub fn generate(random: &dyn Random) -> Self {
        Self::from_bytes(&Secret::new(random_array(random)))
    }

    pub fn from_bytes(bytes: &Secret<[u8; 32]>) -> Self {
        let key = PrivateKey::from_private_key(&X25519, bytes.expose());
        Self(key.expect("every 32 bytes are a key"))
    }

    pub fn public(&self) -> [u8; 32] {
        let public = self.0.compute_public_key().expect("every key has a public one");
        public.as_ref().try_into().expect("a public key has 32 bytes")
    }

    /// What both sides share; nothing if the other side's point leaves no secret (all zeros).
    pub fn agree(&self, public: &[u8; 32]) -> Option<Secret<[u8; 32]>> {
        let public = UnparsedPublicKey::new(&X25519, public);
        agree(&self.0, public, (), |shared| {
            let mut bytes: [u8; 32] = shared.try_into().map_err(|_| ())?;
            let secret = Secret::new(bytes);
            bytes.zeroize();
            Ok(secret)
        })
        .ok()
    }
}

/// The point of X25519 that belongs to a public Ed25519 key (RFC 7748, section 4.1: the map
/// between the two curves); nothing if the bytes are no point.
pub fn x25519_of_ed25519(public: &[u8; 32]) -> Option<[u8; 32]> {
    Some(CompressedEdwardsY(*public).decompress()?.to_montgomery().to_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{SigningKey, hex, unhex};

    fn array(text: &str) -> [u8; 32] {
        unhex(text).unwrap().try_into().unwrap()
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn agrees_with_the_published_vectors() {
        let key = |text| X25519Key::from_bytes(&Secret::new(array(text)));
        let alice = key("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = key("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(hex(&alice.public()), public);
        let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(hex(alice.agree(&bob.public()).unwrap().expose()), shared);
        assert_eq!(hex(bob.agree(&alice.public()).unwrap().expose()), shared);
    }

    #[test]
    fn a_point_that_leaves_no_secret_is_refused() {
        let key = X25519Key::from_bytes(&Secret::new([7; 32]));
        assert!(key.agree(&[0; 32]).is_none());
        let order_eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
        assert!(key.agree(&array(order_eight)).is_none());
    }

    /// The private keys of both curves are the same number, so their public keys must fit.
    #[test]
    fn an_ed25519_key_has_the_point_of_its_number() {
        let seed = Secret::new([9; 32]);
        let mut hash = crate::Sha512::default();
        hash.update(seed.expose());
        let number: [u8; 32] = hash.finish()[..32].try_into().unwrap();
        let x25519 = X25519Key::from_bytes(&Secret::new(number)).public();
        assert_eq!(x25519_of_ed25519(&SigningKey::from_seed(&seed).public()).unwrap(), x25519);
        let no_point = array("0200000000000000000000000000000000000000000000000000000000000000");
        assert!(x25519_of_ed25519(&no_point).is_none());
    }
}
