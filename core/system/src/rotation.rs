use std::sync::Arc;

use base_crypto::hex;
use base_types::{Error, Result, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core_engine_api::{Call, Response, Routes, Verb};
use core_seal::{
    RekeyOptions, RekeyStatus, RekeyStep, RekeyTarget, Seals, Share, Split, VerifyStatus,
    VerifyStep, parse_share, refuse_pgp_keys,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    root_key(table);
    recovery_key(table);
}

/// <https://openbao.org/api-docs/system/rotate/>
macro_rules! ceremony {
    ($name:ident, $folder:literal, $target:expr, $keys:literal) => {
        fn $name(table: &mut Routes<System>) {
            table
                .on(Verb::Read, concat!($folder, "/init"), |system, call, ()| {
                    show(system, call, $target)
                })
                .summary(concat!("Show how far the replacement of the ", $keys, " is."));
            table
                .on(Verb::Write, concat!($folder, "/init"), |system, call, start| {
                    begin(system, call, start, $target)
                })
                .sudo()
                .summary(concat!("Begin to replace the ", $keys, "."));
            table
                .on(Verb::Delete, concat!($folder, "/init"), |system, call, ()| {
                    cancel(system, call, $target)
                })
                .sudo()
                .summary(concat!("Give up replacing the ", $keys, "."));
            table
                .on(Verb::Write, concat!($folder, "/update"), |system, call, part| {
                    update(system, call, part, $target)
                })
                .sudo()
                .summary("Bring a share of the present key.");
            table
                .on(Verb::Read, concat!($folder, "/verify"), |system, call, ()| {
                    show_verification(system, call, $target)
                })
                .summary("Show how far the check of the new shares is.");
            table
                .on(Verb::Write, concat!($folder, "/verify"), |system, call, part| {
                    verify(system, call, part, $target)
                })
                .sudo()
                .summary("Bring a share of the new key.");
            table
                .on(Verb::Delete, concat!($folder, "/verify"), |system, call, ()| {
                    restart_verification(system, call, $target)
                })
                .sudo()
                .summary("Begin the check of the new shares anew.");
            table.on(Verb::Read, concat!($folder, "/backup"), show_backup).summary(concat!(
                "Show the ",
                $keys,
                " that were backed up."
            ));
            table
                .on(Verb::Delete, concat!($folder, "/backup"), delete_backup)
                .sudo()
                .summary(concat!("Delete the ", $keys, " that were backed up."));
        }
    };
}

ceremony!(root_key, "rotate/root", RekeyTarget::Root, "unseal keys");
ceremony!(recovery_key, "rotate/recovery", RekeyTarget::Recovery, "recovery keys");

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Start {
    /// Into how many shares the new key is split, 1 to 255.
    secret_shares: u64,
    /// How many of them make the key.
    secret_threshold: u64,
    /// The new keys come into force only when their shares have been shown once.
    require_verification: bool,
    /// Must be empty: shares are not encrypted.
    pgp_keys: Vec<String>,
    /// Must be false: only encrypted shares are backed up.
    backup: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Part {
    /// A share, in hexadecimal or base64.
    pub(crate) key: Secret<String>,
    /// The nonce of the operation.
    pub(crate) nonce: String,
}

/// What nobody has begun has no nonce.
#[derive(Serialize)]
struct Idle {
    n: u8,
    required: u8,
    started: bool,
    t: u8,
}

#[derive(Serialize)]
struct Progress<'a> {
    n: u8,
    nonce: &'a str,
    progress: u8,
    required: u8,
    started: bool,
    t: u8,
    verification_nonce: &'a str,
    verification_required: bool,
}

#[derive(Serialize)]
struct Done<'a> {
    backup: bool,
    complete: bool,
    keys: Vec<String>,
    keys_base64: Vec<String>,
    nonce: &'a str,
    pgp_fingerprints: Option<()>,
    verification_nonce: &'a str,
    verification_required: bool,
}

#[derive(Serialize)]
struct Verification<'a> {
    n: u8,
    nonce: &'a str,
    progress: u8,
    started: bool,
    t: u8,
}

#[derive(Serialize)]
struct Verified<'a> {
    complete: bool,
    nonce: &'a str,
}

impl Part {
    /// # Errors
    /// `Invalid` with the text `missing` if there is none, or if it is neither hexadecimal nor base64.
    pub(crate) fn share(&self, missing: &'static str) -> Result<Share> {
        if self.key.expose().is_empty() {
            return Err(Error::invalid(missing));
        }
        parse_share(self.key.expose())
    }
}

const KEY_MISSING: &str = "missing required field 'key'";

