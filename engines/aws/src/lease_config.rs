use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Record;
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::config::Nothing;

/// How long users live; zero stands for the limits of the mount.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
pub(crate) struct LeaseConfig {
    pub(crate) lease: Ttl,
    pub(crate) lease_max: Ttl,
}

impl Record for LeaseConfig {
    const KIND: &'static str = "AWS lease configuration";
}

const KEY: &str = "config/lease";

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteLeaseConfig {
    /// How long users live until they are renewed.
    lease: Option<Ttl>,
    /// How long they live at most.
    lease_max: Option<Ttl>,
}

/// Durations are texts here, as in Vault: `1h0m0s`.
#[derive(Serialize)]
struct LeaseConfigAnswer {
    lease: String,
    lease_max: String,
}

impl Aws {
    pub(crate) async fn read_lease_config(
        self: Arc<Self>,
        _: Call,
        _: Nothing,
    ) -> Result<Response> {
        let stored: Option<LeaseConfig> = self.storage.get(KEY).await?;
        let LeaseConfig { lease, lease_max } = stored.ok_or_else(|| Error::not_found(""))?;
        let answer =
            LeaseConfigAnswer { lease: lease.to_string(), lease_max: lease_max.to_string() };
        Response::data(&answer)
    }

    pub(crate) async fn write_lease_config(
        self: Arc<Self>,
        _: Call,
        request: WriteLeaseConfig,
    ) -> Result<Response> {
        let required = |name: &str| Error::invalid(format!("'{name}' is a required parameter"));
        let lease = request.lease.ok_or_else(|| required("lease"))?;
        let lease_max = request.lease_max.ok_or_else(|| required("lease_max"))?;
        self.storage.put(KEY, &LeaseConfig { lease, lease_max }).await?;
        Ok(Response::none())
    }

    pub(crate) async fn lease_config(&self) -> Result<LeaseConfig> {
        Ok(self.storage.get(KEY).await?.unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let config = LeaseConfig { lease: Ttl::from_seconds(60), lease_max: Ttl::ZERO };
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"lease":60,"lease_max":0}"#);
    }
}
