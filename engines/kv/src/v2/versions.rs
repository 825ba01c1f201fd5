use std::sync::Arc;

use base_types::{Error, Result};
use core_barrier::Tx;
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::config::Config;
use super::metadata::Metadata;
use super::{Kv2, Place, at_root, data_key, metadata_key};

#[derive(Deserialize, JsonSchema)]
pub(super) struct Versions {
    /// Where the secret is.
    path: String,
    /// The numbers of the versions.
    #[serde(default)]
    versions: Vec<u64>,
}

impl Kv2 {
    pub(super) async fn delete_latest(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        if place.path.is_empty() {
            return Ok(at_root());
        }
        let now = self.clock.now();
        let delete = |_: &Tx, _: &Config, metadata: &mut Metadata| {
            metadata.delete_version(metadata.current, now);
        };
        self.change_versions(&place.path, delete).await
    }

    pub(super) async fn delete(self: Arc<Self>, _: Call, request: Versions) -> Result<Response> {
        if let Some(answer) = request.check("No version number provided")? {
            return Ok(answer);
        }
        let now = self.clock.now();
        let delete = |_: &Tx, _: &Config, metadata: &mut Metadata| {
            request.versions.iter().for_each(|number| metadata.delete_version(*number, now));
        };
        self.change_versions(&request.path, delete).await
    }

    pub(super) async fn undelete(self: Arc<Self>, _: Call, request: Versions) -> Result<Response> {
        if let Some(answer) = request.check("No version number provided")? {
            return Ok(answer);
        }
        let now = self.clock.now();
        let undelete = |_: &Tx, config: &Config, metadata: &mut Metadata| {
            let deletion = metadata.deletion(config, now);
            for number in &request.versions {
                if let Some(version) =
                    metadata.version_mut(*number).filter(|found| !found.destroyed)
                {
                    version.deletion = deletion;
                }
            }
        };
        self.change_versions(&request.path, undelete).await
    }

    pub(super) async fn destroy(self: Arc<Self>, _: Call, request: Versions) -> Result<Response> {
        if let Some(answer) = request.check("no version number provided")? {
            return Ok(answer);
        }
        let destroy = |tx: &Tx, _: &Config, metadata: &mut Metadata| {
            for number in &request.versions {
                if let Some(version) = metadata.version_mut(*number) {
                    version.destroyed = true;
                    tx.delete(&data_key(&request.path, *number));
                }
            }
        };
        self.change_versions(&request.path, destroy).await
    }

    /// What is not there stays so: no secret, no version, no error.
    async fn change_versions<F>(&self, path: &str, change: F) -> Result<Response>
    where
        F: Fn(&Tx, &Config, &mut Metadata) + Send + Sync,
    {
        let change = &change;
        let work = |tx: Tx| async move {
            let Some(mut metadata) = tx.get::<Metadata>(&metadata_key(path)).await? else {
                return Ok(());
            };
            let config: Config = tx.get("config").await?.unwrap_or_default();
            change(&tx, &config, &mut metadata);
            tx.put(&metadata_key(path), &metadata)
        };
        self.storage.transact(work).await?;
        Ok(Response::none())
    }
}

impl Versions {
    /// The answer to a request that names no secret; the error for one that names no version.
    fn check(&self, fault: &'static str) -> Result<Option<Response>> {
        match (self.path.is_empty(), self.versions.is_empty()) {
            (true, _) => Ok(Some(at_root())),
            (false, true) => Err(Error::invalid(fault)),
            (false, false) => Ok(None),
        }
    }
}
