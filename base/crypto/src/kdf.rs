use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base_types::Secret;

/// 32 bytes from `key` by HKDF-SHA-256 (RFC 5869). `info` names the use, so that keys for two uses
/// have nothing to do with each other.
pub fn hkdf_sha256(key: &[u8], salt: &[u8], info: &[u8]) -> Secret<[u8; 32]> {
    let mut bytes = [0; 32];
    Salt::new(HKDF_SHA256, salt)
        .extract(key)
        .expand(&[info], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut bytes))
        .expect("32 bytes are less than the 255 blocks that HKDF can give");
    Secret::new(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{hex, unhex};

    /// RFC 5869, appendix A, test cases 1 to 3, of which the first 32 bytes are asked.
    #[test]
    fn agrees_with_the_published_vectors() {
        let check = |key: &[u8], salt: &[u8], info: &[u8], okm: &str| {
            assert_eq!(hex(hkdf_sha256(key, salt, info).expose()), okm);
        };
        check(
            &[0x0b; 22],
            &unhex("000102030405060708090a0b0c").unwrap(),
            &unhex("f0f1f2f3f4f5f6f7f8f9").unwrap(),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        );
        let range = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
        check(
            &range(0x00, 0x4f),
            &range(0x60, 0xaf),
            &range(0xb0, 0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        );
        check(
            &[0x0b; 22],
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        );
    }

    #[test]
    fn every_input_matters() {
        let key = hkdf_sha256(b"key", b"salt", b"info");
        for other in [
            hkdf_sha256(b"kex", b"salt", b"info"),
            hkdf_sha256(b"key", b"salz", b"info"),
            hkdf_sha256(b"key", b"salt", b"inf"),
        ] {
            assert_ne!(key.expose(), other.expose());
        }
    }
}
