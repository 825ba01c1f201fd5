use base_crypto::{HmacKey, hkdf_sha256, sha256};
use base_types::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{RootKey, Split};

/// Where the seal record is stored. It is not encrypted: it must be read before anything can be
/// decrypted, and holds nothing that a seal does not protect.
pub const RECORD: &str = "core/seal";

/// The root key, wrapped once for each seal.
///
/// ```text
/// version (1 byte) || SHA-256 of the rest (32) || tag (32) || JSON
/// ```
///
/// The digest tells damage before there is a key. The tag is an HMAC of the JSON under a key made
/// from the root key: whoever has unwrapped it knows that nobody without it changed the record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SealRecord {
    pub(crate) wraps: Vec<Wrap>,
}

/// The root key as one seal keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Wrap {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// For a key that is held in shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) split: Option<Split>,
    pub(crate) blob: Blob,
}

/// Bytes written as base64.
#[derive(Clone, Debug)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

/// The bytes of a record that carry its tag, kept until there is a key to check it with.
pub(crate) struct Tagged {
    tag: [u8; 32],
    json: Vec<u8>,
}

const VERSION: u8 = 1;

impl SealRecord {
    /// The bytes to store.
    pub(crate) fn encode(&self, root_key: &RootKey) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(Error::internal)?;
        let protected = [&tag_key(root_key).sign(&json)[..], &json].concat();
        Ok([&[VERSION], &sha256(&protected)[..], &protected].concat())
    }

    /// # Errors
    /// `Corrupt` if the bytes are not those that were written.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, Tagged)> {
        let damaged = || Error::corrupt(format!("the seal record at {RECORD} is damaged"));
        let (version, rest) = bytes.split_first().ok_or_else(damaged)?;
        if *version != VERSION {
            let text = format!(
                "the seal record at {RECORD} has version {version}, this program knows {VERSION}"
            );
            return Err(Error::new(ErrorKind::Corrupt, text));
        }
        let (digest, protected) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
        let (tag, json) = protected.split_first_chunk::<32>().ok_or_else(damaged)?;
        if sha256(protected) != *digest {
            return Err(damaged());
        }
        let record = serde_json::from_slice(json).map_err(|_| damaged())?;
        Ok((record, Tagged { tag: *tag, json: json.to_vec() }))
    }

    /// Whether a seal opens this without people, so that shares are recovery keys.
    pub(crate) fn has_automatic(&self) -> bool {
        self.wraps.iter().any(|wrap| wrap.split.is_none())
    }

    /// The wrap that is opened by shares.
    pub(crate) fn shared(&self) -> Option<(&Wrap, Split)> {
        self.wraps.iter().find_map(|wrap| Some((wrap, wrap.split?)))
    }
}

impl Wrap {
    /// What a seal binds its blob to, so that blobs and numbers cannot be exchanged.
    pub(crate) fn context(name: &str, kind: &str, split: Option<Split>) -> Vec<u8> {
        let (shares, threshold) = split.map_or((0, 0), |split| (split.shares(), split.threshold()));
        format!("strongroom seal\0{kind}\0{name}\0{shares}\0{threshold}").into_bytes()
    }

    pub(crate) fn own_context(&self) -> Vec<u8> {
        Self::context(&self.name, &self.kind, self.split)
    }
}

impl Tagged {
    /// # Errors
    /// `Corrupt` if the record was not written with `root_key`.
    pub(crate) fn check(&self, root_key: &RootKey) -> Result<()> {
        if tag_key(root_key).verify(&self.json, &self.tag) {
            return Ok(());
        }
        Err(Error::corrupt(format!("the seal record at {RECORD} was changed without the root key")))
    }
}

fn tag_key(root_key: &RootKey) -> HmacKey {
    HmacKey::new(hkdf_sha256(root_key.expose(), b"", b"strongroom seal record").expose())
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| D::Error::custom("not base64"))
    }
}
