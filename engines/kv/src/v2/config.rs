use std::fmt;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Record;
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Kv2;

/// What holds for all secrets of the mount, unless they say otherwise themselves.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Config {
    pub(super) cas_required: bool,
    /// Zero where nothing is set; `None` forbids it to secrets as well.
    pub(super) delete_version_after: Option<Ttl>,
    /// Zero for the default.
    pub(super) max_versions: u32,
    pub(super) metadata_cas_required: bool,
}

impl Record for Config {
    const KIND: &'static str = "versioned mount's settings";
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cas_required: false,
            delete_version_after: Some(Ttl::ZERO),
            max_versions: 0,
            metadata_cas_required: false,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct ReadConfig {}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct WriteConfig {
    /// All writes must give the `cas` option.
    cas_required: Option<bool>,
    /// How long after its creation a version is deleted; a negative value switches that off.
    #[schemars(with = "Option<Ttl>")]
    delete_version_after: Option<Lifetime>,
    /// How many versions of each secret are kept; zero is 10.
    max_versions: Option<u32>,
    /// All changes of metadata must give `metadata_cas`.
    metadata_cas_required: Option<bool>,
}

#[derive(Serialize)]
struct ConfigAnswer {
    cas_required: bool,
    delete_version_after: Lifetime,
    max_versions: u32,
    metadata_cas_required: bool,
}

/// A duration, or none for anything negative.
#[derive(Clone, Copy)]
struct Lifetime(Option<Ttl>);

impl Kv2 {
    pub(super) async fn read_config(self: Arc<Self>, _: Call, _: ReadConfig) -> Result<Response> {
        let config: Config = self.storage.get("config").await?.unwrap_or_default();
        let Config { cas_required, delete_version_after, max_versions, metadata_cas_required } =
            config;
        let delete_version_after = Lifetime(delete_version_after);
        Response::data(&ConfigAnswer {
            cas_required,
            delete_version_after,
            max_versions,
            metadata_cas_required,
        })
    }

    pub(super) async fn write_config(
        self: Arc<Self>,
        _: Call,
        request: WriteConfig,
    ) -> Result<Response> {
        let request = &request;
        let write = |tx: core_barrier::Tx| async move {
            let old: Config = tx.get("config").await?.unwrap_or_default();
            let lifetime = request.delete_version_after.map(|lifetime| lifetime.0);
            let config = Config {
                cas_required: request.cas_required.unwrap_or(old.cas_required),
                delete_version_after: lifetime.unwrap_or(old.delete_version_after),
                max_versions: request.max_versions.unwrap_or(old.max_versions),
                metadata_cas_required: request
                    .metadata_cas_required
                    .unwrap_or(old.metadata_cas_required),
            };
            tx.put("config", &config)
        };
        self.storage.transact(write).await?;
        Ok(Response::none())
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ttl) => ttl.fmt(f),
            None => f.write_str("-1s"),
        }
    }
}

impl Serialize for Lifetime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (negative, amount) = match text.trim().strip_prefix('-') {
            Some(amount) => (true, amount),
            None => (false, text.as_str()),
        };
        let ttl: Ttl =
            amount.parse().map_err(|error: Error| serde::de::Error::custom(error.public()))?;
        Ok(Self((!negative).then_some(ttl)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = "{\"cas_required\":false,\"delete_version_after\":0,\"max_versions\":0,\
            \"metadata_cas_required\":false}";
        assert_eq!(serde_json::to_string(&Config::default()).unwrap(), golden);
        let off = golden.replace("after\":0", "after\":null");
        assert_eq!(serde_json::from_str::<Config>(&off).unwrap().delete_version_after, None);
    }
}
