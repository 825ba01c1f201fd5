//! What is beyond Vault's API about leases that do not end as they should: the systems that leases
//! wait for, the jobs that end many of them, and to try again now.

use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Timestamp};
use core_engine_api::{Call, Response, Routes, Verb};
use core_lease::{Job, Stage, Target, Trouble};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::scope::Scope;

/// How many irrevocable leases are read at a time.
const PAGE: usize = 256;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "leases/targets", targets)
        .sudo()
        .summary("Show the systems for which leases wait, and why.");
    table
        .on(Verb::Read, "leases/jobs", jobs)
        .sudo()
        .summary("Show how far the revocation of whole prefixes is.");
    table.on(Verb::Read, "leases/jobs/{id}", job).sudo().summary("Show one such revocation.");
    table
        .on(Verb::Write, "leases/retry", retry)
        .sudo()
        .summary("Try again now to revoke what waits, and what was given up on.");
}

#[derive(Deserialize, JsonSchema)]
struct ById {
    /// The id of the job.
    id: String,
}

#[derive(Serialize)]
struct Targets {
    targets: Vec<ShownTarget>,
}

#[derive(Serialize)]
struct ShownTarget {
    /// The path of the mount.
    mount: String,
    target: String,
    /// How many leases wait.
    waiting: u64,
    /// `working`, or `failing` while it is only tried from time to time.
    state: &'static str,
    since: Option<Timestamp>,
    tries: u32,
    last_error: String,
    next_try: Option<Timestamp>,
}

#[derive(Serialize)]
struct Jobs {
    jobs: Vec<ShownJob>,
}

#[derive(Serialize)]
struct ShownJob {
    id: String,
    prefix: String,
    force: bool,
    /// `handing` leases to their targets, `waiting` for these, or `finished`.
    state: &'static str,
    started: Timestamp,
    finished: Option<Timestamp>,
    /// How many leases there were at the start.
    total: u64,
    /// How many of them have ended or were handed to their targets.
    handled: u64,
    /// How many leases there are below the prefix now.
    remaining: u64,
    irrevocable: u64,
    error: String,
}

async fn targets(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut targets = Vec::new();
    for (target, trouble) in scope.targets().await? {
        targets.push(ShownTarget {
            mount: scope.mount_path(&target),
            waiting: scope.core.leases.count_queue(&target).await?,
            target: target.name,
            state: if trouble.is_some() { "failing" } else { "working" },
            since: trouble.as_ref().map(|trouble| trouble.since),
            tries: trouble.as_ref().map_or(0, |trouble| trouble.tries),
            next_try: trouble.as_ref().map(|trouble| trouble.next_try),
            last_error: trouble.map(|trouble| trouble.error).unwrap_or_default(),
        });
    }
    Response::data(&Targets { targets })
}

async fn jobs(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut jobs = Vec::new();
    for job in scope.core.leases.jobs(scope.id()).await? {
        jobs.push(scope.shown(job).await?);
    }
    Response::data(&Jobs { jobs })
}

async fn job(system: Arc<System>, call: Call, request: ById) -> Result<Response> {
    let scope = system.scope(&call)?;
    let job = scope.core.leases.job(scope.id(), &request.id).await?;
    let job = job.ok_or_else(|| Error::not_found("no such job"))?;
    Response::data(&scope.shown(job).await?)
}

async fn retry(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut after = String::new();
    loop {
        let stuck = scope.core.leases.stuck(scope.id(), &after, PAGE).await?;
        let Some(last) = stuck.last() else { break };
        after.clone_from(&last.id);
        for lease in &stuck {
            scope.core.queue_lease(lease).await?;
        }
    }
    for (target, _) in scope.targets().await? {
        scope.core.try_target(target);
    }
    Ok(Response { accepted: true, ..Response::default() })
}

impl Scope {
    /// The targets of the mounts of this namespace for which something waits. Those whose mount is
    /// gone belong to the root.
    async fn targets(&self) -> Result<BTreeMap<Target, Option<Trouble>>> {
        let mut targets = BTreeMap::new();
        for target in self.core.leases.queues().await? {
            targets.insert(target, None);
        }
        for (target, trouble) in self.core.leases.troubles().await? {
            targets.insert(target, Some(trouble));
        }
        targets.retain(|target, _| match self.core.mount_by_id(&target.mount) {
            Some(mount) => mount.namespace.id() == self.namespace.id(),
            None => self.namespace.path.is_root(),
        });
        Ok(targets)
    }

    fn mount_path(&self, target: &Target) -> String {
        let mount = self.core.mount_by_id(&target.mount);
        mount.map(|mount| mount.record.path.clone()).unwrap_or_default()
    }

    async fn shown(&self, job: Job) -> Result<ShownJob> {
        let remaining = match job.finished {
            Some(_) => job.irrevocable,
            None => self.core.leases.count(self.id(), &job.prefix).await?,
        };
        let state = match (job.finished, job.stage) {
            (Some(_), _) => "finished",
            (None, Stage::Handing) => "handing",
            (None, Stage::Waiting) => "waiting",
        };
        let Job { id, prefix, force, started, finished, total, handled, irrevocable, .. } = job;
        let error = job.error.unwrap_or_default();
        Ok(ShownJob {
            id,
            prefix,
            force,
            state,
            started,
            finished,
            total,
            handled,
            remaining,
            irrevocable,
            error,
        })
    }
}
