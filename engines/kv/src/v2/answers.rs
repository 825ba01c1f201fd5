use std::collections::BTreeMap;

use base_types::{Timestamp, Ttl};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::metadata::{Metadata, Version};

/// A version with its data; `null` if it is deleted.
#[derive(Serialize)]
pub(super) struct DataAnswer<'a> {
    pub(super) data: Option<&'a RawValue>,
    pub(super) metadata: VersionAnswer<'a>,
}

#[derive(Serialize)]
pub(super) struct SubkeysAnswer<'a> {
    pub(super) metadata: VersionAnswer<'a>,
    pub(super) subkeys: Option<&'a RawValue>,
}

/// One version, beside what is said about the whole secret.
#[derive(Serialize)]
pub(super) struct VersionAnswer<'a> {
    created_time: Timestamp,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    #[serde(serialize_with = "or_empty")]
    deletion_time: Option<Timestamp>,
    destroyed: bool,
    version: u64,
}

impl<'a> VersionAnswer<'a> {
    pub(super) fn new(metadata: &'a Metadata, version: &Version) -> Self {
        Self {
            created_time: version.created,
            custom_metadata: custom_metadata(metadata),
            deletion_time: version.deletion,
            destroyed: version.destroyed,
            version: version.number,
        }
    }
}

#[derive(Serialize)]
pub(super) struct MetadataAnswer<'a> {
    cas_required: bool,
    created_time: Timestamp,
    current_metadata_version: u64,
    current_version: u64,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    #[serde(serialize_with = "in_words")]
    delete_version_after: Ttl,
    max_versions: u32,
    metadata_cas_required: bool,
    oldest_version: u64,
    updated_time: Timestamp,
    versions: BTreeMap<u64, VersionEntry>,
}

#[derive(Serialize)]
struct VersionEntry {
    created_time: Timestamp,
    #[serde(serialize_with = "or_empty")]
    deletion_time: Option<Timestamp>,
    destroyed: bool,
}

impl<'a> MetadataAnswer<'a> {
    pub(super) fn new(metadata: &'a Metadata) -> Self {
        let entry = |version: &Version| {
            let Version { number, created, deletion, destroyed } = *version;
            (number, VersionEntry { created_time: created, deletion_time: deletion, destroyed })
        };
        Self {
            cas_required: metadata.cas_required,
            created_time: metadata.created,
            current_metadata_version: metadata.metadata_version,
            current_version: metadata.current,
            custom_metadata: custom_metadata(metadata),
            delete_version_after: metadata.delete_version_after,
            max_versions: metadata.max_versions,
            metadata_cas_required: metadata.metadata_cas_required,
            oldest_version: metadata.oldest,
            updated_time: metadata.updated,
            versions: metadata.versions.iter().map(entry).collect(),
        }
    }
}

fn custom_metadata(metadata: &Metadata) -> Option<&BTreeMap<String, String>> {
    Some(&metadata.custom).filter(|custom| !custom.is_empty())
}

/// Go's zero time is shown as no text at all.
fn or_empty<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => time.serialize(serializer),
        None => serializer.serialize_str(""),
    }
}

fn in_words<S: Serializer>(ttl: &Ttl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(ttl)
}
