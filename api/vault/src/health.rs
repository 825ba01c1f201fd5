use std::sync::Arc;

use base_types::{Error, Result};
use core_pipeline::Core;
use http::StatusCode;
use serde::Serialize;

use crate::incoming::Target;
use crate::{HttpResponse, VERSION, render};

/// <https://openbao.org/api-docs/system/health/>
#[derive(Serialize)]
struct Health<'a> {
    initialized: bool,
    sealed: bool,
    standby: bool,
    replication_performance_mode: &'static str,
    replication_dr_mode: &'static str,
    server_time_utc: i64,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<&'a str>,
}

pub(crate) async fn health(core: &Arc<Core>, target: &Target) -> Result<HttpResponse> {
    let initialized = core.seals.status().await?.initialized;
    let sealed = core.is_sealed();
    let status = match (initialized, sealed) {
        (false, _) => code(target, "uninitcode", StatusCode::NOT_IMPLEMENTED)?,
        (true, true) => code(target, "sealedcode", StatusCode::SERVICE_UNAVAILABLE)?,
        (true, false) => code(target, "activecode", StatusCode::OK)?,
    };
    let cluster_id = core.cluster_id().ok();
    let health = Health {
        initialized,
        sealed,
        standby: sealed || !initialized,
        replication_performance_mode: if sealed { "unknown" } else { "disabled" },
        replication_dr_mode: if sealed { "unknown" } else { "disabled" },
        server_time_utc: core.clock.now().seconds(),
        version: VERSION,
        cluster_name: cluster_id.as_ref().map(|_| core.settings.cluster_name.as_str()),
        cluster_id: cluster_id.as_deref(),
    };
    Ok(render::json(status, serde_json::to_vec(&health).map_err(Error::internal)?))
}

/// The status code that the caller wants for a state, or the usual one.
fn code(target: &Target, name: &str, usual: StatusCode) -> Result<StatusCode> {
    let Some(text) = target.query(name) else { return Ok(usual) };
    let code = text.parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
    code.filter(|code| code.as_u16() >= 200).ok_or_else(|| Error::invalid(""))
}

/// Every node serves everything, so there is no leader to ask for.
pub(crate) fn leader() -> Result<HttpResponse> {
    #[derive(Serialize)]
    struct Leader {
        ha_enabled: bool,
    }
    render::data(&Leader { ha_enabled: false })
}
