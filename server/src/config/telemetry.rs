use base_hcl::Block;
use base_types::{Result, Ttl};

use super::keys;
use super::reader::{Reader, Source};

/// What `sys/metrics` shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Telemetry {
    /// Zero turns the Prometheus format off.
    pub prometheus_retention_time: Ttl,
    pub disable_hostname: bool,
    pub metrics_prefix: String,
    /// How often the costly gauges are counted; `None` for never.
    pub usage_gauge_period: Option<Ttl>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            prometheus_retention_time: Ttl::from_seconds(24 * 3600),
            disable_hostname: false,
            metrics_prefix: "vault".to_owned(),
            usage_gauge_period: Some(Ttl::from_seconds(600)),
        }
    }
}

impl Telemetry {
    pub(super) fn read(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let mut telemetry = Self::default();
        let mut reader = Reader::new(block.body, &keys::TELEMETRY, source);
        reader.set("prometheus_retention_time", &mut telemetry.prometheus_retention_time)?;
        reader.set("disable_hostname", &mut telemetry.disable_hostname)?;
        reader.set("metrics_prefix", &mut telemetry.metrics_prefix)?;
        let mut period: Option<String> = None;
        reader.set("usage_gauge_period", &mut period)?;
        if let Some(text) = period {
            telemetry.usage_gauge_period = match text.as_str() {
                "none" => None,
                text => Some(text.parse().map_err(|error: base_types::Error| {
                    reader.invalid("usage_gauge_period", error.public())
                })?),
            };
        }
        reader.finish()?;
        Ok(telemetry)
    }
}
