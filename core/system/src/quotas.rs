use std::sync::Arc;

use base_types::{Error, Name, Namespace, Result, Ttl};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::Core;
use core_quota::{Limit, Quota, QuotaConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Read, "quotas/config", read_config).summary("Show what holds for all quotas.");
    table.on(Verb::Write, "quotas/config", write_config).summary("Set what holds for all quotas.");
    table
        .on(Verb::List, "quotas/rate-limit", |system, call, (): ()| {
            list(system, call, Kind::RateLimit)
        })
        .summary("List the rate limits.");
    table
        .on(Verb::Read, "quotas/rate-limit/{name}", |system, call, request| {
            read(system, call, request, Kind::RateLimit)
        })
        .summary("Show a rate limit.");
    table.on(Verb::Write, "quotas/rate-limit/{name}", write_rate_limit).summary(
        "Limit the requests of each client to the server, a namespace, a mount or a path.",
    );
    table
        .on(Verb::Delete, "quotas/rate-limit/{name}", |system, call, request| {
            delete(system, call, request, Kind::RateLimit)
        })
        .summary("Remove a rate limit.");
    table
        .on(Verb::List, "quotas/lease-count", |system, call, (): ()| {
            list(system, call, Kind::LeaseCount)
        })
        .summary("List the limits on leases.");
    table
        .on(Verb::Read, "quotas/lease-count/{name}", |system, call, request| {
            read(system, call, request, Kind::LeaseCount)
        })
        .summary("Show a limit on leases.");
    table
        .on(Verb::Write, "quotas/lease-count/{name}", write_lease_count)
        .summary("Limit how many leases may exist in the server, a namespace, a mount or a path.");
    table
        .on(Verb::Delete, "quotas/lease-count/{name}", |system, call, request| {
            delete(system, call, request, Kind::LeaseCount)
        })
        .summary("Remove a limit on leases.");
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    LeaseCount,
    RateLimit,
}

