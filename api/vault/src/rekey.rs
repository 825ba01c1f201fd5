use base_types::{Error, Result, Secret};
use core_engine_api::Body;
use core_seal::{
    RekeyOptions, RekeyStatus, RekeyStep, RekeyTarget, Split, VerifyStatus, VerifyStep,
    refuse_pgp_keys,
};
use http::Method;
use serde::{Deserialize, Serialize};

use crate::ceremony::{Asking, check_may_cancel};
use crate::init::{base64_texts, hex_texts};
use crate::{HttpResponse, render};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request {
    secret_shares: u64,
    secret_threshold: u64,
    require_verification: bool,
    pgp_keys: Vec<String>,
    backup: bool,
    key: Option<Secret<String>>,
    nonce: String,
}

/// <https://openbao.org/api-docs/system/rekey/>
#[derive(Serialize)]
struct Status<'a> {
    nonce: &'a str,
    started: bool,
    t: u8,
    n: u8,
    progress: u8,
    required: u8,
    pgp_fingerprints: Option<()>,
    backup: bool,
    verification_required: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    verification_nonce: &'a str,
}

#[derive(Serialize)]
struct Done<'a> {
    nonce: &'a str,
    complete: bool,
    keys: Vec<String>,
    keys_base64: Vec<String>,
    pgp_fingerprints: Option<()>,
    backup: bool,
    verification_required: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    verification_nonce: &'a str,
}

#[derive(Serialize)]
struct Verification<'a> {
    nonce: &'a str,
    started: bool,
    t: u8,
    n: u8,
    progress: u8,
}

#[derive(Serialize)]
struct Verified<'a> {
    nonce: &'a str,
    complete: bool,
}

pub(crate) async fn rekey(
    asking: &Asking<'_>,
    method: &Method,
    body: &Body,
) -> Result<HttpResponse> {
    let Asking { core, path, .. } = *asking;
    if core.is_sealed() {
        return Err(Error::sealed());
    }
    let (target, step) = match path.split_once('/') {
        Some(("rekey-recovery-key", step)) => (RekeyTarget::Recovery, step),
        Some((_, step)) => (RekeyTarget::Root, step),
        None => return Err(Error::not_found("")),
    };
    let request: Request = body.read()?;
    let seals = &core.seals;
    match (step, method.as_str()) {
        ("init", "GET") => status(&seals.rekey_status(target).await?),
        ("init", "PUT" | "POST") => {
            refuse_pgp_keys(request.pgp_keys.iter().map(String::as_str))?;
            if request.backup {
                return Err(Error::invalid(
                    "a backup is only made of keys encrypted with PGP, which is not supported",
                ));
            }
            let split = Split::new(request.secret_shares, request.secret_threshold)?;
            let require_verification = request.require_verification;
            let options = RekeyOptions { target, split, require_verification };
            status(&seals.rekey_start(options).await?)
        }
        ("init", "DELETE") => {
            let nonce = seals.rekey_status(target).await?.nonce;
            check_may_cancel(asking, &request.nonce, &nonce).await?;
            seals.rekey_cancel(target);
            Ok(render::empty())
        }
        ("update", "PUT" | "POST") => {
            let share = share(&request)?;
            match core.rekey(target, &request.nonce, share).await? {
                RekeyStep::Continue(progress) => status(&progress),
                RekeyStep::Commit { nonce, key_shares, .. } => done(&nonce, &key_shares, ""),
                RekeyStep::Verify { nonce, key_shares, verification_nonce } => {
                    done(&nonce, &key_shares, &verification_nonce)
                }
            }
        }
        ("verify", "GET") => verification(&seals.rekey_verify_status(target)?),
        ("verify", "DELETE") => {
            let nonce = seals.rekey_verify_status(target)?.nonce;
            check_may_cancel(asking, &request.nonce, &nonce).await?;
            verification(&seals.rekey_verify_restart(target)?)
        }
        ("verify", "PUT" | "POST") => {
            match core.rekey_verify(target, &request.nonce, share(&request)?).await? {
                VerifyStep::Continue(progress) => verification(&progress),
                VerifyStep::Commit { nonce, .. } => {
                    render::data(&Verified { nonce: &nonce, complete: true })
                }
            }
        }
        ("backup" | "recovery-key-backup", "GET") => Err(Error::invalid("no backed-up keys found")),
        ("backup" | "recovery-key-backup", "DELETE") => Ok(render::empty()),
        _ => Err(Error::unsupported()),
    }
}

fn share(request: &Request) -> Result<core_seal::Share> {
    let key = request.key.as_ref();
    let key =
        key.ok_or_else(|| Error::invalid("'key' must be specified in request body as JSON"))?;
    core_seal::parse_share(key.expose())
}

fn status(status: &RekeyStatus) -> Result<HttpResponse> {
    render::data(&Status {
        nonce: &status.nonce,
        started: status.started,
        t: status.threshold,
        n: status.shares,
        progress: status.progress,
        required: status.required,
        pgp_fingerprints: None,
        backup: false,
        verification_required: status.verification_required,
        verification_nonce: &status.verification_nonce,
    })
}

fn done(
    nonce: &str,
    shares: &[core_seal::Share],
    verification_nonce: &str,
) -> Result<HttpResponse> {
    render::data(&Done {
        nonce,
        complete: true,
        keys: hex_texts(shares),
        keys_base64: base64_texts(shares),
        pgp_fingerprints: None,
        backup: false,
        verification_required: !verification_nonce.is_empty(),
        verification_nonce,
    })
}

fn verification(status: &VerifyStatus) -> Result<HttpResponse> {
    render::data(&Verification {
        nonce: &status.nonce,
        started: status.started,
        t: status.threshold,
        n: status.shares,
        progress: status.progress,
    })
}
