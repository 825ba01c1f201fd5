use std::sync::Arc;

use base_types::{Error, Result, Secret};
use bytes::Bytes;
use core_engine_api::{Body, Verb};
use core_pipeline::{Core, GeneratedRoot, Peer, TOKEN_LENGTH};
use core_policy::{Operation, Parameters};
use core_seal::{GenerateRootStatus, refuse_pgp_keys};
use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use crate::{HttpResponse, render};

/// Who asks for one of the operations that shares authorise.
pub(crate) struct Asking<'a> {
    pub(crate) core: &'a Arc<Core>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) peer: &'a Peer,
    pub(crate) verb: Verb,
    /// Below `sys/`.
    pub(crate) path: &'a str,
    pub(crate) body: &'a Bytes,
}

impl Asking<'_> {
    /// Where a listener does not offer these paths to everybody, they take a token whose policies
    /// grant what is asked, with sudo, and do not exist for others.
    pub(crate) async fn check_may_begin(&self, open: bool) -> Result<()> {
        if open {
            Ok(())
        } else if self.core.is_sealed() {
            Err(Error::sealed())
        } else if self.is_granted().await? {
            Ok(())
        } else {
            Err(Error::unsupported())
        }
    }

    /// There is a good token, and its policies grant what is asked, with sudo.
    async fn is_granted(&self) -> Result<bool> {
        let Some(text) = crate::incoming::token(self.headers)? else { return Ok(false) };
        if self.core.is_sealed() {
            return Ok(false);
        }
        let token = self.core.tokens.authenticate(text.expose()).await?;
        let address = self.peer.remote.map(|remote| remote.ip());
        let Some(token) = token.filter(|token| token.admits(address)) else { return Ok(false) };
        let session = self.core.session(token).await?;
        let path = format!("sys/{}", self.path);
        let parameters = || Parameters::from_json(self.body);
        let asked = core_policy::Request {
            parameters: &parameters,
            sudo_required: true,
            ..core_policy::Request::new(operation(self.verb), &path)
        };
        Ok(session.acl.decide(&asked).is_granted())
    }
}

/// There is nothing here that a write could create.
fn operation(verb: Verb) -> Operation {
    match verb {
        Verb::Delete => Operation::Delete,
        Verb::List => Operation::List,
        Verb::Patch => Operation::Patch,
        Verb::Read => Operation::Read,
        Verb::Scan => Operation::Scan,
        Verb::Write => Operation::Update,
    }
}

/// Ending an operation takes its nonce, so that nobody ends another one than they know of, or a token
/// that may delete with sudo (CVE-2025-4656). The status shows the nonce, as clients need it: what keeps strangers
/// away is a listener that asks for a token, as all do unless told otherwise (CVE-2025-52894,
/// CVE-2026-5807).
pub(crate) async fn check_may_cancel(asking: &Asking<'_>, given: &str, nonce: &str) -> Result<()> {
    let is_known = base_crypto::constant_time_eq(given.as_bytes(), nonce.as_bytes());
    if nonce.is_empty() || is_known || asking.is_granted().await? {
        return Ok(());
    }
    Err(Error::invalid(
        "the nonce of the operation in progress, or a token with delete and sudo on this path, is required to cancel it",
    ))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Share {
    key: Option<Secret<String>>,
    nonce: String,
    otp: Option<Secret<String>>,
    pgp_key: String,
}

/// <https://openbao.org/api-docs/system/generate-root/>
#[derive(Default, Serialize)]
struct Attempt<'a> {
    nonce: &'a str,
    started: bool,
    progress: u8,
    required: u8,
    complete: bool,
    encoded_token: &'a str,
    encoded_root_token: &'a str,
    pgp_fingerprint: &'static str,
    otp: &'a str,
    otp_length: usize,
}

pub(crate) async fn generate_root(
    asking: &Asking<'_>,
    method: &Method,
    body: &Body,
) -> Result<HttpResponse> {
    let Asking { core, path, .. } = *asking;
    let request: Share = body.read()?;
    match (path, method.as_str()) {
        ("generate-root/attempt", "GET") => {
            let status = core.seals.generate_root_status().await?;
            attempt(&status, "")
        }
        ("generate-root/attempt", "PUT" | "POST") => {
            if core.is_sealed() {
                return Err(Error::sealed());
            }
            refuse_pgp_keys(Some(request.pgp_key.as_str()))?;
            let otp = request.otp.filter(|otp| !otp.expose().is_empty());
            let (status, otp) = core.seals.generate_root_start(otp, TOKEN_LENGTH).await?;
            attempt(&status, otp.expose())
        }
        ("generate-root/attempt", "DELETE") => {
            let nonce = core.seals.generate_root_status().await?.nonce;
            check_may_cancel(asking, &request.nonce, &nonce).await?;
            core.seals.generate_root_cancel();
            Ok(render::empty())
        }
        ("generate-root/update", "PUT" | "POST") => {
            let key = request
                .key
                .ok_or_else(|| Error::invalid("'key' must be specified in request body as JSON"))?;
            match core.generate_root(&request.nonce, core_seal::parse_share(key.expose())?).await? {
                GeneratedRoot::Continue(status) => attempt(&status, ""),
                GeneratedRoot::Done { nonce, required, encoded } => render::data(&Attempt {
                    nonce: &nonce,
                    started: true,
                    progress: required,
                    required,
                    complete: true,
                    encoded_token: &encoded,
                    encoded_root_token: &encoded,
                    ..Attempt::default()
                }),
            }
        }
        _ => Err(Error::unsupported()),
    }
}

fn attempt(status: &GenerateRootStatus, otp: &str) -> Result<HttpResponse> {
    render::data(&Attempt {
        nonce: &status.nonce,
        started: status.started,
        progress: status.progress,
        required: status.required,
        otp,
        otp_length: TOKEN_LENGTH,
        ..Attempt::default()
    })
}
