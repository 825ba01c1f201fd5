use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base_types::{Result, Ttl};
use core_barrier::{Record, View};
use core_engine_api::{Backend, Kind, Role};
use serde::{Deserialize, Serialize};

use crate::namespaces::NamespaceEntry;
use crate::services::MountServices;

/// A mount as it is stored.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MountRecord {
    pub uuid: String,
    pub accessor: String,
    /// Relative to its namespace, with a trailing slash: `secret/`, `auth/userpass/`.
    pub path: String,
    /// The id of its namespace.
    pub namespace: Arc<str>,
    /// The name of the engine.
    pub kind: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    #[serde(default)]
    pub config: MountConfig,
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub seal_wrap: bool,
    #[serde(default)]
    pub external_entropy_access: bool,
    /// Its removal has begun; it answers nothing any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
}

/// What tuning changes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct MountConfig {
    /// Zero for the server's own.
    pub default_lease_ttl: Ttl,
    pub max_lease_ttl: Ttl,
    pub force_no_cache: bool,
    pub audit_non_hmac_request_keys: Vec<String>,
    pub audit_non_hmac_response_keys: Vec<String>,
    /// `unauth`, `hidden` or empty.
    pub listing_visibility: String,
    pub passthrough_request_headers: Vec<String>,
    pub allowed_response_headers: Vec<String>,
    /// For auth mounts: `default-service`, `default-batch`, `service`, `batch` or empty.
    pub token_type: String,
    pub lockout: Option<LockoutConfig>,
}

/// When repeated wrong logins are refused for a while.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct LockoutConfig {
    pub threshold: u64,
    pub duration: Ttl,
    pub counter_reset: Ttl,
    pub disabled: bool,
}

impl Default for LockoutConfig {
    fn default() -> Self {
        let minutes = Ttl::from_seconds(15 * 60);
        Self { threshold: 5, duration: minutes, counter_reset: minutes, disabled: false }
    }
}

impl Record for MountRecord {
    const KIND: &'static str = "mount";
}

/// A mount that can be called.
pub struct MountEntry {
    pub record: MountRecord,
    pub namespace: Arc<NamespaceEntry>,
    /// With the namespace in front.
    pub full_path: String,
    pub kind: Kind,
    pub backend: Arc<dyn Backend>,
    pub storage: View,
    pub(crate) services: Arc<MountServices>,
}

impl MountEntry {
    pub fn role(&self) -> Role {
        self.kind.meta().role
    }

    /// The path without `auth/`, as `sys/auth` shows it.
    pub fn shown_path(&self) -> &str {
        match self.role() {
            Role::Auth => self.record.path.strip_prefix("auth/").unwrap_or(&self.record.path),
            Role::Secrets => &self.record.path,
        }
    }
}

/// All mounts, by full path. Read on every request, changed rarely.
#[derive(Default)]
pub(crate) struct MountTable(ArcSwap<HashMap<String, Arc<MountEntry>>>);

impl MountTable {
    /// The mount that `path` (with its namespace in front) lies in, and where in it.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<(Arc<MountEntry>, &'p str)> {
        let table = self.0.load();
        let mut end = 0;
        while let Some(slash) = path[end..].find('/') {
            end += slash + 1;
            if let Some(mount) = table.get(&path[..end]) {
                return Some((mount.clone(), &path[end..]));
            }
        }
        let mount = table.get(&format!("{path}/"))?;
        Some((mount.clone(), ""))
    }

    pub(crate) fn at(&self, full_path: &str) -> Option<Arc<MountEntry>> {
        self.0.load().get(full_path).cloned()
    }

    pub(crate) fn by(&self, test: impl Fn(&MountEntry) -> bool) -> Option<Arc<MountEntry>> {
        self.0.load().values().find(|mount| test(mount)).cloned()
    }

    /// The mounts for which `test` holds, sorted by path.
    pub(crate) fn all(&self, test: impl Fn(&MountEntry) -> bool) -> Vec<Arc<MountEntry>> {
        let table = self.0.load();
        let mut found: Vec<_> = table.values().filter(|mount| test(mount)).cloned().collect();
        found.sort_by(|a, b| a.full_path.cmp(&b.full_path));
        found
    }

    /// The first mount whose path is `full_path`, lies in it, or contains it.
    pub(crate) fn conflict(&self, full_path: &str) -> Option<String> {
        let table = self.0.load();
        let clash =
            |path: &&String| path.starts_with(full_path) || full_path.starts_with(path.as_str());
        table.keys().filter(clash).min().cloned()
    }

    pub(crate) fn insert(&self, mount: Arc<MountEntry>) {
        let mut table = (**self.0.load()).clone();
        table.insert(mount.full_path.clone(), mount);
        self.0.store(Arc::new(table));
    }

    pub(crate) fn remove(&self, full_path: &str) {
        let mut table = (**self.0.load()).clone();
        table.remove(full_path);
        self.0.store(Arc::new(table));
    }

    pub(crate) fn clear(&self) {
        self.0.store(Arc::default());
    }
}

pub(crate) fn record_key(record: &MountRecord) -> String {
    format!("mount/{}/{}", record.namespace, record.uuid)
}

pub(crate) async fn stored(state: &View) -> Result<Vec<MountRecord>> {
    let mut records = Vec::new();
    for key in state.keys("mount/", "", 0).await? {
        // One mount that cannot be read must not keep all others closed.
        match state.get::<MountRecord>(&key).await {
            Ok(record) => records.extend(record),
            Err(error) => tracing::error!(error = %error.log(), "a mount could not be read"),
        }
    }
    Ok(records)
}

/// Where an engine's own data lies: below its mount's id, which stays when it is moved.
pub(crate) fn storage_prefix(record: &MountRecord) -> String {
    format!("data/{}/", record.uuid)
}
