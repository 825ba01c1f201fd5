use base_types::Secret;

use crate::{Result, Stanza};

/// The key of one file, which its recipients have in its header.
pub type FileKey = Secret<[u8; 16]>;

/// <https://c2sp.org/age#file-key>
pub(crate) const FILE_KEY_LENGTH: usize = size_of::<FileKey>();

/// What decrypts files that were encrypted for a recipient, several of them at a time.
pub trait Identity: Send + Sync {
    /// The file key from the stanzas of a header; nothing if none is for this identity.
    ///
    /// # Errors
    /// `Header` if one is, and is damaged; `Unavailable` if a plugin or a person that is needed is
    /// not there.
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>>;
}

/// The first file key that `unwrap` finds in one of the stanzas.
pub(crate) fn first(
    stanzas: &[Stanza],
    unwrap: impl Fn(&Stanza) -> Result<Option<FileKey>>,
) -> Result<Option<FileKey>> {
    for stanza in stanzas {
        if let Some(key) = unwrap(stanza)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}
