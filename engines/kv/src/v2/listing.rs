use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kv2;
use super::answers::MetadataAnswer;
use super::metadata::Metadata;
use crate::kv1::folder;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Listing {
    /// The folder.
    path: String,
    /// Begin behind this name, which need not exist.
    after: String,
    /// How many names at most; all if it is 0 or less.
    limit: i64,
}

#[derive(Serialize)]
struct DetailedKeys<'a> {
    key_info: BTreeMap<&'a str, MetadataAnswer<'a>>,
    keys: &'a [String],
}

impl Kv2 {
    pub(super) async fn list(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        Response::keys(self.children(&listing).await?)
    }

    pub(super) async fn scan(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        Response::keys(self.descendants(&listing).await?)
    }

    pub(super) async fn list_detailed(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        let keys = self.children(&listing).await?;
        self.with_metadata(&listing, keys).await
    }

    pub(super) async fn scan_detailed(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        let keys = self.descendants(&listing).await?;
        self.with_metadata(&listing, keys).await
    }

    async fn children(&self, listing: &Listing) -> Result<Vec<String>> {
        self.storage.list(&listing.prefix(), &listing.after, listing.limit()).await
    }

    async fn descendants(&self, listing: &Listing) -> Result<Vec<String>> {
        let prefix = listing.prefix();
        let after = match listing.after.as_str() {
            "" => String::new(),
            after => format!("{prefix}{after}"),
        };
        let mut keys = self.storage.keys(&prefix, &after, listing.limit()).await?;
        keys.iter_mut().for_each(|key| drop(key.drain(..prefix.len())));
        Ok(keys)
    }

    /// Folders have no metadata.
    async fn with_metadata(&self, listing: &Listing, keys: Vec<String>) -> Result<Response> {
        if keys.is_empty() {
            return Err(Error::not_found(""));
        }
        let prefix = listing.prefix();
        let mut described: Vec<(&str, Metadata)> = Vec::with_capacity(keys.len());
        for key in keys.iter().filter(|key| !key.ends_with('/')) {
            if let Some(metadata) = self.storage.get(&format!("{prefix}{key}")).await? {
                described.push((key, metadata));
            }
        }
        let key_info =
            described.iter().map(|(key, metadata)| (*key, MetadataAnswer::new(metadata))).collect();
        Response::data(&DetailedKeys { key_info, keys: &keys })
    }
}

impl Listing {
    fn prefix(&self) -> String {
        format!("metadata/{}", folder(&self.path))
    }

    fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(0)
    }
}
