use std::sync::Arc;

use base_types::{Cidr, Error, Name, Result, Ttl};
use core_engine_api::{Call, Response, Routes, Verb, deprecated, parse_cidrs};
use core_identity::{RoleTokenType, TokenRole};
use serde::Serialize;

use super::TokenAuth;
use super::policies::canonical;

pub(super) fn routes(table: &mut Routes<TokenAuth>) {
    table.on(Verb::List, "roles", list).summary("List the token roles.");
    table.on(Verb::Read, "roles/{role_name}", read).summary("Read a token role.");
    table.on(Verb::Write, "roles/{role_name}", write).summary("Create or change a token role.");
    table.on(Verb::Delete, "roles/{role_name}", delete).summary("Delete a token role.");
    table.exists("roles/{role_name}", exists);
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct ByName {
    /// The name of the role.
    role_name: String,
}

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct WriteRole {
    /// The name of the role.
    role_name: String,
    /// The aliases that `entity_alias` can name; `*` stands for any text.
    allowed_entity_aliases: Option<Vec<String>>,
    /// The policies that a token can have, whatever its parent's are.
    allowed_policies: Option<Vec<String>>,
    /// The same with `*` for any text.
    allowed_policies_glob: Option<Vec<String>>,
    /// The old name of `token_bound_cidrs`.
    bound_cidrs: Option<Vec<String>>,
    /// The policies that a token cannot have.
    disallowed_policies: Option<Vec<String>>,
    /// The same with `*` for any text.
    disallowed_policies_glob: Option<Vec<String>>,
    /// The old name of `token_explicit_max_ttl`.
    explicit_max_ttl: Option<Ttl>,
    /// Tokens have no parent.
    orphan: Option<bool>,
    /// The last part of the path that tokens are made at, to revoke them together.
    path_suffix: Option<String>,
    /// The old name of `token_period`.
    period: Option<Ttl>,
    /// Tokens can be renewed.
    renewable: Option<bool>,
    /// The blocks of IP addresses from which a token can be used.
    token_bound_cidrs: Option<Vec<String>>,
    /// The longest that a token can live, whatever the limits are when it is renewed.
    token_explicit_max_ttl: Option<Ttl>,
    /// Do not add the policy `default`.
    token_no_default_policy: Option<bool>,
    /// How often a token can be used; zero is unlimited.
    token_num_uses: Option<i64>,
    /// Tokens live on as long as they are renewed within this time.
    token_period: Option<Ttl>,
    /// Bind each token to the address that asked for it.
    token_strictly_bind_ip: Option<bool>,
    /// `service`, `batch`, or `default-service` and `default-batch`, which a request can change.
    token_type: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    allowed_entity_aliases: Option<&'a [String]>,
    allowed_policies: &'a [String],
    allowed_policies_glob: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_cidrs: Option<&'a [Cidr]>,
    disallowed_policies: &'a [String],
    disallowed_policies_glob: &'a [String],
    explicit_max_ttl: Ttl,
    name: &'a str,
    orphan: bool,
    path_suffix: &'a str,
    period: Ttl,
    renewable: bool,
    #[serde(skip_serializing_if = "<[Cidr]>::is_empty")]
    token_bound_cidrs: &'a [Cidr],
    token_explicit_max_ttl: Ttl,
    token_no_default_policy: bool,
    #[serde(skip_serializing_if = "is_zero")]
    token_num_uses: u64,
    token_period: Ttl,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    token_strictly_bind_ip: bool,
    token_type: RoleTokenType,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

async fn list(engine: Arc<TokenAuth>, _: Call, (): ()) -> Result<Response> {
    let core = engine.core()?;
    Response::keys(core.tokens.roles(engine.namespace(&core)?.id()).await?)
}

async fn exists(engine: Arc<TokenAuth>, request: ByName) -> Result<bool> {
    Ok(engine.role(&request.role_name).await?.is_some())
}

async fn read(engine: Arc<TokenAuth>, _: Call, request: ByName) -> Result<Response> {
    let role = engine.role(&request.role_name).await?.ok_or_else(|| Error::not_found(""))?;
    let TokenRole { deprecated, .. } = role;
    let old = |shown: bool, ttl: Ttl| if shown { ttl } else { Ttl::ZERO };
    Response::data(&Shown {
        allowed_entity_aliases: role.allowed_entity_aliases.as_deref(),
        allowed_policies: &role.allowed_policies,
        allowed_policies_glob: &role.allowed_policies_glob,
        bound_cidrs: deprecated.bound_cidrs.then_some(&role.token_bound_cidrs),
        disallowed_policies: &role.disallowed_policies,
        disallowed_policies_glob: &role.disallowed_policies_glob,
        explicit_max_ttl: old(deprecated.explicit_max_ttl, role.token_explicit_max_ttl),
        name: &role.name,
        orphan: role.orphan,
        path_suffix: &role.path_suffix,
        period: old(deprecated.period, role.token_period),
        renewable: role.renewable,
        token_bound_cidrs: &role.token_bound_cidrs,
        token_explicit_max_ttl: role.token_explicit_max_ttl,
        token_no_default_policy: role.token_no_default_policy,
        token_num_uses: role.token_num_uses,
        token_period: role.token_period,
        token_strictly_bind_ip: role.token_strictly_bind_ip,
        token_type: role.token_type,
    })
}

async fn write(engine: Arc<TokenAuth>, _: Call, mut request: WriteRole) -> Result<Response> {
    let core = engine.core()?;
    let name = Name::parse(&request.role_name)?;
    let namespace = engine.namespace(&core)?;
    let stored = core.tokens.role(namespace.id(), &name).await?;
    let mut role =
        stored.unwrap_or_else(|| TokenRole { name: name.to_string(), ..TokenRole::default() });
    let warnings = prefer_new_names(&mut request);
    apply(&mut role, request)?;
    check(&role)?;
    core.tokens.write_role(namespace.id(), &name, &role).await?;
    Ok(Response { warnings, ..Response::none() })
}

async fn delete(engine: Arc<TokenAuth>, _: Call, request: ByName) -> Result<Response> {
    let core = engine.core()?;
    core.tokens
        .delete_role(engine.namespace(&core)?.id(), &Name::parse(&request.role_name)?)
        .await?;
    Ok(Response::none())
}

impl TokenAuth {
    async fn role(&self, name: &str) -> Result<Option<TokenRole>> {
        let core = self.core()?;
        core.tokens.role(self.namespace(&core)?.id(), &Name::parse(name)?).await
    }
}

/// Drops what is given under its old name too, with a warning for each.
fn prefer_new_names(request: &mut WriteRole) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut drop_old = |new: bool, old: bool, name: &str| {
        if new && old {
            warnings.push(format!(
                "Both 'token_{name}' and deprecated '{name}' value supplied, ignoring the \
                 deprecated value"
            ));
        }
        new && old
    };
    if drop_old(request.token_period.is_some(), request.period.is_some(), "period") {
        request.period = None;
    }
    if drop_old(request.token_bound_cidrs.is_some(), request.bound_cidrs.is_some(), "bound_cidrs") {
        request.bound_cidrs = None;
    }
    let (new, old) = (request.token_explicit_max_ttl, request.explicit_max_ttl);
    if drop_old(new.is_some(), old.is_some(), "explicit_max_ttl") {
        request.explicit_max_ttl = None;
    }
    warnings
}

fn apply(role: &mut TokenRole, mut request: WriteRole) -> Result<()> {
    let old = &mut role.deprecated;
    deprecated(&mut request.token_bound_cidrs, request.bound_cidrs, &mut old.bound_cidrs);
    deprecated(
        &mut request.token_explicit_max_ttl,
        request.explicit_max_ttl,
        &mut old.explicit_max_ttl,
    );
    deprecated(&mut request.token_period, request.period, &mut old.period);
    for (list, given) in [
        (&mut role.allowed_policies, request.allowed_policies),
        (&mut role.allowed_policies_glob, request.allowed_policies_glob),
        (&mut role.disallowed_policies, request.disallowed_policies),
        (&mut role.disallowed_policies_glob, request.disallowed_policies_glob),
    ] {
        if let Some(given) = given {
            *list = canonical(&given)?.into_iter().collect();
        }
    }
    if let Some(aliases) = request.allowed_entity_aliases {
        role.allowed_entity_aliases = Some(canonical(&aliases)?.into_iter().collect());
    }
    if let Some(cidrs) = request.token_bound_cidrs {
        role.token_bound_cidrs =
            parse_cidrs(&cidrs).map_err(|error| error.at("error parsing bound_cidrs"))?;
    }
    if let Some(uses) = request.token_num_uses {
        let fault = "error parsing role fields: 'token_num_uses' cannot be negative";
        role.token_num_uses = u64::try_from(uses).map_err(|_| Error::invalid(fault))?;
    }
    if let Some(kind) = request.token_type {
        role.token_type = token_type(&kind)?;
    }
    if let Some(suffix) = request.path_suffix {
        role.path_suffix = path_suffix(suffix)?;
    }
    set(&mut role.orphan, request.orphan);
    set(&mut role.renewable, request.renewable);
    set(&mut role.token_explicit_max_ttl, request.token_explicit_max_ttl);
    set(&mut role.token_no_default_policy, request.token_no_default_policy);
    set(&mut role.token_period, request.token_period);
    set(&mut role.token_strictly_bind_ip, request.token_strictly_bind_ip);
    Ok(())
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn token_type(name: &str) -> Result<RoleTokenType> {
    match name {
        "batch" => Ok(RoleTokenType::Batch),
        "default-batch" => Ok(RoleTokenType::DefaultBatch),
        "" | "default-service" => Ok(RoleTokenType::DefaultService),
        "service" => Ok(RoleTokenType::Service),
        _ => Err(Error::invalid(format!("invalid 'token_type' value {name:?}"))),
    }
}

/// Three or more letters, digits and underscores; hyphens and dots between them.
fn path_suffix(suffix: String) -> Result<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fits = suffix.len() >= 3
        && suffix.starts_with(word)
        && suffix.ends_with(word)
        && suffix.chars().all(|c| word(c) || matches!(c, '-' | '.'));
    if suffix.is_empty() || fits {
        return Ok(suffix);
    }
    Err(Error::invalid(
        "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w",
    ))
}

fn check(role: &TokenRole) -> Result<()> {
    if role.token_type != RoleTokenType::Batch {
        return Ok(());
    }
    let what = if role.renewable {
        "renewable tokens"
    } else if !role.orphan {
        "non-orphan tokens"
    } else if !role.token_period.is_zero() {
        "periodic tokens"
    } else if !role.token_explicit_max_ttl.is_zero() {
        "tokens with an explicit max TTL"
    } else if role.token_num_uses != 0 {
        "tokens with limited use count"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!(
        "'token_type' cannot be 'batch' when role is set to generate {what}"
    )))
}
