use std::collections::BTreeMap;
use std::sync::Mutex;

use base_crypto::sha256;
use base_types::Secret;

use crate::Result;

/// What master keys have unwrapped in this run. The versions of a file have the same data key, and
/// it is asked for once, wherever the master key is.
#[derive(Default)]
pub struct Unwrapped(Mutex<BTreeMap<[u8; 32], Secret<Vec<u8>>>>);

impl Unwrapped {
    /// What a key of `source` made of `wrapped`, by `unwrap` if it was not asked before.
    ///
    /// # Errors
    /// Those of `unwrap`, which are not kept.
    pub(crate) fn get_or(
        &self,
        source: &str,
        wrapped: &str,
        unwrap: impl FnOnce() -> Result<Secret<Vec<u8>>>,
    ) -> Result<Secret<Vec<u8>>> {
        let name = sha256(format!("{source}\0{wrapped}").as_bytes());
        let known = || self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(secret) = known().get(&name) {
            return Ok(secret.clone());
        }
        // Not under the lock: other files may be asked for meanwhile.
        let secret = unwrap()?;
        known().insert(name, secret.clone());
        Ok(secret)
    }
}
