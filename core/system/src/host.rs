use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Result, Timestamp};
use core_barrier::{Record, View};
use core_engine_api::{Call, Response, Routes, Verb};
use serde::{Deserialize, Serialize};

use crate::System;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Read, "host-info", host_info).summary("Describe the machine.");
    table.on(Verb::Read, "ha-status", ha_status).summary("List the nodes of the cluster.");
    table
        .on(Verb::List, "version-history", version_history)
        .summary("List the versions that have run on this storage.");
}

/// A version that has run on this storage.
#[derive(Deserialize, Serialize)]
pub(crate) struct VersionRecord {
    pub(crate) installed: Timestamp,
}

impl Record for VersionRecord {
    const KIND: &'static str = "version";
}

const VERSIONS: &str = "version/";

/// Notes that this version has run on this storage, if that is new.
pub(crate) async fn note_version(storage: &View, now: Timestamp) -> Result<()> {
    let key = format!("{VERSIONS}{VERSION}");
    match storage.get::<VersionRecord>(&key).await? {
        Some(_) => Ok(()),
        None => storage.put(&key, &VersionRecord { installed: now }).await,
    }
}

#[derive(Serialize)]
struct HostInfo {
    timestamp: Timestamp,
    host: Host,
}

#[derive(Serialize)]
struct Host {
    hostname: String,
    os: &'static str,
    #[serde(rename = "kernelArch")]
    kernel_arch: &'static str,
    procs: usize,
}

#[derive(Serialize)]
struct HaStatus {
    nodes: [Node; 1],
}

#[derive(Serialize)]
struct Node {
    hostname: String,
    api_address: String,
    cluster_address: &'static str,
    active_node: bool,
    last_echo: Option<Timestamp>,
    version: &'static str,
}

#[derive(Serialize)]
struct Version {
    previous_version: Option<String>,
    timestamp_installed: Timestamp,
}

async fn host_info(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let core = system.server(&call)?;
    Response::data(&HostInfo {
        timestamp: core.clock.now(),
        host: Host {
            hostname: hostname().await,
            os: std::env::consts::OS,
            kernel_arch: std::env::consts::ARCH,
            procs: std::thread::available_parallelism().map_or(1, usize::from),
        },
    })
}

async fn ha_status(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let core = system.server(&call)?;
    let node = Node {
        hostname: hostname().await,
        api_address: core.settings.api_addr.clone(),
        cluster_address: "",
        active_node: true,
        last_echo: None,
        version: VERSION,
    };
    Response::data(&HaStatus { nodes: [node] })
}

async fn hostname() -> String {
    let name = tokio::fs::read_to_string("/proc/sys/kernel/hostname").await;
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

async fn version_history(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?;
    let mut history = Vec::new();
    for version in system.storage.list(VERSIONS, "", 0).await? {
        let record = system.storage.get::<VersionRecord>(&format!("{VERSIONS}{version}")).await?;
        history.extend(record.map(|record| (record.installed, version)));
    }
    history.sort();
    let mut versions = BTreeMap::new();
    let mut previous_version = None;
    for (timestamp_installed, version) in history {
        versions.insert(version.clone(), Version { previous_version, timestamp_installed });
        previous_version = Some(version);
    }
    Response::keys_with(versions)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let record = VersionRecord { installed: Timestamp::from_seconds(10) };
        let golden = r#"{"installed":"1970-01-01T00:00:10Z"}"#;
        assert_eq!(serde_json::to_string(&record).unwrap(), golden);
        assert_eq!(
            serde_json::from_str::<VersionRecord>(golden).unwrap().installed,
            record.installed
        );
    }
}
