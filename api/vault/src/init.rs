use std::sync::Arc;

use base_crypto::hex;
use base_types::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core_engine_api::Body;
use core_pipeline::Core;
use core_seal::{Share, Split, refuse_pgp_keys};
use serde::{Deserialize, Serialize};

use crate::{HttpResponse, render};

pub(crate) async fn read(core: &Arc<Core>) -> Result<HttpResponse> {
    #[derive(Serialize)]
    struct Initialized {
        initialized: bool,
    }
    let status = core.seals.status().await?;
    render::data(&Initialized { initialized: status.initialized })
}

/// <https://openbao.org/api-docs/system/init/>
#[derive(Default, Deserialize)]
#[serde(default)]
struct Init {
    secret_shares: u64,
    secret_threshold: u64,
    recovery_shares: u64,
    recovery_threshold: u64,
    pgp_keys: Vec<String>,
    recovery_pgp_keys: Vec<String>,
    root_token_pgp_key: String,
}

#[derive(Serialize)]
struct Keys<'a> {
    keys: Vec<String>,
    keys_base64: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_keys: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_keys_base64: Option<Vec<String>>,
    root_token: &'a str,
}

pub(crate) async fn initialize(core: &Arc<Core>, body: &Body) -> Result<HttpResponse> {
    let init: Init = body.read()?;
    let pgp =
        init.pgp_keys.iter().chain(&init.recovery_pgp_keys).chain(Some(&init.root_token_pgp_key));
    refuse_pgp_keys(pgp.map(String::as_str))?;
    let split = if core.seals.has_automatic() {
        if init.secret_shares != 0 || init.secret_threshold != 0 {
            let kind = core.seals.status().await?.kind;
            return Err(Error::invalid(format!(
                "parameters secret_shares,secret_threshold not applicable to seal type {kind}"
            )));
        }
        match (init.recovery_shares, init.recovery_threshold) {
            (0, 0) => None,
            (shares, threshold) => Some(split(shares, threshold)?),
        }
    } else {
        if init.recovery_shares != 0 || init.recovery_threshold != 0 {
            return Err(Error::invalid(
                "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
            ));
        }
        Some(split(init.secret_shares, init.secret_threshold)?)
    };
    let done = core.initialize(split).await?;
    let (texts, base64) = (hex_texts(&done.key_shares), base64_texts(&done.key_shares));
    let (recovery, recovery_base64) = (texts.clone(), base64.clone());
    let is_recovery = done.has_recovery_keys;
    render::data(&Keys {
        keys: if is_recovery { Vec::new() } else { texts },
        keys_base64: if is_recovery { Vec::new() } else { base64 },
        recovery_keys: is_recovery.then_some(recovery),
        recovery_keys_base64: is_recovery.then_some(recovery_base64),
        root_token: done.root_token.expose(),
    })
}

fn split(shares: u64, threshold: u64) -> Result<Split> {
    Split::new(shares, threshold).map_err(|error| error.at("invalid seal configuration"))
}

pub(crate) fn hex_texts(shares: &[Share]) -> Vec<String> {
    shares.iter().map(|share| hex(share.expose())).collect()
}

pub(crate) fn base64_texts(shares: &[Share]) -> Vec<String> {
    shares.iter().map(|share| STANDARD.encode(share.expose())).collect()
}
