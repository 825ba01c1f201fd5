//! The versioned engine. A secret is two kinds of records in the mount's storage:
//!
//! ```text
//! config                     what holds for the whole mount
//! metadata/{path}            which versions there are, and everything said about them
//! data/{path}/{version}      the text of one version
//! ```
//!
//! Listing touches only keys below `metadata/`. Reading takes two reads of the store, writing one
//! transaction. A version that is deleted keeps its data until it is destroyed or too old.

mod answers;
mod config;
mod custom_metadata;
mod data;
mod describe;
mod listing;
mod metadata;
mod take_over;
mod versions;

use std::sync::Arc;

use base_types::{Clock, Error, Result};
use core_barrier::View;
use core_engine_api::{Arbitrary, Call, Engine, Meta, Mount, Response, Role, Routes, Verb};
use serde::Deserialize;

use metadata::Metadata;

/// The last versions of a value per path, with metadata.
pub struct Kv2 {
    storage: View,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Place {
    /// Where the secret is.
    path: String,
}

impl Engine for Kv2 {
    const META: &'static Meta = &Meta {
        name: "kv",
        version: Some("2"),
        role: Role::Secrets,
        summary: "Stores arbitrary secrets and keeps their last versions.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        take_over::from_kv1(&mount.storage, mount.clock.now()).await?;
        Ok(Self { storage: mount.storage, clock: mount.clock })
    }

    fn routes(table: &mut Routes<Self>) {
        table
            .on(Verb::Read, "config", Self::read_config)
            .summary("Read the mount's settings.")
            .pure();
        table.on(Verb::Write, "config", Self::write_config).summary("Change the mount's settings.");

        table
            .on(Verb::Read, "data/{path..}", Self::read)
            .summary("Read a version of a secret.")
            .pure();
        table.on(Verb::Write, "data/{path..}", Self::write).summary("Write a new version.");
        table.on(Verb::Patch, "data/{path..}", Self::patch).summary("Merge into a new version.");
        table
            .on(Verb::Delete, "data/{path..}", Self::delete_latest)
            .summary("Delete the latest version.");
        table
            .on(Verb::Read, "subkeys/{path..}", Self::subkeys)
            .summary("Read the names in a secret.")
            .pure();

        table.on(Verb::Write, "delete/{path..}", Self::delete).summary("Delete versions.");
        table
            .on(Verb::Write, "undelete/{path..}", Self::undelete)
            .summary("Restore deleted versions.");
        table
            .on(Verb::Write, "destroy/{path..}", Self::destroy)
            .summary("Remove versions for good.");

        table
            .on(Verb::Read, "metadata/{path..}", Self::read_metadata)
            .summary("Read the metadata.")
            .pure();
        table.on(Verb::Write, "metadata/{path..}", Self::write_metadata).summary("Set metadata.");
        table
            .on(Verb::Patch, "metadata/{path..}", Self::patch_metadata)
            .summary("Change metadata.");
        table
            .on(Verb::Delete, "metadata/{path..}", Self::delete_metadata)
            .summary("Remove a secret with all its versions for good.");
        table
            .on(Verb::List, "metadata/{path..}", Self::list)
            .summary("List the names in a folder.")
            .pure();
        table
            .on(Verb::Scan, "metadata/{path..}", Self::scan)
            .summary("List all names below a folder.")
            .pure();
        table
            .on(Verb::List, "detailed-metadata/{path..}", Self::list_detailed)
            .summary("List the names in a folder with their metadata.")
            .pure();
        table
            .on(Verb::Scan, "detailed-metadata/{path..}", Self::scan_detailed)
            .summary("List all names below a folder with their metadata.")
            .pure();

        for verb in Verb::ALL {
            table.on(verb, "{path..}", Self::elsewhere).summary("Says which paths there are.");
        }
        table.exists("data/{path..}", Self::exists);
        table.exists("metadata/{path..}", Self::exists);
    }
}

/// What the paths of this engine begin with.
const HEADS: [&str; 8] =
    ["config", "data", "delete", "destroy", "detailed-metadata", "metadata", "subkeys", "undelete"];

impl Kv2 {
    async fn exists(self: Arc<Self>, place: Place) -> Result<bool> {
        Ok(self.metadata(&place.path).await?.is_some())
    }

    /// Whoever takes this mount for an unversioned one is told so.
    async fn elsewhere(self: Arc<Self>, call: Call, _: Arbitrary) -> Result<Response> {
        if HEADS.contains(&call.path.split('/').next().unwrap_or_default()) {
            return Err(Error::unsupported());
        }
        let command = match call.verb {
            Verb::Delete => "delete",
            Verb::List => "list",
            Verb::Patch => "patch",
            Verb::Read => "get",
            Verb::Scan => "scan",
            Verb::Write => "put",
        };
        Ok(absent().warn(format!(
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate \
             API endpoints to use. If using the Strongroom CLI, use 'strongroom kv {command}' for this \
             operation."
        )))
    }

    async fn metadata(&self, path: &str) -> Result<Option<Metadata>> {
        self.storage.get(&metadata_key(path)).await
    }
}

fn metadata_key(path: &str) -> String {
    format!("metadata/{path}")
}

fn data_key(path: &str, version: u64) -> String {
    format!("data/{path}/{version}")
}

fn absent() -> Response {
    Response { absent: true, ..Response::default() }
}

/// The answer to a request about the secret with no name.
fn at_root() -> Response {
    absent().warn("Non-listing operations on the root of a K/V v2 mount are not supported.")
}

#[cfg(test)]
mod tests;