impl Kind {
    fn of(limit: &Limit) -> Self {
        match limit {
            Limit::Leases { .. } => Self::LeaseCount,
            Limit::Requests { .. } => Self::RateLimit,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    /// The name of the quota.
    name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteConfig {
    /// Kept and shown; refused requests are audited in any case.
    enable_rate_limit_audit_logging: Option<bool>,
    /// Kept and shown; no such headers are sent.
    enable_rate_limit_response_headers: Option<bool>,
    /// Paths, and prefixes with a `*` at the end, that no rate limit touches.
    rate_limit_exempt_paths: Option<Vec<String>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteRateLimit {
    /// The name of the quota.
    name: String,
    /// Always `rate-limit`.
    #[serde(rename = "type")]
    #[allow(dead_code)] // Known, so that it is no unrecognized parameter.
    kind: String,
    /// A namespace, a mount or a path in one, with the namespace in front; empty for the server.
    path: String,
    /// How many requests are allowed in each interval.
    rate: f64,
    /// One second unless given.
    interval: Option<Ttl>,
    /// How long a client that asks too often is refused altogether.
    block_interval: Option<Ttl>,
    /// Kept and shown; a quota binds all that lies below its path.
    inheritable: Option<bool>,
    /// Limits by login role do not exist, so this must be empty.
    role: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteLeaseCount {
    /// The name of the quota.
    name: String,
    /// Always `lease-count`.
    #[serde(rename = "type")]
    #[allow(dead_code)] // Known, so that it is no unrecognized parameter.
    kind: String,
    /// A namespace, a mount or a path in one, with the namespace in front; empty for the server.
    path: String,
    /// How many leases may exist at once.
    max_leases: u64,
    /// Kept and shown; a quota binds all that lies below its path.
    inheritable: Option<bool>,
    /// Limits by login role do not exist, so this must be empty.
    role: String,
}

/// A whole number without a point, as Go writes it.
fn plain_number(number: f64) -> Number {
    let whole = number.to_string().parse::<u64>().map(Number::from).ok();
    whole.or_else(|| Number::from_f64(number)).unwrap_or_else(|| Number::from(0))
}

#[derive(Serialize)]
struct RateLimit<'a> {
    block_interval: Ttl,
    inheritable: bool,
    interval: Ttl,
    name: &'a str,
    path: &'a str,
    rate: Number,
    role: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct LeaseCount<'a> {
    counter: u64,
    inheritable: bool,
    max_leases: u64,
    name: &'a str,
    path: &'a str,
    role: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

async fn read_config(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    Response::data(&system.server(&call)?.quotas.config())
}

async fn write_config(system: Arc<System>, call: Call, request: WriteConfig) -> Result<Response> {
    let core = system.server(&call)?;
    let now = core.quotas.config();
    let config = QuotaConfig {
        enable_rate_limit_audit_logging: request
            .enable_rate_limit_audit_logging
            .unwrap_or(now.enable_rate_limit_audit_logging),
        enable_rate_limit_response_headers: request
            .enable_rate_limit_response_headers
            .unwrap_or(now.enable_rate_limit_response_headers),
        rate_limit_exempt_paths: request
            .rate_limit_exempt_paths
            .unwrap_or(now.rate_limit_exempt_paths),
    };
    core.write_quota_config(config).await?;
    Ok(Response::none())
}

async fn list(system: Arc<System>, call: Call, kind: Kind) -> Result<Response> {
    let quotas = system.server(&call)?.quotas.all();
    let of_kind = quotas.into_iter().filter(|quota| Kind::of(&quota.limit) == kind);
    Response::keys(of_kind.map(|quota| quota.name).collect())
}

async fn read(system: Arc<System>, call: Call, request: Named, kind: Kind) -> Result<Response> {
    let core = system.server(&call)?;
    let quota = core.quotas.quota(Name::parse(&request.name)?.as_str());
    let quota = quota.filter(|quota| Kind::of(&quota.limit) == kind);
    let Quota { name, path, inheritable, limit } = quota.ok_or_else(|| Error::not_found(""))?;
    let (name, path) = (&name, &path);
    match limit {
        Limit::Requests { rate, interval, block_interval } => Response::data(&RateLimit {
            block_interval,
            inheritable,
            interval,
            name,
            path,
            rate: plain_number(rate),
            role: "",
            kind: "rate-limit",
        }),
        Limit::Leases { max } => Response::data(&LeaseCount {
            counter: core.quotas.leases(name),
            inheritable,
            max_leases: max,
            name,
            path,
            role: "",
            kind: "lease-count",
        }),
    }
}

async fn write_rate_limit(
    system: Arc<System>,
    call: Call,
    request: WriteRateLimit,
) -> Result<Response> {
    let core = system.server(&call)?;
    if !request.rate.is_finite() || request.rate <= 0.0 {
        return Err(Error::invalid("'rate' is invalid"));
    }
    let limit = Limit::Requests {
        rate: request.rate,
        interval: request.interval.unwrap_or_default().or(Ttl::from_seconds(1)),
        block_interval: request.block_interval.unwrap_or_default(),
    };
    store(&core, &request.name, &request.path, &request.role, request.inheritable, limit).await
}

async fn write_lease_count(
    system: Arc<System>,
    call: Call,
    request: WriteLeaseCount,
) -> Result<Response> {
    let core = system.server(&call)?;
    if request.max_leases == 0 {
        return Err(Error::invalid("'max_leases' is invalid"));
    }
    let limit = Limit::Leases { max: request.max_leases };
    store(&core, &request.name, &request.path, &request.role, request.inheritable, limit).await
}

async fn store(
    core: &Core,
    name: &str,
    path: &str,
    role: &str,
    inheritable: Option<bool>,
    limit: Limit,
) -> Result<Response> {
    if !role.is_empty() {
        return Err(Error::invalid("role-based quotas are not supported: limit the path"));
    }
    let (name, path) = (Name::parse(name)?.to_string(), quota_path(core, path)?);
    let kind = Kind::of(&limit);
    for other in core.quotas.all() {
        let same_kind = Kind::of(&other.limit) == kind;
        if other.name == name && !same_kind {
            return Err(Error::invalid(format!("a quota of another kind is called {name:?}")));
        }
        if other.name != name && same_kind && other.path == path {
            return Err(Error::invalid(format!(
                "quota rule with similar properties exists under the name {:?}",
                other.name
            )));
        }
    }
    let inheritable = inheritable.unwrap_or(path.is_empty());
    core.write_quota(Quota { name, path, inheritable, limit }).await?;
    Ok(Response::none())
}

/// The path as quotas compare it: with a trailing slash for a namespace or a mount.
fn quota_path(core: &Core, text: &str) -> Result<String> {
    let path = text.trim_matches('/');
    let folder = format!("{path}/");
    if path.is_empty() {
        return Ok(String::new());
    }
    if Namespace::parse(path).is_ok_and(|namespace| core.namespaces.find(&namespace).is_some()) {
        return Ok(folder);
    }
    match core.mount_of(&Namespace::root(), &folder) {
        Some(mount) if mount.full_path == folder => Ok(folder),
        Some(_) => Ok(path.to_owned()),
        None => Err(Error::invalid(format!("invalid mount path {folder:?}"))),
    }
}

async fn delete(system: Arc<System>, call: Call, request: Named, kind: Kind) -> Result<Response> {
    let core = system.server(&call)?;
    let name = Name::parse(&request.name)?;
    let quota = core.quotas.quota(name.as_str());
    if quota.is_some_and(|quota| Kind::of(&quota.limit) == kind) {
        core.delete_quota(name.as_str()).await?;
    }
    Ok(Response::none())
}
