use aws_lc_rs::hmac;

/// A key for HMAC-SHA-256 (RFC 2104), with its two inner states computed once. A clone is a plain
/// copy of those.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 32] {
        hmac::sign(&self.0, message).as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes")
    }

    /// Whether `tag` is the tag of `message`, compared in constant time.
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    /// RFC 4231, section 4, test cases 1, 2, 3 and 6.
    #[test]
    fn agrees_with_the_published_vectors() {
        let check = |key: &[u8], message: &[u8], tag: &str| {
            let key = HmacKey::new(key);
            assert_eq!(hex(&key.sign(message)), tag);
            assert!(key.clone().verify(message, &key.sign(message)));
        };
        check(
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    #[test]
    fn refuses_another_message_another_key_and_a_cut_tag() {
        let key = HmacKey::new(b"key");
        let tag = key.sign(b"message");
        assert!(!key.verify(b"massage", &tag));
        assert!(!HmacKey::new(b"kex").verify(b"message", &tag));
        assert!(!key.verify(b"message", &tag[..31]));
        assert!(!key.verify(b"message", b""));
    }
}
