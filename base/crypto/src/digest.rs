use aws_lc_rs::digest::{
    Algorithm, Context, SHA3_256, SHA3_384, SHA3_512, SHA224, SHA256, SHA384, SHA512, digest,
};

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// SHA-512 (FIPS 180-4) of what arrives in pieces.
pub struct Sha512(Context);

impl Default for Sha512 {
    fn default() -> Self {
        Self(Context::new(&SHA512))
    }
}

impl Sha512 {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(self) -> [u8; 64] {
        self.0.finish().as_ref().try_into().expect("SHA-512 gives 64 bytes")
    }
}

/// The digest of `bytes` by an algorithm of FIPS 180-4 or FIPS 202 as Vault names it, such as
/// `sha2-512`; `None` for any other name.
pub fn digest_by_name(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let algorithm: &Algorithm = match name {
        "sha2-224" => &SHA224,
        "sha2-256" => &SHA256,
        "sha2-384" => &SHA384,
        "sha2-512" => &SHA512,
        "sha3-256" => &SHA3_256,
        "sha3-384" => &SHA3_384,
        "sha3-512" => &SHA3_512,
        _ => return None,
    };
    Some(digest(algorithm, bytes).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// FIPS 180-2, appendix B, and the digest of nothing.
    #[test]
    fn agrees_with_the_published_vectors() {
        for (message, digest) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(hex(&sha256(message.as_bytes())), digest);
        }
    }
}
