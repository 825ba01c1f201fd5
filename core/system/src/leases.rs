use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Timestamp, Ttl};
use core_engine_api::{Call, Response, Routes, Verb};
use core_lease::{Lease, Leases, Subject};
use core_pipeline::{Core, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::scope::Scope;

/// How many leases are read at a time.
const PAGE: usize = 256;
/// How many irrevocable leases one answer lists unless asked for another number.
const LIMIT: usize = 10_000;

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Write, "leases/lookup", lookup).summary("Show a lease.");
    for pattern in ["leases/lookup", "leases/lookup/{prefix..}"] {
        table.on(Verb::List, pattern, list).sudo().summary("List lease ids, folder by folder.");
    }
    for pattern in ["leases/renew", "leases/renew/{lease_id..}", "renew", "renew/{lease_id..}"] {
        table.on(Verb::Write, pattern, renew).summary("Let a secret live on.");
    }
    for pattern in ["leases/revoke", "leases/revoke/{lease_id..}", "revoke", "revoke/{lease_id..}"]
    {
        table.on(Verb::Write, pattern, revoke).summary("End a secret, or a token by its lease.");
    }
    for pattern in ["leases/revoke-prefix/{prefix..}", "revoke-prefix/{prefix..}"] {
        table
            .on(Verb::Write, pattern, |system, call, request| {
                revoke_prefix(system, call, request, false)
            })
            .sudo()
            .summary("End everything whose lease id lies below a prefix.");
    }
    for pattern in ["leases/revoke-force/{prefix..}", "revoke-force/{prefix..}"] {
        table
            .on(Verb::Write, pattern, |system, call, request| {
                revoke_prefix(system, call, request, true)
            })
            .sudo()
            .summary("As revoke-prefix, and forget what an engine fails to revoke.");
    }
    table
        .on(Verb::Write, "leases/tidy", tidy)
        .summary("Forget leases whose mount is gone, in the background.");
    table.on(Verb::Read, "leases/count", count).summary("Count the irrevocable leases by mount.");
    table.on(Verb::Read, "leases", irrevocable).sudo().summary("List the irrevocable leases.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct ById {
    /// The id of the lease.
    lease_id: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Below {
    /// The folder of lease ids, usually the path that made them.
    prefix: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Renew {
    /// The id of the lease.
    lease_id: String,
    /// How long it shall live from now on; the engine may give less.
    increment: Ttl,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Revoke {
    /// The id of the lease.
    lease_id: String,
    /// Whether to wait for the end, which is the default, and hear of a failure. Either way the
    /// server tries again what failed.
    sync: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct RevokePrefix {
    /// The folder of lease ids, usually the path that made them.
    prefix: String,
    /// Whether to wait for the end, which is the default, and hear of the first failure. Either way
    /// the work goes on, also over a restart; `sys/leases/jobs` shows how far it is.
    sync: Option<bool>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Irrevocable {
    /// `irrevocable`: those that could not be revoked and wait for a person.
    #[serde(rename = "type")]
    kind: String,
    /// How many to list: a number, or `none` for all.
    limit: String,
    /// Accepted as in Vault; only the namespace of the request is looked at.
    #[allow(dead_code)] // Known, so that it is no unrecognized parameter.
    include_child_namespaces: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    path: &'a str,
    issue_time: Timestamp,
    expire_time: Option<Timestamp>,
    last_renewal: Option<Timestamp>,
    renewable: bool,
    /// In seconds; negative for how long it has been over.
    ttl: i64,
    /// Why it was given up on.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoke_error: Option<String>,
}

#[derive(Serialize)]
struct Counted {
    lease_count: u64,
    counts: BTreeMap<String, u64>,
}

#[derive(Serialize)]
struct Listed {
    lease_count: usize,
    leases: Vec<ListedLease>,
}

#[derive(Serialize)]
struct ListedLease {
    lease_id: String,
    mount_id: String,
    error: String,
}

async fn lookup(system: Arc<System>, call: Call, request: ById) -> Result<Response> {
    let scope = system.scope(&call)?;
    let lease = scope.lease(&request.lease_id).await?;
    let lease = lease.ok_or_else(|| Error::invalid("invalid lease"))?;
    let now = scope.core.clock.now();
    Response::data(&Shown {
        id: &lease.id,
        path: lease.id.rsplit_once('/').map_or("", |(path, _)| path),
        issue_time: lease.issued,
        expire_time: lease.expires,
        last_renewal: lease.renewed,
        renewable: lease.renewable && lease.is_alive(now),
        ttl: lease.expires.map_or(0, |at| at.seconds() - now.seconds()),
        revoke_error: lease.is_stuck().then(|| given_up(&lease)),
    })
}

async fn list(system: Arc<System>, call: Call, request: Below) -> Result<Response> {
    let scope = system.scope(&call)?;
    Response::keys(scope.core.leases.list(scope.id(), &folder(&request.prefix)).await?)
}

/// The envelope itself names the lease, so the whole answer is made here.
async fn renew(system: Arc<System>, call: Call, request: Renew) -> Result<Response> {
    let scope = system.scope(&call)?;
    let lease = scope.lease(&request.lease_id).await?;
    let lease = lease.ok_or_else(|| Error::invalid("lease not found"))?;
    if !lease.renewable {
        return Err(Error::invalid("lease is not renewable"));
    }
    if Leases::is_token(&lease) {
        return Err(Error::invalid("tokens cannot be renewed through this endpoint"));
    }
    let mut outcome = Outcome::default();
    let (lease, ttl) =
        scope.core.renew_lease(&lease, request.increment, &mut outcome.warnings).await?;
    outcome.renewable = lease.renewable;
    outcome.lease_duration = ttl;
    outcome.lease_id = lease.id;
    let envelope = core_pipeline::json(&call.request_id, &outcome)?;
    Ok(Response::raw("application/json", envelope))
}

async fn revoke(system: Arc<System>, call: Call, request: Revoke) -> Result<Response> {
    let scope = system.scope(&call)?;
    let lease = scope.lease(&request.lease_id).await?;
    let is_behind = request.sync == Some(false);
    if let Some(lease) = lease {
        scope.end(&lease, is_behind).await?;
    }
    Ok(Response { accepted: is_behind, ..Response::none() })
}

async fn revoke_prefix(
    system: Arc<System>,
    call: Call,
    request: RevokePrefix,
    force: bool,
) -> Result<Response> {
    let scope = system.scope(&call)?;
    let prefix = folder(&request.prefix);
    if prefix.is_empty() {
        return Err(Error::invalid("the prefix is empty"));
    }
    // A whole lease id is a prefix too; a folder never takes what merely begins alike.
    let lease = scope.lease(prefix.trim_end_matches('/')).await?;
    let is_behind = request.sync == Some(false) && !force;
    match lease {
        Some(lease) if force => {
            if scope.core.revoke_lease(&lease).await.is_err() {
                scope.core.forget_leases(&[lease]).await?;
            }
        }
        Some(lease) => scope.end(&lease, is_behind).await?,
        None if is_behind => {
            scope.core.begin_revoking(scope.id(), &prefix, force).await?;
        }
        None => scope.core.revoke_prefix(scope.id(), &prefix, force).await?,
    }
    Ok(Response { accepted: is_behind, ..Response::none() })
}

async fn tidy(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    tokio::spawn(async move {
        match forget_homeless(&scope).await {
            Ok(forgotten) => tracing::info!(forgotten, "leases were tidied"),
            Err(error) => tracing::warn!(error = %error.log(), "leases could not be tidied"),
        }
    });
    Ok(Response::accepted(
        "Tidy operation successfully started. Any information from the operation will be printed \
         to Strongroom's server logs.",
    ))
}

/// Forgets leases that nobody can revoke any more, because their mount is gone.
async fn forget_homeless(scope: &Scope) -> Result<u64> {
    let (mut after, mut forgotten) = (String::new(), 0);
    loop {
        let ids = scope.core.leases.page(scope.id(), "", &after, PAGE).await?;
        let Some(last) = ids.last() else { return Ok(forgotten) };
        after.clone_from(last);
        for id in &ids {
            let Some(lease) = scope.core.leases.read(scope.id(), id).await? else { continue };
            if is_homeless(&scope.core, &lease) {
                scope.core.forget_leases(&[lease]).await?;
                forgotten += 1;
            }
        }
    }
}

fn is_homeless(core: &Core, lease: &Lease) -> bool {
    match &lease.subject {
        Subject::Secret { mount, .. } => core.mount_by_id(mount).is_none(),
        Subject::Token { .. } => false,
    }
}

async fn count(system: Arc<System>, call: Call, request: Irrevocable) -> Result<Response> {
    let scope = system.scope(&call)?;
    let leases = scope.irrevocable(&request, usize::MAX).await?;
    let mut counts = BTreeMap::new();
    for lease in &leases {
        *counts.entry(mount_of(&scope.core, lease)).or_default() += 1;
    }
    Response::data(&Counted { lease_count: leases.len() as u64, counts })
}

async fn irrevocable(system: Arc<System>, call: Call, request: Irrevocable) -> Result<Response> {
    let scope = system.scope(&call)?;
    let limit = match request.limit.as_str() {
        "" => LIMIT,
        "none" => usize::MAX,
        number => number
            .parse()
            .map_err(|_| Error::invalid("limit is the number of leases to list, or \"none\""))?,
    };
    let leases = scope.irrevocable(&request, limit).await?;
    let listed = |lease: &Lease| ListedLease {
        lease_id: lease.id.clone(),
        mount_id: mount_of(&scope.core, lease),
        error: given_up(lease),
    };
    let leases: Vec<_> = leases.iter().map(listed).collect();
    Response::data(&Listed { lease_count: leases.len(), leases })
}

impl Scope {
    /// # Errors
    /// `Invalid` if the id is empty.
    async fn lease(&self, id: &str) -> Result<Option<Lease>> {
        if id.is_empty() {
            return Err(Error::invalid("lease_id must be specified"));
        }
        self.core.leases.read(self.id(), id).await
    }

    /// Ends a lease, or leaves that to those who end what is due: at once if `is_behind`, else if it
    /// fails.
    async fn end(&self, lease: &Lease, is_behind: bool) -> Result<()> {
        let failure = match is_behind {
            true => None,
            false => match self.core.revoke_lease(lease).await {
                Ok(()) => return Ok(()),
                Err(error) => Some(error.at("failed to revoke entry")),
            },
        };
        self.core.queue_lease(lease).await?;
        failure.map_or(Ok(()), Err)
    }

    /// # Errors
    /// `NotFound` if other leases are asked for: those are listed by their prefix.
    async fn irrevocable(&self, request: &Irrevocable, limit: usize) -> Result<Vec<Lease>> {
        if request.kind != "irrevocable" {
            return Err(Error::not_found(""));
        }
        let mut leases = Vec::new();
        while leases.len() < limit {
            let after = leases.last().map_or("", |lease: &Lease| &lease.id).to_owned();
            let page = PAGE.min(limit - leases.len());
            let more = self.core.leases.stuck(self.id(), &after, page).await?;
            let done = more.len() < page;
            leases.extend(more);
            if done {
                break;
            }
        }
        Ok(leases)
    }
}

fn given_up(lease: &Lease) -> String {
    format!("out of retries: {}", lease.cause.as_deref().unwrap_or_default())
}

/// The accessor of the mount that made a lease.
fn mount_of(core: &Core, lease: &Lease) -> String {
    match &lease.subject {
        Subject::Secret { mount, .. } => {
            core.mount_by_id(mount).map(|mount| mount.record.accessor.clone()).unwrap_or_default()
        }
        Subject::Token { .. } => String::new(),
    }
}

fn folder(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}
