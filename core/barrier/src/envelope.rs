use base_crypto::{AeadKey, NONCE_LENGTH, Random, random_array};

/// The version of this layout; all bits but these are ciphertext or protected by it.
const VERSION: u8 = 1;

const HEADER_LENGTH: usize = 5;

/// Seals `plaintext` for `store_key`, which becomes the associated data:
///
/// ```text
/// term (4 bytes, big-endian) || version (1) || nonce (12) || ciphertext || tag (16)
/// ```
pub(crate) fn seal(
    random: &dyn Random,
    term: u32,
    key: &AeadKey,
    store_key: &str,
    plaintext: &[u8],
) -> Vec<u8> {
    let mut header = [VERSION; HEADER_LENGTH];
    header[..4].copy_from_slice(&term.to_be_bytes());
    let nonce: [u8; NONCE_LENGTH] = random_array(random);
    key.seal(nonce, store_key.as_bytes(), plaintext, &header)
}

/// The term that sealed `bytes` and what [`AeadKey::open`] takes, or nothing if this is no envelope.
pub(crate) fn parse(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (header, sealed) = bytes.split_first_chunk::<HEADER_LENGTH>()?;
    let [a, b, c, d, VERSION] = *header else { return None };
    Some((u32::from_be_bytes([a, b, c, d]), sealed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::{SeededRandom, hex};
    use base_types::Secret;

    use super::*;

    #[test]
    fn golden_bytes() {
        let key = AeadKey::new(&Secret::new([7; 32]));
        let bytes = seal(&SeededRandom::new(1), 0x0102_0304, &key, "a/b", b"plaintext");
        assert_eq!(
            hex(&bytes),
            "0102030401c15c0289ec2d0a9167ec8e658723f938ed4d957a00967660cdc23fbc82bd6e5cadc265b64c"
        );
        let (term, sealed) = parse(&bytes).unwrap();
        assert_eq!(term, 0x0102_0304);
        assert_eq!(key.open(b"a/b", sealed).unwrap(), b"plaintext");
    }

    #[test]
    fn another_layout_is_no_envelope() {
        for bytes in [&b""[..], b"\0\0\0\x01", b"\0\0\0\x01\x02rest"] {
            assert!(parse(bytes).is_none(), "{bytes:?}");
        }
        assert_eq!(parse(b"\0\0\0\x01\x01").unwrap(), (1, &b""[..]));
    }
}
