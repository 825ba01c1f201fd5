use base_crypto::{Sha512, constant_time_eq, hex, sha256};

/// The hash over all values of a file in their order, by which a removed or swapped value is
/// noticed: SHA-512 over the plaintext bytes of every value, with nothing between them. Comments
/// and nulls are left out.
pub(crate) struct Mac {
    hash: Sha512,
    encrypted_only: bool,
}

/// What the hash starts with where only encrypted values count, so that such a code is never one
/// over all values.
const ENCRYPTED_ONLY: &[u8] = b"sops";

impl Mac {
    pub(crate) fn new(encrypted_only: bool) -> Self {
        let mut hash = Sha512::default();
        if encrypted_only {
            hash.update(&sha256(ENCRYPTED_ONLY));
        }
        Self { hash, encrypted_only }
    }

    pub(crate) fn add(&mut self, plain: &[u8], encrypted: bool) {
        if encrypted || !self.encrypted_only {
            self.hash.update(plain);
        }
    }

    /// 128 digits in upper case.
    pub(crate) fn finish(self) -> String {
        hex(&self.hash.finish()).to_uppercase()
    }
}

/// Whether two codes are equal, in constant time.
pub(crate) fn equal(a: &str, b: &str) -> bool {
    constant_time_eq(a.as_bytes(), b.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_values_alone_have_a_start_of_their_own() {
        // The digest of 32 bytes that the format's documentation fixes: SHA-256 of "sops".
        assert!(hex(&sha256(ENCRYPTED_ONLY)).starts_with("8a3fd2ad"));
        let code = |encrypted_only, values: &[(&str, bool)]| {
            let mut mac = Mac::new(encrypted_only);
            for (value, encrypted) in values {
                mac.add(value.as_bytes(), *encrypted);
            }
            mac.finish()
        };
        // FIPS 180-4, the SHA-512 of "abc".
        assert!(code(false, &[("ab", true), ("c", false)]).starts_with("DDAF35A193617ABACC417349"));
        assert_eq!(code(true, &[("a", true)]), code(true, &[("a", true), ("b", false)]));
        assert_ne!(code(true, &[]), code(false, &[]));
    }
}
