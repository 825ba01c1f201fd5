//! The one part of HPKE (RFC 9180) that age needs: base mode, HKDF-SHA256, ChaCha20Poly1305, one
//! message, no associated data.

use base_crypto::{ChaChaKey, HmacKey, NONCE_LENGTH};
use base_types::Secret;
use zeroize::Zeroizing;

const HKDF_SHA256: u16 = 1;
const CHACHA20_POLY1305: u16 = 3;
const MODE_BASE: u8 = 0;

/// The key and the nonce of the first message.
pub(crate) struct Context {
    pub(crate) key: Secret<[u8; 32]>,
    pub(crate) nonce: [u8; NONCE_LENGTH],
}

impl Context {
    /// What follows from the secret that a KEM gave (RFC 9180, section 5.1).
    pub(crate) fn new(kem: u16, shared: &Secret<[u8; 32]>, info: &[u8]) -> Self {
        let [kem, kdf, aead] = [kem, HKDF_SHA256, CHACHA20_POLY1305].map(u16::to_be_bytes);
        let suite = [&b"HPKE"[..], &kem, &kdf, &aead].concat();
        let extract = |salt: &[u8], label: &str, text: &[u8]| {
            let text = Zeroizing::new([b"HPKE-v1", &suite[..], label.as_bytes(), text].concat());
            Secret::new(HmacKey::new(salt).sign(&text))
        };
        let secret = extract(shared.expose(), "secret", b"");
        let context = [
            &[MODE_BASE][..],
            extract(b"", "psk_id_hash", b"").expose(),
            extract(b"", "info_hash", info).expose(),
        ]
        .concat();
        // Neither asks for more than one block of HKDF.
        let expand = |label: &str, length: u16| {
            let length = length.to_be_bytes();
            let parts = [&length[..], b"HPKE-v1", &suite, label.as_bytes(), &context, &[1]];
            Secret::new(HmacKey::new(secret.expose()).sign(&parts.concat()))
        };
        let nonce = expand("base_nonce", NONCE_LENGTH as u16);
        let nonce = nonce.expose().first_chunk().expect("a block is longer than a nonce");
        Self { key: expand("key", 32), nonce: *nonce }
    }

    /// The first message, encrypted.
    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        // Room for the tag, so that the plaintext is never moved.
        let mut message = Vec::with_capacity(plain.len() + base_crypto::TAG_LENGTH);
        message.extend_from_slice(plain);
        ChaChaKey::new(&self.key).seal(self.nonce, &mut message);
        message
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::{hex, unhex};

    use super::*;

    /// draft-ietf-hpke-pq, the vector of MLKEM768-X25519, HKDF-SHA256 and ChaCha20Poly1305.
    #[test]
    fn agrees_with_the_published_vector() {
        let shared = "b90cf181d95351d1091569487caaf6c3434eeb181a2c4c04631980ce139afa67";
        let shared = Secret::new(unhex(shared).unwrap().try_into().unwrap());
        let info =
            "34663634363532303666366532303631323034373732363536333639363136653230353537323665";
        let context = Context::new(0x647a, &shared, &unhex(info).unwrap());
        assert_eq!(
            hex(context.key.expose()),
            "4a4c042267e8ec360c83b2baf0d5e3dcca73a86531cdf67ec41d95bccfe12387"
        );
        assert_eq!(hex(&context.nonce), "5ddfaaee10a4dfd0d8e1b49f");
    }
}