async fn show(system: Arc<System>, call: Call, target: RekeyTarget) -> Result<Response> {
    let seals = &system.server(&call)?.seals;
    if target == RekeyTarget::Recovery && !seals.status().await?.recovery_seal {
        return Err(Error::invalid("recovery keys not supported"));
    }
    answer(&seals.rekey_status(target).await?)
}

async fn begin(
    system: Arc<System>,
    call: Call,
    start: Start,
    target: RekeyTarget,
) -> Result<Response> {
    let core = system.server(&call)?;
    refuse_pgp_keys(start.pgp_keys.iter().map(String::as_str))?;
    if start.backup {
        return Err(Error::invalid(
            "only keys that are encrypted with PGP are backed up, and none are",
        ));
    }
    let split = Split::new(start.secret_shares, start.secret_threshold)
        .map_err(|error| error.at("invalid rotate seal configuration"))?;
    let require_verification = start.require_verification;
    let options = RekeyOptions { target, split, require_verification };
    answer(&core.seals.rekey_start(options).await?)
}

async fn cancel(system: Arc<System>, call: Call, target: RekeyTarget) -> Result<Response> {
    system.server(&call)?.seals.rekey_cancel(target);
    Ok(Response::none())
}

async fn update(
    system: Arc<System>,
    call: Call,
    part: Part,
    target: RekeyTarget,
) -> Result<Response> {
    let core = system.server(&call)?;
    match core.rekey(target, &part.nonce, part.share(KEY_MISSING)?).await? {
        RekeyStep::Continue(status) => answer(&status),
        RekeyStep::Commit { nonce, key_shares, .. } => done(&nonce, &key_shares, ""),
        RekeyStep::Verify { nonce, key_shares, verification_nonce } => {
            done(&nonce, &key_shares, &verification_nonce)
        }
    }
}

async fn show_verification(
    system: Arc<System>,
    call: Call,
    target: RekeyTarget,
) -> Result<Response> {
    let seals = &system.server(&call)?.seals;
    let status = started(seals, target).await?;
    if status.verification_nonce.is_empty() {
        let RekeyStatus { shares: n, threshold: t, .. } = status;
        return Response::data(&Verification { n, nonce: "", progress: 0, started: false, t });
    }
    verification(&seals.rekey_verify_status(target)?)
}

async fn restart_verification(
    system: Arc<System>,
    call: Call,
    target: RekeyTarget,
) -> Result<Response> {
    let seals = &system.server(&call)?.seals;
    started(seals, target).await?;
    verification(&seals.rekey_verify_restart(target)?)
}

async fn started(seals: &Seals, target: RekeyTarget) -> Result<RekeyStatus> {
    let status = seals.rekey_status(target).await?;
    if status.started {
        return Ok(status);
    }
    Err(Error::invalid("no rotation configuration found"))
}

async fn verify(
    system: Arc<System>,
    call: Call,
    part: Part,
    target: RekeyTarget,
) -> Result<Response> {
    let core = system.server(&call)?;
    match core.rekey_verify(target, &part.nonce, part.share(KEY_MISSING)?).await? {
        VerifyStep::Continue(status) => verification(&status),
        VerifyStep::Commit { nonce, .. } => {
            Response::data(&Verified { complete: true, nonce: &nonce })
        }
    }
}

/// Only shares that are encrypted with PGP would be backed up, and none are.
async fn show_backup(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?;
    Err(Error::invalid("no backed-up keys found"))
}

async fn delete_backup(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?;
    Ok(Response::none())
}

fn answer(status: &RekeyStatus) -> Result<Response> {
    let RekeyStatus { threshold, shares, progress, required, verification_required, .. } = *status;
    if !status.started {
        return Response::data(&Idle { n: 0, required, started: false, t: 0 });
    }
    Response::data(&Progress {
        n: shares,
        nonce: &status.nonce,
        progress,
        required,
        started: true,
        t: threshold,
        verification_nonce: &status.verification_nonce,
        verification_required,
    })
}

fn done(nonce: &str, shares: &[Share], verification_nonce: &str) -> Result<Response> {
    Response::data(&Done {
        backup: false,
        complete: true,
        keys: shares.iter().map(|share| hex(share.expose())).collect(),
        keys_base64: shares.iter().map(|share| STANDARD.encode(share.expose())).collect(),
        nonce,
        pgp_fingerprints: None,
        verification_nonce,
        verification_required: !verification_nonce.is_empty(),
    })
}

fn verification(status: &VerifyStatus) -> Result<Response> {
    Response::data(&Verification {
        n: status.shares,
        nonce: &status.nonce,
        progress: status.progress,
        started: status.started,
        t: status.threshold,
    })
}
