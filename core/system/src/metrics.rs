use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base_types::{Error, Result, Timestamp};
use core_engine_api::{Call, Raw, Response, Role, Routes, Verb};
use core_pipeline::Core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Read, "metrics", read).summary("Figures about the server, for monitoring.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Format {
    /// `prometheus` for its text format; else JSON.
    format: String,
}

/// One figure. Where Vault has the same figure it bears Vault's name.
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: BTreeMap<&'static str, String>,
    value: u64,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// Only grows, from the start of the server on.
    Counter,
    Gauge,
}

async fn read(system: Arc<System>, call: Call, request: Format) -> Result<Response> {
    let raw = metrics(&*system.server(&call)?, &request.format).await?;
    Ok(Response::raw(raw.content_type, raw.body))
}

/// The figures as `prometheus` or as `json`, which an empty `format` means too.
///
/// # Errors
/// `Invalid` for another format; what counting them says.
pub async fn metrics(core: &Core, format: &str) -> Result<Raw> {
    let metrics = collect(core).await?;
    let (content_type, body) = match format {
        "prometheus" => {
            ("text/plain; version=0.0.4; charset=utf-8", prometheus(&metrics).into_bytes())
        }
        "" | "json" => {
            let json = serde_json::to_vec(&Summary::of(&metrics, core.clock.now()));
            ("application/json", json.map_err(Error::internal)?)
        }
        _ => {
            let text = "metric response format is unknown: there is prometheus";
            return Err(Error::invalid(text));
        }
    };
    Ok(Raw { content_type, body })
}

