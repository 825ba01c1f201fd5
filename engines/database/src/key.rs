use base_crypto::{Random, random_array};
use base_types::{Error, Result, Secret};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

/// What a key pair is made for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyType {
    Ec,
    Ed25519,
    Rsa,
}

pub(crate) const RSA_BITS: [u16; 3] = [2048, 3072, 4096];

impl KeyType {
    const ALL: [Self; 3] = [Self::Ec, Self::Ed25519, Self::Rsa];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ec => "ec",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }

    /// How many bits it may have, what is usual first; nothing if there is no choice.
    pub(crate) fn bits(self) -> &'static [u16] {
        match self {
            Self::Ec => &[256, 384, 521],
            Self::Ed25519 => &[],
            Self::Rsa => &RSA_BITS,
        }
    }

    /// A new pair of so many [bits](Self::bits). It may take seconds. Where a key is more than a number,
    /// the library draws it by itself.
    pub(crate) fn generate(self, bits: u16, random: &dyn Random) -> Result<KeyPair> {
        let made = match (self, bits) {
            (Self::Ec, 521) => KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512),
            (Self::Ec, 384) => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            (Self::Ec, _) => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            (Self::Ed25519, _) => ed25519(random),
            (Self::Rsa, 4096) => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
            (Self::Rsa, 3072) => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
            (Self::Rsa, _) => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        made.map_err(Error::internal)
    }
}

/// In the first version of PKCS #8: not every client of a database reads the second, which the library
/// would write. <https://www.rfc-editor.org/rfc/rfc8410#section-7>
fn ed25519(random: &dyn Random) -> Result<KeyPair, rcgen::Error> {
    const HEAD: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ];
    let seed: Secret<[u8; 32]> = Secret::new(random_array(random));
    let der = Secret::new([&HEAD[..], seed.expose()].concat());
    let der = PrivatePkcs8KeyDer::from(der.expose().as_slice());
    KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)
}

/// The private half, as PKCS #8 in PEM.
pub(crate) fn private_pem(key: &KeyPair) -> Secret<String> {
    Secret::new(key.serialize_pem())
}
