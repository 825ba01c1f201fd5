use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::{GeneratedRoot, TOKEN_LENGTH};
use core_seal::{GenerateRootStatus, decode_token, refuse_pgp_keys};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::rotation::Part;

/// <https://openbao.org/api-docs/system/generate-root/>
pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "generate-root-token/attempt", show)
        .summary("Show how far the making of a root token is.");
    table
        .on(Verb::Write, "generate-root-token/attempt", begin)
        .sudo()
        .summary("Begin to make a root token, which takes shares of the unseal key.");
    table
        .on(Verb::Delete, "generate-root-token/attempt", cancel)
        .sudo()
        .summary("Give up making a root token.");
    table
        .on(Verb::Write, "generate-root-token/update", update)
        .sudo()
        .summary("Bring a share of the unseal key.");
    table
        .on(Verb::Write, "decode-token", decode)
        .summary("Take the one-time pad off a token that was made with it.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Start {
    /// The one-time pad, as long as a token; made by the server if there is none.
    otp: Secret<String>,
    /// Must be empty: tokens are not encrypted with PGP.
    pgp_key: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Encoded {
    /// The token under its pad.
    encoded_token: String,
    /// The pad.
    otp: Secret<String>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoded_token: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    nonce: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    otp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otp_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pgp_fingerprint: Option<&'a str>,
    progress: u8,
    required: u8,
    started: bool,
}

#[derive(Serialize)]
struct Decoded<'a> {
    token: &'a str,
}

impl<'a> Attempt<'a> {
    /// The answer to a share; `encoded_token` is empty until the last.
    fn of_share(nonce: &'a str, progress: u8, required: u8, encoded_token: &'a str) -> Self {
        Self {
            complete: !encoded_token.is_empty(),
            encoded_token: Some(encoded_token),
            nonce,
            otp: None,
            otp_length: None,
            pgp_fingerprint: Some(""),
            progress,
            required,
            started: true,
        }
    }
}

async fn show(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    attempt(&system.server(&call)?.seals.generate_root_status().await?, "")
}

async fn begin(system: Arc<System>, call: Call, start: Start) -> Result<Response> {
    let core = system.server(&call)?;
    refuse_pgp_keys(Some(start.pgp_key.as_str()))?;
    let given = Some(start.otp).filter(|otp| !otp.expose().is_empty());
    let is_given = given.is_some();
    let (status, otp) = core.seals.generate_root_start(given, TOKEN_LENGTH).await?;
    attempt(&status, if is_given { "" } else { otp.expose() })
}

async fn cancel(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?.seals.generate_root_cancel();
    Ok(Response::none())
}

async fn update(system: Arc<System>, call: Call, part: Part) -> Result<Response> {
    let core = system.server(&call)?;
    match core.generate_root(&part.nonce, part.share("key is required")?).await? {
        GeneratedRoot::Continue(GenerateRootStatus { nonce, progress, required, .. }) => {
            Response::data(&Attempt::of_share(&nonce, progress, required, ""))
        }
        GeneratedRoot::Done { nonce, required, encoded } => {
            Response::data(&Attempt::of_share(&nonce, required, required, &encoded))
        }
    }
}

async fn decode(_: Arc<System>, _: Call, request: Encoded) -> Result<Response> {
    if request.encoded_token.is_empty() || request.otp.expose().is_empty() {
        return Err(Error::invalid("provided 'encoded_token' or 'otp' is empty"));
    }
    let token = decode_token(&request.encoded_token, &request.otp)?;
    Response::data(&Decoded { token: token.expose() })
}

fn attempt(status: &GenerateRootStatus, otp: &str) -> Result<Response> {
    Response::data(&Attempt {
        complete: false,
        encoded_token: None,
        nonce: &status.nonce,
        otp: Some(otp),
        otp_length: Some(TOKEN_LENGTH),
        pgp_fingerprint: status.started.then_some(""),
        progress: status.progress,
        required: status.required,
        started: status.started,
    })
}
