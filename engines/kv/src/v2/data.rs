use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Timestamp};
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answers::{DataAnswer, SubkeysAnswer, VersionAnswer};
use super::config::Config;
use super::metadata::{Metadata, Version};
use super::{Kv2, at_root, data_key, metadata_key};
use crate::json;

/// The data of one version: the object as it was sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Data(pub(super) Box<RawValue>);

impl Record for Data {
    const KIND: &'static str = "version of a secret";
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Read {
    /// Where the secret is.
    path: String,
    /// Which version; the latest if none is given.
    version: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Write {
    /// Where the secret is.
    path: String,
    /// The names and values of the secret.
    data: Option<Box<RawValue>>,
    /// `cas`: write only if this is the number of the latest version; 0 if there must be none.
    options: Option<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Subkeys {
    /// Where the secret is.
    path: String,
    /// Which version; the latest if none is given.
    version: Option<i64>,
    /// How many levels to show; all if it is 0 or not given.
    depth: Option<u32>,
}

/// A version that is known, with its data unless that is deleted.
struct Found {
    metadata: Metadata,
    version: Version,
    data: Option<Data>,
}

/// A read may meet a writer that removes the version between its two reads of the store. It looks
/// again; whoever still finds a version without data after that many looks has found damage.
const LOOKS_MAX: usize = 8;

impl Kv2 {
    pub(super) async fn read(self: Arc<Self>, _: Call, request: Read) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        let found = self.find(&request.path, request.version).await?;
        let data = found.data.as_ref().map(|data| &*data.0);
        let answer = DataAnswer { data, metadata: found.describe() };
        Ok(Response { absent: data.is_none(), ..Response::data(&answer)? })
    }

    pub(super) async fn subkeys(self: Arc<Self>, _: Call, request: Subkeys) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        let found = self.find(&request.path, request.version).await?;
        let skeleton = |data: &Data| json::skeleton(&data.0, request.depth.unwrap_or(0));
        let subkeys = found.data.as_ref().map(skeleton).transpose()?;
        let answer = SubkeysAnswer { metadata: found.describe(), subkeys: subkeys.as_deref() };
        Ok(Response { absent: subkeys.is_none(), ..Response::data(&answer)? })
    }

    pub(super) async fn write(self: Arc<Self>, _: Call, request: Write) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        let (path, cas) = (request.path.as_str(), request.cas()?);
        let (data, now) = (&Data(request.data()?), self.clock.now());
        let write = |tx: Tx| async move {
            let config: Config = tx.get("config").await?.unwrap_or_default();
            let metadata: Option<Metadata> = tx.get(&metadata_key(path)).await?;
            let metadata = metadata.unwrap_or_else(|| Metadata::new(now));
            check_cas(&config, &metadata, cas)?;
            add_version(&tx, path, &config, metadata, data, now)
        };
        self.storage.transact(write).await
    }

    pub(super) async fn patch(self: Arc<Self>, _: Call, request: Write) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        let (path, cas) = (request.path.as_str(), request.cas()?);
        let (patch, now) = (&request.data()?, self.clock.now());
        let patch = |tx: Tx| async move {
            let config: Config = tx.get("config").await?.unwrap_or_default();
            let metadata: Option<Metadata> = tx.get(&metadata_key(path)).await?;
            let Some(metadata) = metadata else {
                return Ok(nothing_to_patch());
            };
            check_cas(&config, &metadata, cas)?;
            let Some(version) = metadata.version(0).copied() else {
                return Ok(nothing_to_patch());
            };
            if !version.is_live(now) {
                let answer = VersionAnswer::new(&metadata, &version);
                return Ok(Response { absent: true, ..Response::data(&answer)? });
            }
            let key = data_key(path, version.number);
            let old: Data = tx.get(&key).await?.ok_or_else(|| without_data(&key))?;
            let merged = Data(json::merge(&old.0, patch)?);
            add_version(&tx, path, &config, metadata, &merged, now)
        };
        self.storage.transact(patch).await
    }

    /// # Errors
    /// `NotFound` if there is no such secret or no such version of it.
    async fn find(&self, path: &str, version: Option<i64>) -> Result<Found> {
        let wanted = version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0);
        let mut key = String::new();
        for _ in 0..LOOKS_MAX {
            let Some(metadata) = self.metadata(path).await? else {
                return Err(Error::not_found(""));
            };
            let Some(version) = metadata.version(wanted).copied() else {
                return Err(Error::not_found(""));
            };
            if !version.is_live(self.clock.now()) {
                return Ok(Found { metadata, version, data: None });
            }
            key = data_key(path, version.number);
            if let Some(data) = self.storage.get(&key).await? {
                return Ok(Found { metadata, version, data: Some(data) });
            }
        }
        Err(without_data(&key))
    }
}

impl Found {
    fn describe(&self) -> VersionAnswer<'_> {
        VersionAnswer::new(&self.metadata, &self.version)
    }
}

impl Write {
    fn data(&self) -> Result<Box<RawValue>> {
        match &self.data {
            None => Err(Error::invalid("no data provided")),
            Some(data) if data.get().starts_with('{') => Ok(data.clone()),
            Some(_) => Err(Error::invalid(
                "error converting input for field \"data\": expected an object of names and values",
            )),
        }
    }

    /// The number that the latest version must have. It may come as text, as it does from Vault's
    /// command line.
    fn cas(&self) -> Result<Option<i64>> {
        let Some(cas) = self.options.as_ref().and_then(|options| options.get("cas")) else {
            return Ok(None);
        };
        let number = match cas.get().trim_matches('"').trim() {
            "" | "false" | "null" => Some(0),
            "true" => Some(1),
            text => text.parse().ok(),
        };
        let fault = || Error::invalid("error parsing check-and-set parameter");
        number.map(Some).ok_or_else(fault)
    }
}

fn check_cas(config: &Config, metadata: &Metadata, cas: Option<i64>) -> Result<()> {
    match cas {
        None if config.cas_required || metadata.cas_required => {
            Err(Error::invalid("check-and-set parameter required for this call"))
        }
        Some(cas) if u64::try_from(cas).ok() != Some(metadata.current) => {
            Err(Error::invalid("check-and-set parameter did not match the current version"))
        }
        None | Some(_) => Ok(()),
    }
}

/// Writes `data` as the new latest version, with the metadata, and answers with what was written.
pub(super) fn add_version(
    tx: &Tx,
    path: &str,
    config: &Config,
    mut metadata: Metadata,
    data: &Data,
    now: Timestamp,
) -> Result<Response> {
    for dropped in metadata.add_version(config, now) {
        tx.delete(&data_key(path, dropped));
    }
    tx.put(&data_key(path, metadata.current), data)?;
    tx.put(&metadata_key(path), &metadata)?;
    match metadata.version(0) {
        Some(version) => Response::data(&VersionAnswer::new(&metadata, version)),
        None => Err(Error::internal("a version that was added is not there")),
    }
}

/// As in Vault: "not found" without a word.
pub(super) fn nothing_to_patch() -> Response {
    Response { absent: true, ..Response::none() }
}

fn without_data(key: &str) -> Error {
    Error::corrupt(format!("{key}: the metadata knows this version, but its data is not there"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_the_text_itself() {
        let data: Data = serde_json::from_str("{\"a\": 1.10}").unwrap();
        assert_eq!(serde_json::to_string(&data).unwrap(), "{\"a\": 1.10}");
    }
}
