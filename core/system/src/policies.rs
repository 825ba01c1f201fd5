use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Name, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::fields::plain_or_base64;
use crate::scope::{Scope, named};

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::List, "policies/acl", list).summary("List the policies of the namespace.");
    table.on(Verb::Read, "policies/acl/{name..}", read).summary("Show a policy.");
    table.on(Verb::Write, "policies/acl/{name..}", write).summary("Create or replace a policy.");
    table
        .on(Verb::Delete, "policies/acl/{name..}", delete)
        .summary("Delete a policy. Tokens that have it lose what it granted.");
    table
        .on(Verb::List, "policies/detailed/acl", list_detailed)
        .summary("List the policies of the namespace with their texts.");
    for verb in [Verb::List, Verb::Read] {
        table.on(verb, "policy", list_legacy).summary("List the policies, in the old form.");
    }
    table.on(Verb::Read, "policy/{name..}", read_legacy).summary("Show a policy, in the old form.");
    table
        .on(Verb::Write, "policy/{name..}", write_legacy)
        .summary("Create or replace a policy, in the old form.");
    table.on(Verb::Delete, "policy/{name..}", delete).summary("Delete a policy.");
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    /// The name of the policy; case does not matter.
    name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Write {
    /// The name of the policy; case does not matter.
    name: String,
    /// The rules in HCL or JSON, as they are or base64-encoded.
    policy: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteLegacy {
    /// The name of the policy; case does not matter.
    name: String,
    /// The rules in HCL or JSON, as they are or base64-encoded.
    policy: String,
    /// The old name of `policy`.
    rules: String,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    policy: String,
}

#[derive(Serialize)]
struct ShownLegacy {
    name: String,
    rules: String,
}

#[derive(Serialize)]
struct Names {
    keys: Vec<String>,
    policies: Vec<String>,
}

async fn list(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    Response::keys(names(&system.scope(&call)?).await?)
}

/// Sorted, with `root`, which is no policy that one could write, at the end.
async fn names(scope: &Scope) -> Result<Vec<String>> {
    let mut names = scope.core.policies.list(&scope.namespace).await?;
    names.sort_by_key(|name| name == "root");
    Ok(names)
}

async fn list_legacy(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let policies = names(&system.scope(&call)?).await?;
    Response::data(&Names { keys: policies.clone(), policies })
}

async fn list_detailed(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut policies = BTreeMap::new();
    for name in scope.core.policies.list(&scope.namespace).await? {
        let stored = scope.core.policies.read(scope.id(), &Name::parse(&name)?).await?;
        let shown = stored.map(|stored| Shown { name: stored.name, policy: stored.text });
        policies.extend(shown.map(|shown| (name, shown)));
    }
    Response::keys_with(policies)
}

async fn read(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let shown = stored(&system, &call, &request.name).await?;
    Response::data(&shown)
}

async fn read_legacy(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let Shown { name, policy } = stored(&system, &call, &request.name).await?;
    Response::data(&ShownLegacy { name, rules: policy })
}

async fn stored(system: &System, call: &Call, name: &str) -> Result<Shown> {
    let scope = system.scope(call)?;
    let stored = scope.core.policies.read(scope.id(), &Name::parse(named(name)?)?).await?;
    let stored = stored.ok_or_else(|| Error::not_found(""))?;
    Ok(Shown { name: stored.name, policy: stored.text })
}

async fn write(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    let scope = system.scope(&call)?;
    let name = Name::parse(named(&request.name)?)?;
    let text = plain_or_base64(request.policy);
    if text.trim().is_empty() {
        return Err(Error::invalid("'policy' parameter not supplied or empty"));
    }
    let mut response = Response::none();
    response.warnings = scope.core.policies.write(scope.id(), &name, &text).await?;
    Ok(response)
}

async fn write_legacy(system: Arc<System>, call: Call, request: WriteLegacy) -> Result<Response> {
    let WriteLegacy { name, policy, rules } = request;
    if !policy.is_empty() || rules.is_empty() {
        return write(system, call, Write { name, policy }).await;
    }
    let response = write(system, call, Write { name, policy: rules }).await?;
    Ok(response.warn("'rules' is deprecated, please use 'policy' instead"))
}

async fn delete(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let scope = system.scope(&call)?;
    scope.core.policies.delete(scope.id(), &Name::parse(named(&request.name)?)?).await?;
    Ok(Response::none())
}