async fn collect(core: &Core) -> Result<Vec<Metric>> {
    let (irrevocable, troubles) = (core.leases.count_stuck().await?, core.leases.troubles().await?);
    let mut metrics = Vec::new();
    let mut add = |kind, name, help, labels: &[(&'static str, &str)], value| {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        metrics.push(Metric { name, help, kind, labels, value });
    };
    let (counters, audit, key) = (&core.counters, core.audit()?, core.barrier.key_status()?);
    use Kind::{Counter, Gauge};
    add(Gauge, "vault_core_active", "The node serves requests.", &[], 1);
    add(Gauge, "vault_core_unsealed", "The server is unsealed.", &[], 1);
    let uptime = core.started.until(core.clock.now()).seconds();
    add(Gauge, "strongroom_uptime_seconds", "The time since the server started.", &[], uptime);
    let requests = counters.requests.get();
    add(Counter, "strongroom_requests_total", "Requests to mounts.", &[], requests);
    let denied = counters.denied.get();
    add(Counter, "strongroom_requests_denied_total", "Requests refused by policy.", &[], denied);
    let tokens = counters.tokens.get();
    add(Counter, "vault_token_creation", "Tokens made.", &[], tokens);
    let leases = counters.leases.get();
    add(Counter, "strongroom_leases_created_total", "Secrets made with a lease.", &[], leases);
    let ended = counters.leases_ended.get();
    let help = "Leases of tokens and secrets that ended.";
    add(Counter, "strongroom_leases_ended_total", help, &[], ended);
    let revoked = counters.revoked.get();
    let help = "Secrets that engines took back when they were due.";
    add(Counter, "strongroom_lease_revocations_total", help, &[], revoked);
    let failed = counters.revocation_failures.get();
    let help = "Attempts to take back a secret that failed.";
    add(Counter, "strongroom_lease_revocation_failures_total", help, &[], failed);
    let help = "Leases that wait for a person.";
    add(Gauge, "vault_expire_num_irrevocable_leases", help, &[], irrevocable);
    for (target, trouble) in &troubles {
        let labels = &[("mount", target.mount.as_str()), ("target", target.name.as_str())];
        let help = "Leases that waited for a system at the latest attempt, while it does not work.";
        add(Gauge, "strongroom_lease_target_waiting", help, labels, trouble.waiting);
        let seconds = trouble.since.until(core.clock.now()).seconds();
        let help = "How long a system has not worked for which leases wait.";
        add(Gauge, "strongroom_lease_target_trouble_seconds", help, labels, seconds);
    }
    let rotations = counters.rotations.get();
    let help = "Passwords of other systems that were rotated.";
    add(Counter, "strongroom_password_rotations_total", help, &[], rotations);
    let failed = counters.rotation_failures.get();
    let help = "Attempts to rotate a password that failed.";
    add(Counter, "strongroom_password_rotation_failures_total", help, &[], failed);
    let wrapped = counters.wrapped.get();
    add(Counter, "strongroom_responses_wrapped_total", "Responses wrapped.", &[], wrapped);
    let entries = audit.entries();
    add(Counter, "strongroom_audit_entries_total", "Entries that a device wrote.", &[], entries);
    let failures = audit.failures();
    add(Counter, "vault_audit_log_request_failure", "Entries that no device wrote.", &[], failures);
    for device in audit.devices() {
        let labels = &[("device", device.path.as_str())];
        let (written, missed, queued) = (device.entries, device.failures, device.queued as u64);
        let works = u64::from(device.trouble.is_none());
        add(Counter, "strongroom_audit_device_entries_total", "Entries it wrote.", labels, written);
        add(Counter, "strongroom_audit_device_missed_total", "Entries it missed.", labels, missed);
        add(Gauge, "strongroom_audit_device_queue", "Entries that wait for it.", labels, queued);
        add(Gauge, "strongroom_audit_device_works", "It takes entries.", labels, works);
    }
    let namespaces = core.namespaces.below(&base_types::Namespace::root());
    let mounts = |role: Role| {
        let of_role = |namespace| {
            core.mounts_in(namespace).iter().filter(|mount| mount.role() == role).count() as u64
        };
        namespaces.iter().map(|namespace| of_role(namespace)).sum()
    };
    for (label, role) in [("auth", Role::Auth), ("logical", Role::Secrets)] {
        let help = "Mounts in all namespaces.";
        add(Gauge, "vault_core_mount_table_num_entries", help, &[("type", label)], mounts(role));
    }
    let count = namespaces.len() as u64;
    add(Gauge, "strongroom_namespaces", "Namespaces, the root included.", &[], count);
    let term = u64::from(key.term);
    add(Gauge, "strongroom_barrier_key_term", "The number of the encryption key.", &[], term);
    let used = key.encryptions;
    add(Counter, "strongroom_barrier_encryptions_total", "Encryptions with this key.", &[], used);
    Ok(metrics)
}

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
fn prometheus(metrics: &[Metric]) -> String {
    let mut text = String::new();
    let mut by_name: BTreeMap<&str, Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        by_name.entry(metric.name).or_default().push(metric);
    }
    for (name, group) in by_name {
        let kind = if group[0].kind == Kind::Counter { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", group[0].help);
        for metric in group {
            let labels: Vec<String> =
                metric.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            let labels = labels.join(",");
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(text, "{name}{labels} {}", metric.value);
        }
    }
    text
}

/// Vault's own shape.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    timestamp: String,
    gauges: Vec<Gauge<'a>>,
    points: [(); 0],
    counters: Vec<Counter<'a>>,
    samples: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gauge<'a> {
    name: String,
    value: u64,
    labels: &'a BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Counter<'a> {
    name: String,
    count: u64,
    sum: u64,
    labels: &'a BTreeMap<&'static str, String>,
}

impl<'a> Summary<'a> {
    fn of(metrics: &'a [Metric], now: Timestamp) -> Self {
        let dotted = |metric: &Metric| metric.name.replace('_', ".");
        let of_kind = |kind: Kind| metrics.iter().filter(move |metric| metric.kind == kind);
        let gauge = |metric: &'a Metric| Gauge {
            name: dotted(metric),
            value: metric.value,
            labels: &metric.labels,
        };
        let counter = |metric: &'a Metric| Counter {
            name: dotted(metric),
            count: metric.value,
            sum: metric.value,
            labels: &metric.labels,
        };
        Self {
            timestamp: now.to_string(),
            gauges: of_kind(Kind::Gauge).map(gauge).collect(),
            points: [],
            counters: of_kind(Kind::Counter).map(counter).collect(),
            samples: [],
        }
    }
}
