use std::sync::Arc;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_engine_api::{Arbitrary, Call, Response, Routes, Verb};
use core_identity::Token;
use core_pipeline::{Session, WrappedRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::System;
use crate::scope::{Scope, session};

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Write, "wrapping/wrap", wrap)
        .summary("Wrap what is sent: the answer is a token that opens it once.");
    for verb in [Verb::Read, Verb::Write] {
        table
            .on(verb, "wrapping/lookup", lookup)
            .open()
            .summary("Say what a wrapping token is about, without opening it.");
    }
    table
        .on(Verb::Write, "wrapping/rewrap", rewrap)
        .summary("Put what a wrapping token holds under a new one.");
    table
        .on(Verb::Write, "wrapping/unwrap", unwrap)
        .open()
        .summary("Open what a wrapping token holds. It can be done once.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Wrapping {
    /// The wrapping token; left out, the caller's own token is meant.
    token: Secret<String>,
}

#[derive(Serialize)]
struct About {
    creation_path: String,
    creation_time: Timestamp,
    creation_ttl: Ttl,
}

/// The pipeline wraps the answer, as it would any other.
async fn wrap(_: Arc<System>, call: Call, _: Arbitrary) -> Result<Response> {
    if call.wrap_ttl.is_none() {
        return Err(Error::invalid("endpoint requires response wrapping to be used"));
    }
    let data = match call.body.to_json() {
        Some(data) => data,
        None => RawValue::from_string("{}".to_owned()).map_err(Error::internal)?,
    };
    Ok(Response { data: Some(data), ..Response::default() })
}

async fn lookup(system: Arc<System>, call: Call, request: Wrapping) -> Result<Response> {
    let scope = system.scope(&call)?;
    let token = scope.wrapping_token(&call, &request.token).await?;
    let WrappedRecord { creation_path, creation_time, creation_ttl, .. } =
        scope.core.wrapped(&token).await?;
    Response::data(&About { creation_path, creation_time, creation_ttl })
}

/// The new token is made before the old one ends, so that a crash between the two loses nothing.
async fn rewrap(system: Arc<System>, call: Call, request: Wrapping) -> Result<Response> {
    let scope = system.scope(&call)?;
    let token = scope.wrapping_token(&call, &request.token).await?;
    let record = scope.core.wrapped(&token).await?;
    let ttl = record.creation_ttl;
    let record = WrappedRecord { creation_time: scope.core.clock.now(), ..record };
    let wrap = scope.core.wrap(&scope.namespace, ttl, record).await?;
    if let Err(error) = scope.core.unwrap(&token).await {
        // Somebody else was quicker: what they got must not exist twice.
        scope.core.revoke_token(&scope.core.tokens.id(wrap.token.expose())?).await?;
        return Err(error);
    }
    Ok(Response { wrap: Some(wrap), ..Response::default() })
}

/// The path is open since a wrapping token in the body would be enough to become its holder; who
/// sends a token of their own is held to its policies.
async fn unwrap(system: Arc<System>, call: Call, request: Wrapping) -> Result<Response> {
    let scope = system.scope(&call)?;
    let session = session(&call);
    if session.is_none() && !request.token.expose().is_empty() {
        return Err(
            Error::denied().because("a token in the body, and none that is good in the header")
        );
    }
    if session.is_some_and(|session| !may_unwrap(&scope, &session)) {
        return Err(
            Error::denied().because("its policies do not grant update on sys/wrapping/unwrap")
        );
    }
    let token = scope.wrapping_token(&call, &request.token).await?;
    let record = scope.core.unwrap(&token).await?;
    Ok(Response::raw("application/json", record.response))
}

fn may_unwrap(scope: &Scope, session: &Session) -> bool {
    let capabilities = session.acl.capabilities(&scope.full_path("sys/wrapping/unwrap"));
    capabilities.iter().any(|name| matches!(*name, "root" | "update"))
}

impl Scope {
    /// The wrapping token that is meant. One of another namespace is none.
    ///
    /// # Errors
    /// `Invalid` for a token that wraps nothing, or nothing any more.
    async fn wrapping_token(&self, call: &Call, text: &Secret<String>) -> Result<Arc<Token>> {
        let gone = || Error::invalid("wrapping token is not valid or does not exist");
        let own = session(call).map(|session| session.token.clone());
        let token = match own {
            own if text.expose().is_empty() => own.ok_or_else(gone)?,
            Some(own) if self.core.tokens.id(text.expose())? == own.id => own,
            _ => self.core.wrapping_token(text).await?,
        };
        if &token.namespace == self.namespace.id() { Ok(token) } else { Err(gone()) }
    }
}
