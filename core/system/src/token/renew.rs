use std::sync::Arc;

use base_types::{Error, Result, Secret, Ttl};
use core_engine_api::{AuthReply, Call, Response, Routes, Verb};
use core_identity::{Kind, Token};
use core_pipeline::Core;

use super::{TokenAuth, own_text, session};

pub(super) fn routes(table: &mut Routes<TokenAuth>) {
    table.on(Verb::Write, "renew", by_text).summary("Let a token live on.");
    table.on(Verb::Write, "renew-self", own).summary("Let the caller's own token live on.");
    table
        .on(Verb::Write, "renew-accessor", by_accessor)
        .summary("Let a token live on, by its accessor.");
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct RenewByText {
    /// The token.
    #[serde(default)]
    token: Secret<String>,
    /// For how long from now; the server's limits hold.
    #[serde(default)]
    increment: Ttl,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct RenewSelf {
    /// Ignored, for clients that send it.
    #[serde(default, rename = "token")]
    _token: Secret<String>,
    /// For how long from now; the server's limits hold.
    #[serde(default)]
    increment: Ttl,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct RenewByAccessor {
    /// The accessor of the token.
    #[serde(default)]
    accessor: String,
    /// For how long from now; the server's limits hold.
    #[serde(default)]
    increment: Ttl,
}

async fn by_text(engine: Arc<TokenAuth>, _: Call, request: RenewByText) -> Result<Response> {
    if request.token.expose().is_empty() {
        return Err(Error::invalid("missing token ID"));
    }
    let core = engine.core()?;
    let token = engine.token(&core, &request.token).await?;
    let token = token.ok_or_else(|| Error::invalid("token not found"))?;
    if !engine.reaches(&core, &token) {
        return Err(Error::invalid("cannot renew a token across namespaces"));
    }
    renew(&core, &token, request.increment, Some(request.token)).await
}

async fn own(engine: Arc<TokenAuth>, call: Call, request: RenewSelf) -> Result<Response> {
    let session = session(&call)?;
    let text = own_text(&session)?;
    renew(&*engine.core()?, &session.token, request.increment, Some(text)).await
}

async fn by_accessor(
    engine: Arc<TokenAuth>,
    _: Call,
    request: RenewByAccessor,
) -> Result<Response> {
    let core = engine.core()?;
    let token = engine.by_accessor(&core, &request.accessor).await?;
    let token = token.ok_or_else(|| Error::invalid("invalid accessor"))?;
    renew(&core, &token, request.increment, None).await
}

/// The answer repeats the token only to those who showed it.
async fn renew(
    core: &Core,
    token: &Token,
    increment: Ttl,
    text: Option<Secret<String>>,
) -> Result<Response> {
    if token.kind == Kind::Batch {
        return Err(Error::invalid("batch tokens cannot be renewed"));
    }
    let mut response = Response::none();
    let token = core.renew_token(token, increment, &mut response.warnings).await?;
    let entity = match &token.entity {
        Some(id) => core.entities.read(&token.namespace, id).await?,
        None => None,
    };
    response.auth =
        Some(AuthReply { client_token: text, ..core.describe(&token, entity.as_deref()) });
    Ok(response)
}
