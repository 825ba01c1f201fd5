use std::collections::BTreeSet;

use base_crypto::{Random, hex, random_array, scrypt};
use base_types::Secret;

use crate::x25519::{open, seal, sealed_key};
use crate::{Error, FileKey, Identity, Recipient, Result, Stanza, Wrapped, base64};

// https://c2sp.org/age#the-scrypt-recipient-type
const TAG: &str = "scrypt";
const SALT_PREFIX: &[u8] = b"age-encryption.org/v1/scrypt";

/// The work factor of what is encrypted here: about a second, and 256 MiB.
const WORK_FACTOR: u8 = 18;
/// No file may ask for more: some seconds and four gibibytes.
const WORK_FACTOR_MAX: u8 = 22;

/// Everybody who knows a passphrase. It must be the only recipient of a file.
pub struct ScryptRecipient {
    passphrase: Secret<String>,
    work_factor: u8,
}

impl ScryptRecipient {
    pub fn new(passphrase: Secret<String>) -> Self {
        Self { passphrase, work_factor: WORK_FACTOR }
    }

    /// As little work as possible, for tests: whoever has the file can try passphrases fast.
    pub fn danger_weak(passphrase: Secret<String>) -> Self {
        Self { passphrase, work_factor: 1 }
    }
}

impl Recipient for ScryptRecipient {
    fn wrap(&self, file_key: &FileKey, random: &dyn Random) -> Result<Wrapped> {
        let salt: [u8; 16] = random_array(random);
        let key = wrap_key(&self.passphrase, &salt, self.work_factor)?;
        let factor = self.work_factor.to_string();
        let arguments = [TAG.to_owned(), base64::encode(&salt), factor];
        // A label that nobody else has keeps others away.
        let label = hex(&random_array::<16>(random));
        Ok(Wrapped {
            stanzas: vec![Stanza::new(arguments, seal(&key, file_key))],
            labels: BTreeSet::from([label]),
        })
    }
}

/// A passphrase, of which nobody is asked before a file needs it.
pub struct ScryptIdentity<F>(F);

impl<F: Fn() -> Result<Secret<String>>> ScryptIdentity<F> {
    pub fn new(passphrase: F) -> Self {
        Self(passphrase)
    }
}

impl<F: Fn() -> Result<Secret<String>> + Send + Sync> Identity for ScryptIdentity<F> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        // It is the only one, or the header would have been refused.
        let Some(stanza) = stanzas.iter().find(|stanza| stanza.tag() == TAG) else {
            return Ok(None);
        };
        let damaged = || Error::header("a passphrase's stanza is none");
        let [_, salt, factor] = stanza.arguments.as_slice() else { return Err(damaged()) };
        let salt: [u8; 16] = base64::decode_array(salt).ok_or_else(damaged)?;
        let is_number = factor.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || factor.starts_with('0') {
            return Err(damaged());
        }
        let factor = factor.parse().ok().filter(|factor| *factor <= WORK_FACTOR_MAX);
        let factor = factor.ok_or_else(|| {
            Error::header(format!("a passphrase asks for more work than 2^{WORK_FACTOR_MAX}"))
        })?;
        let sealed = sealed_key(&stanza.body).ok_or_else(damaged)?;
        Ok(open(&wrap_key(&(self.0)()?, &salt, factor)?, sealed))
    }
}

fn wrap_key(
    passphrase: &Secret<String>,
    salt: &[u8; 16],
    work_factor: u8,
) -> Result<Secret<[u8; 32]>> {
    Ok(scrypt(passphrase, &[SALT_PREFIX, salt].concat(), work_factor)?)
}
