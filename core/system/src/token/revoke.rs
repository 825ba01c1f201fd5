use std::sync::Arc;
use std::sync::atomic::Ordering;

use base_types::{Error, Result, Secret};
use core_engine_api::{Call, Response, Routes, Verb};
use core_identity::{Kind, Token};
use core_pipeline::Core;

use super::{ByAccessor, ByText, TokenAuth, session};

pub(super) fn routes(table: &mut Routes<TokenAuth>) {
    table.on(Verb::Write, "revoke", by_text).summary("End a token and all that was made with it.");
    table
        .on(Verb::Write, "revoke-self", own)
        .summary("End the caller's own token and all that was made with it.");
    table
        .on(Verb::Write, "revoke-accessor", by_accessor)
        .summary("End a token and all that was made with it, by its accessor.");
    table
        .on(Verb::Write, "revoke-orphan", and_orphan)
        .summary("End a token and let those made with it live on without a parent.");
    table.on(Verb::Write, "tidy", tidy).summary("Remove what is left of tokens that are gone.");
}

async fn by_text(engine: Arc<TokenAuth>, _: Call, request: ByText) -> Result<Response> {
    let core = engine.core()?;
    match engine.revocable(&core, request.required()?).await? {
        Some(token) => revoke(&core, &token).await,
        None => Ok(Response::none()),
    }
}

async fn own(engine: Arc<TokenAuth>, call: Call, (): ()) -> Result<Response> {
    revoke(&*engine.core()?, &session(&call)?.token).await
}

async fn by_accessor(engine: Arc<TokenAuth>, _: Call, request: ByAccessor) -> Result<Response> {
    let core = engine.core()?;
    match engine.by_accessor(&core, &request.accessor).await? {
        Some(token) => revoke(&core, &token).await,
        None => Ok(Response::none().warn("No token found with this accessor")),
    }
}

async fn and_orphan(engine: Arc<TokenAuth>, call: Call, request: ByText) -> Result<Response> {
    if !session(&call)?.has_sudo(&engine.full_path("revoke-orphan")) {
        return Err(Error::invalid("root or sudo privileges required to revoke and orphan"));
    }
    let core = engine.core()?;
    let token = engine.revocable(&core, request.required()?).await?;
    let token = token.ok_or_else(|| Error::invalid("token to revoke not found"))?;
    check_service(&token)?;
    core.revoke_orphan(&token.id).await?;
    Ok(Response::none())
}

impl TokenAuth {
    /// The token with this text, which this namespace may end.
    async fn revocable(&self, core: &Core, text: &Secret<String>) -> Result<Option<Arc<Token>>> {
        let Some(token) = self.token(core, text).await? else { return Ok(None) };
        if !self.reaches(core, &token) {
            return Err(Error::invalid("cannot revoke a token across namespaces"));
        }
        Ok(Some(token))
    }
}

async fn revoke(core: &Core, token: &Token) -> Result<Response> {
    check_service(token)?;
    core.revoke_token(&token.id).await?;
    Ok(Response::none())
}

fn check_service(token: &Token) -> Result<()> {
    match token.kind {
        Kind::Batch => Err(Error::invalid("batch tokens cannot be revoked")),
        Kind::Service => Ok(()),
    }
}

async fn tidy(engine: Arc<TokenAuth>, _: Call, (): ()) -> Result<Response> {
    let core = engine.core()?;
    let namespace = engine.namespace(&core)?;
    if engine.tidying.swap(true, Ordering::SeqCst) {
        return Ok(Response::accepted("Tidy operation already in progress."));
    }
    let tidying = engine.tidying.clone();
    core.clone().spawn(async move {
        let _done = Done(tidying);
        match core.tokens.tidy(namespace.id()).await {
            Ok(removed) => tracing::info!(removed, "token tidy finished"),
            Err(error) => tracing::warn!(error = %error.log(), "token tidy failed"),
        }
    });
    Ok(Response::accepted(
        "Tidy operation successfully started. Any information from the operation will be printed to Strongroom's server logs.",
    ))
}

/// Says that a tidy has ended, also when sealing cut it short.
struct Done(Arc<std::sync::atomic::AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
