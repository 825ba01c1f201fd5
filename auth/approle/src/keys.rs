use base_crypto::{HmacKey, Random, hex, random_array, unhex};
use base_types::{Error, Name, Result, Timestamp};
use core_barrier::{Record, Tx, View};
use serde::{Deserialize, Serialize};

/// Turns ids into the names that they are stored under. Without the key nobody can tell whether an
/// id that he guesses is stored.
#[derive(Clone)]
pub(crate) struct Hasher(HmacKey);

/// The key of a mount's hashes.
#[derive(Deserialize, Serialize)]
struct Salt {
    /// 32 bytes in hexadecimal.
    key: String,
}

impl Record for Salt {
    const KIND: &'static str = "mount's hash key";
}

impl Hasher {
    /// The hasher of the mount with this storage, made if it is new.
    pub(crate) async fn open(storage: &View, random: &dyn Random) -> Result<Self> {
        let fresh = &Salt { key: hex(&random_array::<32>(random)) };
        let open = |tx: Tx| async move {
            let salt: Option<Salt> = tx.get("salt").await?;
            if salt.is_none() {
                tx.put("salt", fresh)?;
            }
            let key = salt.as_ref().unwrap_or(fresh).key.as_str();
            unhex(key).ok_or_else(|| Error::corrupt("salt: the hash key is not hexadecimal"))
        };
        Ok(Self(HmacKey::new(&storage.transact(open).await?)))
    }

    pub(crate) fn role_id(&self, id: &str) -> String {
        format!("role-id/{}", self.hash("role-id", id))
    }

    pub(crate) fn secret_id(&self, id: &str) -> String {
        self.hash("secret-id", id)
    }

    fn hash(&self, kind: &str, id: &str) -> String {
        hex(&self.0.sign(format!("{kind}\0{id}").as_bytes()))
    }
}

pub(crate) fn role(name: &Name) -> String {
    format!("role/{name}")
}

pub(crate) fn secret(folder: &str, hash: &str) -> String {
    format!("secret/{folder}/{hash}")
}

pub(crate) fn accessor(folder: &str, accessor: &str) -> String {
    format!("accessor/{folder}/{accessor}")
}

pub(crate) fn gone(folder: &str) -> String {
    format!("gone/{folder}")
}

/// An entry of the expiry index, whose key says it all and sorts by time.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Expiry<'a> {
    pub(crate) time: Timestamp,
    pub(crate) folder: &'a str,
    pub(crate) hash: &'a str,
}

impl<'a> Expiry<'a> {
    pub(crate) fn key(&self) -> String {
        format!("expiry/{:020}/{}/{}", self.time.0, self.folder, self.hash)
    }

    pub(crate) fn parse(key: &'a str) -> Option<Self> {
        let mut parts = key.strip_prefix("expiry/")?.split('/');
        let (time, folder, hash) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { time: Timestamp(time.parse().ok()?), folder, hash })
    }
}

/// A record whose key says it all.
#[derive(Deserialize, Serialize)]
pub(crate) struct Marker {}

impl Record for Marker {
    const KIND: &'static str = "marker";
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_read_back_and_sorts_by_time() {
        let expiry = |time: i64| Expiry { time: Timestamp(time), folder: "f", hash: "h" };
        let keys = [5, 70, 1_767_225_600_000_000_000].map(|time| expiry(time).key());
        assert!(keys.is_sorted());
        assert_eq!(Expiry::parse(&keys[1]), Some(expiry(70)));
        assert_eq!(keys[1], "expiry/00000000000000000070/f/h");
        assert_eq!(Expiry::parse("expiry/x/f/h"), None);
    }

    #[test]
    fn the_stored_forms_are_fixed() {
        let salt: Salt = serde_json::from_str("{\"key\":\"00ff\"}").unwrap();
        assert_eq!(serde_json::to_string(&salt).unwrap(), "{\"key\":\"00ff\"}");
        assert_eq!(serde_json::to_string(&Marker {}).unwrap(), "{}");
    }
}
