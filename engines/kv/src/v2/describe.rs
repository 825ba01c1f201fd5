use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Tx;
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::answers::MetadataAnswer;
use super::config::Config;
use super::data::nothing_to_patch;
use super::metadata::Metadata;
use super::{Kv2, Place, at_root, custom_metadata, data_key, metadata_key};

/// A field that was not given, was given as `null`, which resets it, or has a value.
type Given<T> = Option<Option<T>>;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Describe {
    /// Where the secret is.
    path: String,
    /// All writes must give the `cas` option.
    #[serde(deserialize_with = "given")]
    cas_required: Given<bool>,
    /// Names and values of your own: at most 64, of 128 and 512 printable bytes.
    #[serde(deserialize_with = "given")]
    custom_metadata: Given<BTreeMap<String, Option<String>>>,
    /// How long after its creation a version is deleted, if the mount does not say shorter.
    #[serde(deserialize_with = "given")]
    delete_version_after: Given<Ttl>,
    /// How many versions are kept, if the mount does not say more.
    #[serde(deserialize_with = "given")]
    max_versions: Given<u32>,
    /// Change the metadata only if this is its current version.
    metadata_cas: Option<i64>,
    /// All changes of the metadata must give `metadata_cas`.
    #[serde(deserialize_with = "given")]
    metadata_cas_required: Given<bool>,
}

impl Kv2 {
    pub(super) async fn read_metadata(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        if place.path.is_empty() {
            return Ok(at_root());
        }
        match self.metadata(&place.path).await? {
            Some(metadata) => Response::data(&MetadataAnswer::new(&metadata)),
            None => Err(Error::not_found("")),
        }
    }

    /// Creates the metadata of a secret without versions if there is none.
    pub(super) async fn write_metadata(
        self: Arc<Self>,
        _: Call,
        request: Describe,
    ) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        if request.is_empty() {
            return Ok(Response::none());
        }
        self.change_metadata(&request, false).await
    }

    pub(super) async fn patch_metadata(
        self: Arc<Self>,
        _: Call,
        request: Describe,
    ) -> Result<Response> {
        if request.path.is_empty() {
            return Ok(at_root());
        }
        self.change_metadata(&request, true).await
    }

    async fn change_metadata(&self, request: &Describe, patch: bool) -> Result<Response> {
        let (key, now) = (&metadata_key(&request.path), self.clock.now());
        let work = |tx: Tx| async move {
            let config: Config = tx.get("config").await?.unwrap_or_default();
            let stored: Option<Metadata> = tx.get(key).await?;
            if patch && stored.is_none() {
                return Ok(nothing_to_patch());
            }
            request.check_cas(&config, stored.as_ref())?;
            let mut metadata = stored.unwrap_or_else(|| Metadata::new(now));
            if request.is_empty() {
                return Ok(Response::none());
            }
            request.apply(&mut metadata, patch)?;
            metadata.metadata_version += 1;
            metadata.updated = now;
            tx.put(key, &metadata)?;
            Ok(Response::none())
        };
        self.storage.transact(work).await
    }

    /// The secret with all its versions, for good.
    pub(super) async fn delete_metadata(
        self: Arc<Self>,
        _: Call,
        place: Place,
    ) -> Result<Response> {
        if place.path.is_empty() {
            return Ok(at_root());
        }
        let path = place.path.as_str();
        let work = |tx: Tx| async move {
            let metadata: Option<Metadata> = tx.get(&metadata_key(path)).await?;
            for version in metadata.iter().flat_map(|metadata| &metadata.versions) {
                tx.delete(&data_key(path, version.number));
            }
            if metadata.is_some() {
                tx.delete(&metadata_key(path));
            }
            Ok(())
        };
        self.storage.transact(work).await?;
        Ok(Response::none())
    }
}

impl Describe {
    /// Nothing is to be changed.
    fn is_empty(&self) -> bool {
        self.cas_required.is_none()
            && self.custom_metadata.is_none()
            && self.delete_version_after.is_none()
            && self.max_versions.is_none()
            && self.metadata_cas_required.is_none()
    }

    fn check_cas(&self, config: &Config, metadata: Option<&Metadata>) -> Result<()> {
        let required = config.metadata_cas_required
            || metadata.is_some_and(|metadata| metadata.metadata_cas_required);
        let fault = match (self.metadata_cas, metadata) {
            (None, _) if required => "metadata check-and-set parameter required for this call",
            (Some(cas), None) if cas != 0 => "metadata_cas must be 0 when creating new metadata",
            (Some(cas), Some(metadata))
                if u64::try_from(cas).ok() != Some(metadata.metadata_version) =>
            {
                "metadata check-and-set parameter does not match the current version"
            }
            _ => return Ok(()),
        };
        Err(Error::invalid(fault))
    }

    /// A patch merges custom metadata; otherwise it is replaced.
    fn apply(&self, metadata: &mut Metadata, patch: bool) -> Result<()> {
        if let Some(custom) = &self.custom_metadata {
            let mut merged = if patch && custom.is_some() {
                std::mem::take(&mut metadata.custom)
            } else {
                BTreeMap::new()
            };
            for (name, value) in custom.iter().flatten() {
                match value {
                    None if patch => drop(merged.remove(name)),
                    value => drop(merged.insert(name.clone(), value.clone().unwrap_or_default())),
                }
            }
            custom_metadata::check(&merged)?;
            metadata.custom = merged;
        }
        set(&mut metadata.cas_required, self.cas_required);
        set(&mut metadata.delete_version_after, self.delete_version_after);
        set(&mut metadata.max_versions, self.max_versions);
        set(&mut metadata.metadata_cas_required, self.metadata_cas_required);
        Ok(())
    }
}

fn set<T: Default>(value: &mut T, given: Given<T>) {
    if let Some(given) = given {
        *value = given.unwrap_or_default();
    }
}

/// Called only for fields that were given.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Given<T>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
