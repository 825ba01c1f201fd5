use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::Session;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::System;
use crate::scope::{Scope, session};

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Write, "capabilities", of_token).summary("What a token may do at some paths.");
    table
        .on(Verb::Write, "capabilities-accessor", of_accessor)
        .summary("What the token with an accessor may do at some paths.");
    table
        .on(Verb::Write, "capabilities-self", of_caller)
        .summary("What the caller may do at some paths.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct OfToken {
    /// The token.
    token: Secret<String>,
    /// The paths.
    paths: Vec<String>,
    /// The old name of `paths`.
    path: Vec<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct OfAccessor {
    /// The accessor of the token.
    accessor: String,
    /// The paths.
    paths: Vec<String>,
    /// The old name of `paths`.
    path: Vec<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct OfCaller {
    /// The caller's own token is meant, whatever this says.
    token: Secret<String>,
    /// The paths.
    paths: Vec<String>,
    /// The old name of `paths`.
    path: Vec<String>,
}

async fn of_token(system: Arc<System>, call: Call, request: OfToken) -> Result<Response> {
    let scope = system.scope(&call)?;
    let OfToken { token, paths, path } = request;
    let paths = chosen(paths, path)?;
    if token.expose().is_empty() {
        return Err(Error::invalid("no token found"));
    }
    let session = scope.session_of_token(&token).await?;
    answer(&scope, &session, &paths)
}

async fn of_accessor(system: Arc<System>, call: Call, request: OfAccessor) -> Result<Response> {
    let scope = system.scope(&call)?;
    let OfAccessor { accessor, paths, path } = request;
    if accessor.is_empty() {
        return Err(Error::invalid("missing accessor"));
    }
    let paths = chosen(paths, path)?;
    let session = scope.session_of_accessor(&accessor).await?;
    answer(&scope, &session, &paths)
}

async fn of_caller(system: Arc<System>, call: Call, request: OfCaller) -> Result<Response> {
    let scope = system.scope(&call)?;
    let paths = chosen(request.paths, request.path)?;
    let session = session(&call).ok_or_else(Error::denied)?;
    answer(&scope, &session, &paths)
}

impl Scope {
    /// What a token amounts to that is good in this namespace.
    ///
    /// # Errors
    /// `Invalid` for any other token.
    pub(crate) async fn session_of_token(&self, text: &Secret<String>) -> Result<Session> {
        let token = self.core.tokens.authenticate(text.expose()).await?;
        let token = token.ok_or_else(|| Error::invalid("invalid token"))?;
        let session = self.core.session(token).await?;
        if session.namespace.path.contains(&self.namespace.path) {
            Ok(session)
        } else {
            Err(Error::invalid("invalid token"))
        }
    }

    /// What the token with this accessor amounts to, if it belongs to this namespace.
    ///
    /// # Errors
    /// `Invalid` for any other accessor.
    pub(crate) async fn session_of_accessor(&self, accessor: &str) -> Result<Session> {
        let token = self.core.tokens.by_accessor(self.id(), accessor).await?;
        self.core.session(token.ok_or_else(|| Error::invalid("invalid accessor"))?).await
    }
}

fn chosen(paths: Vec<String>, path: Vec<String>) -> Result<Vec<String>> {
    match (paths.is_empty(), path.is_empty()) {
        (true, true) => Err(Error::invalid("paths must be supplied")),
        (false, _) => Ok(paths),
        (true, false) => Ok(path),
    }
}

fn answer(scope: &Scope, session: &Session, paths: &[String]) -> Result<Response> {
    let capabilities = |path: &String| session.acl.capabilities(&scope.full_path(path));
    let mut found: BTreeMap<&str, Vec<&'static str>> =
        paths.iter().map(|path| (path.as_str(), capabilities(path))).collect();
    if let [path] = paths {
        found.insert("capabilities", capabilities(path));
    }
    Response::data(&found)
}
