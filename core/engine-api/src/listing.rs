use base_types::Result;
use core_barrier::View;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Response;

/// A request for a list of names.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Listing {
    /// Begin behind this name, which need not exist.
    after: String,
    /// How many names at most; all if it is 0 or less.
    limit: i64,
}

impl Listing {
    /// What lies directly in `folder` of `storage`, in Vault's shape of a list.
    ///
    /// # Errors
    /// `NotFound` if there is nothing.
    pub async fn of(&self, storage: &View, folder: &str) -> Result<Response> {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        Response::keys(storage.list(folder, &self.after, limit).await?)
    }
}
