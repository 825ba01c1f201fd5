use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_engine_api::Body;
use core_pipeline::Core;
use serde::{Deserialize, Serialize};

use crate::{HttpResponse, VERSION, render};

/// <https://openbao.org/api-docs/system/seal-status/>
#[derive(Serialize)]
struct SealStatus<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    initialized: bool,
    sealed: bool,
    t: u8,
    n: u8,
    progress: u8,
    nonce: &'a str,
    version: &'static str,
    migration: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    cluster_id: &'a str,
    recovery_seal: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    recovery_seal_type: &'static str,
    storage_type: &'a str,
}

pub(crate) async fn status(core: &Arc<Core>) -> Result<HttpResponse> {
    let status = core.seals.status().await?;
    let sealed = core.is_sealed();
    let cluster_id = core.cluster_id().unwrap_or_default();
    render::data(&SealStatus {
        kind: &status.kind,
        initialized: status.initialized,
        sealed,
        t: status.threshold,
        n: status.shares,
        progress: status.progress,
        nonce: &status.nonce,
        version: VERSION,
        migration: false,
        cluster_name: if sealed { "" } else { &core.settings.cluster_name },
        cluster_id: &cluster_id,
        recovery_seal: status.recovery_seal,
        recovery_seal_type: if status.recovery_seal { "shamir" } else { "" },
        storage_type: &core.settings.storage_type,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Unseal {
    key: Option<Secret<String>>,
    reset: bool,
}

pub(crate) async fn unseal(core: &Arc<Core>, body: &Body) -> Result<HttpResponse> {
    let request: Unseal = body.read()?;
    if !core.seals.status().await?.initialized {
        return Err(Error::invalid("Vault is not initialized"));
    }
    if request.reset {
        core.seals.reset_unseal();
    } else {
        let key = request.key.filter(|key| !key.expose().is_empty());
        let key = key.ok_or_else(|| {
            Error::invalid(
                "'key' must be specified in request body as JSON, or 'reset' set to true",
            )
        })?;
        core.unseal_with(core_seal::parse_share(key.expose())?).await?;
    }
    status(core).await
}
