use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, ErrorKind, Name, Result, Timestamp, Ttl};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::{PolicyRecord, PolicyUpdate};
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
        .on(Verb::Patch, "policies/acl/{name..}", patch)
        .summary("Change a part of a policy, such as when it ends.");
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

/// What may be written of a policy.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Write {
    /// The name of the policy; case does not matter.
    name: String,
    /// The rules in HCL or JSON, as they are or base64-encoded.
    policy: Option<String>,
    /// The old name of `policy`, at `sys/policy`.
    rules: String,
    /// The version that is replaced: 0, or -1, where there must be none yet.
    cas: Option<i64>,
    /// Whoever writes the policy must give `cas`.
    cas_required: Option<bool>,
    /// When the policy ends.
    expiration: Option<Timestamp>,
    /// How long from now the policy lives, instead of `expiration`.
    ttl: Option<Ttl>,
    /// Must be false: a name that holds a slash never fits a template.
    allow_slashes_in_identity_templates: bool,
    /// Must be false: a name that holds a wildcard never fits a template.
    allow_wildcards_in_identity_templates: bool,
}

/// The two forms differ in the name of the text.
#[derive(Serialize)]
struct Shown {
    allow_slashes_in_identity_templates: bool,
    allow_wildcards_in_identity_templates: bool,
    cas_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    name: String,
    #[serde(flatten)]
    text: Text,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Text {
    Policy(String),
    Rules(String),
}

impl Shown {
    fn new(stored: PolicyRecord, text: impl FnOnce(String) -> Text) -> Self {
        Self {
            allow_slashes_in_identity_templates: false,
            allow_wildcards_in_identity_templates: false,
            cas_required: stored.cas_required,
            expiration: stored.expiration,
            modified: stored.modified,
            name: stored.name,
            text: text(stored.text),
            version: stored.version,
        }
    }
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
    let (mut policies, mut warnings) = (BTreeMap::new(), Vec::new());
    for name in scope.core.policies.list(&scope.namespace).await? {
        match scope.core.policies.read(scope.id(), &Name::parse(&name)?).await {
            // It must not hide the others.
            Err(error) if error.is(ErrorKind::Corrupt) => {
                tracing::error!(policy = %name, error = %error.log(), "a policy cannot be read");
                warnings.push(error.public().to_owned());
            }
            stored => {
                policies.extend(stored?.map(|stored| (name, Shown::new(stored, Text::Policy))))
            }
        }
    }
    Ok(Response { warnings, ..Response::keys_with(policies)? })
}

async fn read(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let stored = stored(&system, &call, &request.name).await?;
    Response::data(&Shown::new(stored.ok_or_else(|| Error::not_found(""))?, Text::Policy))
}

async fn read_legacy(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let stored = stored(&system, &call, &request.name).await?;
    Response::data(&Shown::new(stored.ok_or_else(|| Error::not_found(""))?, Text::Rules))
}

async fn stored(system: &System, call: &Call, name: &str) -> Result<Option<PolicyRecord>> {
    let scope = system.scope(call)?;
    scope.core.policies.read(scope.id(), &Name::parse(named(name)?)?).await
}

async fn write(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    let now = system.core()?.clock.now();
    let update = PolicyUpdate {
        text: Some(request.text()?.unwrap_or_default()),
        cas_required: Some(request.cas_required.unwrap_or_default()),
        expiration: Some(request.end(now)?),
        cas: request.cas,
    };
    store(&system, &call, &request.name, update).await
}

async fn patch(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    if stored(&system, &call, &request.name).await?.is_none() {
        return Err(Error::invalid("policy not found"));
    }
    let now = system.core()?.clock.now();
    let update = PolicyUpdate {
        text: request.text()?,
        cas_required: request.cas_required,
        expiration: request.end(now)?.map(Some),
        cas: request.cas,
    };
    let response = store(&system, &call, &request.name, update).await?;
    Ok(Response { data: Response::data(&())?.data, ..response })
}

async fn store(system: &System, call: &Call, name: &str, update: PolicyUpdate) -> Result<Response> {
    let scope = system.scope(call)?;
    let name = Name::parse(named(name)?)?;
    let warnings = scope.core.policies.update(scope.id(), &name, update).await?;
    Ok(Response { warnings, ..Response::none() })
}

async fn write_legacy(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    if request.policy.as_ref().is_some_and(|text| !text.is_empty()) || request.rules.is_empty() {
        return write(system, call, request).await;
    }
    let request = Write { policy: Some(request.rules.clone()), ..request };
    let response = write(system, call, request).await?;
    Ok(response.warn("'rules' is deprecated, please use 'policy' instead"))
}

impl Write {
    fn text(&self) -> Result<Option<String>> {
        for (name, asked) in [
            ("allow_slashes_in_identity_templates", self.allow_slashes_in_identity_templates),
            ("allow_wildcards_in_identity_templates", self.allow_wildcards_in_identity_templates),
        ] {
            if asked {
                return Err(Error::invalid(format!(
                    "{name} is not supported: a name with such characters never fits a template"
                )));
            }
        }
        Ok(self.policy.clone().map(plain_or_base64))
    }

    /// The last instant of the policy, if it has one.
    fn end(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let fault = match (self.expiration, self.ttl.filter(|ttl| !ttl.is_zero())) {
            (Some(_), Some(_)) => "cannot supply both 'expiration' and 'ttl' for policies",
            (Some(at), None) if at <= now => {
                "refusing to update policy as expiration time has already elapsed"
            }
            (at, ttl) => return Ok(at.or(ttl.map(|ttl| now.plus(ttl)))),
        };
        Err(Error::invalid(fault))
    }
}

async fn delete(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let scope = system.scope(&call)?;
    scope.core.policies.delete(scope.id(), &Name::parse(named(&request.name)?)?).await?;
    Ok(Response::none())
}
