use std::sync::Arc;

use base_types::{Error, Name, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::fields::plain_or_base64;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::List, "policies/password", list)
        .summary("List the password policies of the namespace.");
    table.on(Verb::Read, "policies/password/{name}", read).summary("Show a password policy.");
    table
        .on(Verb::Write, "policies/password/{name}", write)
        .summary("Create or replace a password policy.");
    table.on(Verb::Delete, "policies/password/{name}", delete).summary("Delete a password policy.");
    table
        .on(Verb::Read, "policies/password/{name}/generate", generate)
        .summary("Generate a password by a policy.");
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    /// The name of the password policy; case does not matter.
    name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Write {
    /// The name of the password policy; case does not matter.
    name: String,
    /// The length and the character sets in HCL or JSON, as they are or base64-encoded.
    policy: String,
    /// Empty or `platform`: there is one source of randomness.
    entropy_source: String,
}

#[derive(Serialize)]
struct Shown {
    policy: String,
}

#[derive(Serialize)]
struct Generated<'a> {
    password: &'a str,
}

async fn list(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    Response::keys(scope.core.password_policies(scope.id()).await?)
}

async fn read(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let scope = system.scope(&call)?;
    let stored = scope.core.password_policy(scope.id(), &Name::parse(&request.name)?).await?;
    let stored = stored.ok_or_else(|| Error::not_found("policy does not exist"))?;
    Response::data(&Shown { policy: stored.text })
}

async fn write(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    let scope = system.scope(&call)?;
    let Write { name, policy, entropy_source } = request;
    if policy.is_empty() {
        return Err(Error::invalid("missing policy"));
    }
    if !matches!(entropy_source.as_str(), "" | "platform") {
        return Err(Error::invalid("entropy_source can only be \"platform\""));
    }
    let (name, text) = (Name::parse(&name)?, plain_or_base64(policy));
    scope.core.write_password_policy(scope.id(), &name, &text).await?;
    Ok(Response::none())
}

async fn delete(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let scope = system.scope(&call)?;
    scope.core.delete_password_policy(scope.id(), &Name::parse(&request.name)?).await?;
    Ok(Response::none())
}

async fn generate(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let scope = system.scope(&call)?;
    let password = scope.core.generate_password(scope.id(), Some(&request.name)).await?;
    Response::data(&Generated { password: password.expose() })
}
