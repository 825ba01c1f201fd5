use base_crypto::{AeadKey, Random, hkdf_sha256, random_array};
use base_types::{Error, Result, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Token;

/// Seals tokens that are their own record: `base64url(salt || nonce || ciphertext || tag)`.
///
/// Each token has a key of its own, derived from its random salt, so that however many are made no
/// AES-GCM key comes near the limit of its random nonces.
pub(crate) struct BatchKey(Secret<[u8; 32]>);

const SALT_LENGTH: usize = 16;
const LABEL: &[u8] = b"strongroom batch token v1";

impl BatchKey {
    pub(crate) fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(crate) fn seal(&self, random: &dyn Random, token: &Token) -> Result<String> {
        let salt: [u8; SALT_LENGTH] = random_array(random);
        let record = serde_json::to_vec(token).map_err(Error::internal)?;
        let sealed = self.derive(&salt).seal(random_array(random), LABEL, &record, &salt);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    pub(crate) fn open(&self, payload: &str) -> Option<Token> {
        let sealed = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let (salt, sealed) = sealed.split_at_checked(SALT_LENGTH)?;
        let record = self.derive(salt).open(LABEL, sealed)?;
        serde_json::from_slice(&record).ok()
    }

    fn derive(&self, salt: &[u8]) -> AeadKey {
        AeadKey::new(&hkdf_sha256(self.0.expose(), salt, LABEL))
    }
}
