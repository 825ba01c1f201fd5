use std::sync::Arc;

use base_crypto::{AeadKey, Random, random_array, unhex};
use base_types::{BoxFuture, Error, Result, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{RootKey, Seal, Unwrapped};

/// A seal whose key lies beside the server: in a file, in the environment, in a credential of the
/// service manager. It protects the storage and its backups, not the machine itself.
pub struct StaticKey {
    name: String,
    current: Identified,
    previous: Option<Identified>,
    random: Arc<dyn Random>,
}

/// A key with the id that the configuration gives it.
struct Identified {
    id: String,
    key: AeadKey,
}

const ID_LENGTH_MAX: usize = 255;

impl StaticKey {
    /// `current_key_id` is stored with what the key wraps.
    ///
    /// # Errors
    /// `Invalid` if the id is empty or longer than 255 bytes.
    pub fn new(
        name: impl Into<String>,
        current_key_id: &str,
        current_key: &Secret<[u8; 32]>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let current = Identified::new("current_key_id", current_key_id, current_key)?;
        Ok(Self { name: name.into(), current, previous: None, random })
    }

    /// Also opens what the key before this one wrapped, so that it can be wrapped anew.
    ///
    /// # Errors
    /// `Invalid` if the id is empty, longer than 255 bytes or the current one.
    pub fn with_previous(mut self, id: &str, key: &Secret<[u8; 32]>) -> Result<Self> {
        if id == self.current.id {
            return Err(Error::invalid("previous_key_id is the same as current_key_id"));
        }
        self.previous = Some(Identified::new("previous_key_id", id, key)?);
        Ok(self)
    }

    fn open(&self, blob: &[u8], context: &[u8]) -> Result<Unwrapped> {
        let (id, sealed) = split_id(blob)
            .ok_or_else(|| Error::corrupt(format!("what seal {:?} wrapped is cut", self.name)))?;
        let is_stale = id != self.current.id;
        let known = if is_stale { self.previous.as_ref() } else { Some(&self.current) };
        let Some(identified) = known.filter(|known| known.id == id) else {
            return Err(Error::invalid(format!(
                "seal {:?}: the root key was wrapped by the key with id {id:?}, which is not configured: \
                 give it as previous_key",
                self.name
            )));
        };
        match identified.key.open(context, sealed).map(Secret::new) {
            Some(root_key) => Ok(Unwrapped { root_key: as_key(&root_key)?, is_stale }),
            None => Err(Error::invalid(format!(
                "seal {:?}: the key with id {id:?} does not open the root key: \
                 it is another key than the one of that id before, or the seal record was changed",
                self.name
            ))),
        }
    }
}

impl Identified {
    fn new(field: &str, id: &str, key: &Secret<[u8; 32]>) -> Result<Self> {
        if id.is_empty() || id.len() > ID_LENGTH_MAX {
            return Err(Error::invalid(format!("{field} must have 1 to {ID_LENGTH_MAX} bytes")));
        }
        Ok(Self { id: id.to_owned(), key: AeadKey::new(key) })
    }
}

impl Seal for StaticKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "static"
    }

    /// `length of id (1 byte) || id || nonce || ciphertext || tag`.
    fn wrap<'a>(
        &'a self,
        root_key: &'a RootKey,
        context: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>>> {
        let Identified { id, key } = &self.current;
        let length = u8::try_from(id.len()).expect("the length was checked when it was made");
        let prefix = [&[length], id.as_bytes()].concat();
        let blob = key.seal(random_array(&*self.random), context, root_key.expose(), &prefix);
        Box::pin(std::future::ready(Ok(blob)))
    }

    fn unwrap<'a>(&'a self, blob: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Unwrapped>> {
        Box::pin(std::future::ready(self.open(blob, context)))
    }
}

/// The key in a file or a variable: 32 bytes as they are, or as 64 hexadecimal digits, or as
/// base64, where space around the text is ignored. `openssl rand -base64 32` makes one.
///
/// # Errors
/// `Invalid` if it is none of these.
pub fn parse_key(content: &[u8]) -> Result<Secret<[u8; 32]>> {
    if let Ok(key) = content.try_into() {
        return Ok(Secret::new(key));
    }
    let text = content.trim_ascii();
    let from_hex = || std::str::from_utf8(text).ok().and_then(unhex);
    let bytes = from_hex().or_else(|| STANDARD.decode(text).ok()).map(Secret::new);
    bytes.and_then(|bytes| as_key(&bytes).ok()).ok_or_else(|| {
        Error::invalid(
            "not a key: write 32 bytes, 64 hexadecimal digits or the base64 of 32 bytes \
             (openssl rand -base64 32 makes one)",
        )
    })
}

pub(crate) fn as_key(bytes: &Secret<Vec<u8>>) -> Result<Secret<[u8; 32]>> {
    let key = bytes.expose().as_slice().try_into().map(Secret::new);
    key.map_err(|_| Error::invalid("the key does not have 32 bytes"))
}

fn split_id(blob: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = blob.split_first()?;
    let (id, sealed) = rest.split_at_checked((*length).into())?;
    Some((std::str::from_utf8(id).ok()?, sealed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_each_of_its_forms() {
        let key = *b"0123456789abcdefghijklmnopqrstuv";
        let hexadecimal = "303132333435363738396162636465666768696a6b6c6d6e6f70717273747576";
        for content in [
            &key[..],
            hexadecimal.as_bytes(),
            hexadecimal.to_uppercase().as_bytes(),
            b"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=",
            b"  MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=\r\n",
        ] {
            assert_eq!(parse_key(content).unwrap().expose(), &key);
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_quoted() {
        let long = [b'a'; 66];
        for content in
            [&b""[..], b"\n", b"hunter2", &[0xff; 31], &[0xff; 33], &long, b"aHVudGVyMg=="]
        {
            let error = parse_key(content).unwrap_err();
            assert!(error.public().starts_with("not a key: "), "{error:?}");
            assert!(!error.log().to_string().contains("hunter2"));
        }
    }
}
