use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base_types::{Error, Result};

/// A signature by RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2), which JSON Web Tokens call
/// `RS256`. `pkcs8` is a `PrivateKeyInfo` (RFC 5208) in DER.
///
/// # Errors
/// `Invalid` if that is no RSA key of 2048 to 8192 bits.
pub fn rsa_sha256_sign(pkcs8: &[u8], message: &[u8]) -> Result<Vec<u8>> {
    let invalid = || Error::invalid("this is no RSA key of 2048 to 8192 bits");
    let key = KeyPair::from_pkcs8(pkcs8).map_err(|_| invalid())?;
    let mut signature = vec![0; key.public_modulus_len()];
    // The scheme needs no randomness; the library asks for some all the same.
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| invalid())?;
    Ok(signature)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signature_is_verified_by_its_key_alone() {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
        let signature = rsa_sha256_sign(der.as_ref(), b"message").unwrap();
        let public = key.public_key().as_ref();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"massage", &signature).is_err());
        assert!(rsa_sha256_sign(b"no key", b"").is_err());
    }
}
