use std::io::BufRead;

use base_crypto::{HmacKey, hkdf_sha256};

use crate::stanza::Lines;
use crate::{Error, FileKey, Identity, Result, Stanza, base64};

/// What stands before the payload. <https://c2sp.org/age#header>
pub(crate) struct Header {
    pub(crate) stanzas: Vec<Stanza>,
    /// All up to the authentication code.
    signed: Vec<u8>,
    mac: [u8; 32],
}

/// What every file begins with.
pub(crate) const VERSION: &str = "age-encryption.org/v1";
const MAC_INFO: &[u8] = b"header";

impl Header {
    /// # Errors
    /// `Header` if it is none, `Io` if it cannot be read.
    pub(crate) fn read<R: BufRead>(reader: R) -> Result<(Self, R)> {
        let mut lines = Lines::new(reader);
        match lines.next_line()? {
            VERSION => {}
            line if line.starts_with("age-encryption.org/") => {
                return Err(Error::header("the file is of a version that is not known here"));
            }
            _ => return Err(Error::header("this is no file of age")),
        }
        let mut stanzas = Vec::new();
        let mac = loop {
            let line = lines.next_line()?.to_owned();
            if let Some(first) = line.strip_prefix("-> ") {
                stanzas.push(Stanza::read(first, &mut lines)?);
                continue;
            }
            let mac = line.strip_prefix("--- ").and_then(base64::decode_array);
            break mac.ok_or_else(|| Error::header("its last line is none"))?;
        };
        if stanzas.is_empty() {
            return Err(Error::header("it has no recipient"));
        }
        if stanzas.len() > 1 && stanzas.iter().any(|stanza| stanza.tag() == "scrypt") {
            return Err(Error::header("a passphrase is not the only recipient"));
        }
        let mut signed = std::mem::take(&mut lines.read);
        // The line is `--- `, 43 letters and a line feed, of which the hyphens are signed.
        signed.truncate(signed.len() - 45);
        Ok((Self { stanzas, signed, mac }, lines.into_reader()))
    }

    /// The text of a header with these stanzas.
    pub(crate) fn text(stanzas: &[Stanza], file_key: &FileKey) -> String {
        let stanzas: String = stanzas.iter().map(Stanza::text).collect();
        let signed = format!("{VERSION}\n{stanzas}---");
        let mac = mac_key(file_key).sign(signed.as_bytes());
        format!("{signed} {}\n", base64::encode(&mac))
    }

    /// The file key, by the first identity that knows it.
    ///
    /// # Errors
    /// `NoMatch` if there is none, `Mac` if the header was changed, and what identities say.
    pub(crate) fn unwrap(&self, identities: &[Box<dyn Identity + '_>]) -> Result<FileKey> {
        for identity in identities {
            let Some(key) = identity.unwrap(&self.stanzas)? else { continue };
            return match mac_key(&key).verify(&self.signed, &self.mac) {
                true => Ok(key),
                false => Err(Error::Mac),
            };
        }
        Err(Error::NoMatch)
    }
}

fn mac_key(file_key: &FileKey) -> HmacKey {
    HmacKey::new(hkdf_sha256(file_key.expose(), b"", MAC_INFO).expose())
}
