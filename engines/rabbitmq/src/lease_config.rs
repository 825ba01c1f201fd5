use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Record;
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Rabbitmq;

/// How long credentials live; zero stands for the limits of the mount.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
pub(crate) struct LeaseConfig {
    pub(crate) ttl: Ttl,
    pub(crate) max_ttl: Ttl,
}

impl Record for LeaseConfig {
    const KIND: &'static str = "RabbitMQ lease configuration";
}

const KEY: &str = "config/lease";

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteLeaseConfig {
    /// How long credentials live until they are renewed.
    ttl: Ttl,
    /// How long they live at most.
    max_ttl: Ttl,
}

#[derive(Serialize)]
struct LeaseConfigAnswer {
    ttl: Ttl,
    max_ttl: Ttl,
}

impl Rabbitmq {
    pub(crate) async fn read_lease_config(
        self: Arc<Self>,
        _: Call,
        _: Nothing,
    ) -> Result<Response> {
        let stored: Option<LeaseConfig> = self.storage.get(KEY).await?;
        let LeaseConfig { ttl, max_ttl } = stored.ok_or_else(|| Error::not_found(""))?;
        Response::data(&LeaseConfigAnswer { ttl, max_ttl })
    }

    pub(crate) async fn write_lease_config(
        self: Arc<Self>,
        _: Call,
        request: WriteLeaseConfig,
    ) -> Result<Response> {
        let WriteLeaseConfig { ttl, max_ttl } = request;
        self.storage.put(KEY, &LeaseConfig { ttl, max_ttl }).await?;
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
        let config = LeaseConfig { ttl: Ttl::from_seconds(60), max_ttl: Ttl::ZERO };
        assert_eq!(serde_json::to_string(&config).unwrap(), r#"{"ttl":60,"max_ttl":0}"#);
    }
}
