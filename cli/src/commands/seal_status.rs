//! Whether the server is sealed: `status`, and what sealing and unsealing print.

use client::Request;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::format::table;
use crate::json::Json;
use crate::secret::print_field;

/// The answer of `sys/seal-status`, and after it that of `sys/leader`, printed as one.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct SealStatus {
    #[serde(rename = "type")]
    kind: String,
    initialized: bool,
    pub(crate) sealed: bool,
    t: u32,
    n: u32,
    progress: u32,
    nonce: String,
    version: String,
    commit_date: String,
    migration: bool,
    #[serde(skip_serializing_if = "is_default")]
    cluster_name: String,
    #[serde(skip_serializing_if = "is_default")]
    cluster_id: String,
    pub(crate) recovery_seal: bool,
    #[serde(skip_serializing_if = "is_default")]
    recovery_seal_type: String,
    #[serde(skip_serializing_if = "is_default")]
    storage_type: String,
    #[serde(skip_serializing_if = "is_default")]
    warnings: Vec<String>,
    build_date: String,
    #[serde(flatten)]
    leader: Leader,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Leader {
    ha_enabled: bool,
    #[serde(skip_serializing_if = "is_default")]
    is_self: bool,
    #[serde(skip_serializing_if = "is_default")]
    active_time: String,
    #[serde(skip_serializing_if = "is_default")]
    leader_address: String,
    #[serde(skip_serializing_if = "is_default")]
    leader_cluster_address: String,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl SealStatus {
    pub(crate) async fn ask(cx: &mut Context) -> Outcome<Self> {
        let response = cx.send(&Request::read("sys/seal-status")).await?;
        Ok(response.json()?)
    }

    async fn with_leader(mut self, cx: &mut Context) -> Outcome<Self> {
        self.leader = match cx.send(&Request::read("sys/leader").unwrapped()).await {
            Ok(response) => response.json()?,
            // A sealed node of a cluster cannot say who leads.
            Err(failure)
                if failure.cause.as_ref().is_some_and(|cause| cause.says("Vault is sealed")) =>
            {
                Leader { ha_enabled: true, ..Leader::default() }
            }
            Err(failure) => return Err(failure).doing("Error checking leader status"),
        };
        if self.leader.active_time.starts_with("0001-01-01T00:00:00") {
            self.leader.active_time.clear();
        }
        Ok(self)
    }

    /// Prints the status with what is known about the cluster.
    pub(crate) async fn print(self, cx: &mut Context) -> Outcome {
        let status =
            self.with_leader(cx).await.map_err(|failure| Failure { code: 1, ..failure })?;
        if !cx.out.is_table() {
            return cx.out.data(&Json::of(&status));
        }
        cx.out.line(table::table(&status.rows(), "|"));
        Ok(())
    }

    fn rows(&self) -> Vec<String> {
        let Self { kind, initialized, sealed, t, n, progress, nonce, .. } = self;
        let mut rows = vec!["Key | Value".to_owned(), format!("Seal Type | {kind}")];
        let mut add = |wanted: bool, name: &str, value: &dyn std::fmt::Display| {
            if wanted {
                rows.push(format!("{name} | {value}"));
            }
        };
        let shares = if self.recovery_seal { "Total Recovery Shares" } else { "Total Shares" };
        add(self.recovery_seal, "Recovery Seal Type", &self.recovery_seal_type);
        add(true, "Initialized", initialized);
        add(true, "Sealed", sealed);
        add(true, shares, n);
        add(true, "Threshold", t);
        add(*sealed, "Unseal Progress", &format_args!("{progress}/{t}"));
        add(*sealed, "Unseal Nonce", nonce);
        add(self.migration, "Seal Migration in Progress", &self.migration);
        add(!self.version.is_empty(), "Version", &self.version);
        add(!self.commit_date.is_empty(), "Commit Date", &self.commit_date);
        add(!self.storage_type.is_empty(), "Storage Type", &self.storage_type);
        let cluster = !self.cluster_name.is_empty() && !self.cluster_id.is_empty();
        add(cluster, "Cluster Name", &self.cluster_name);
        add(cluster, "Cluster ID", &self.cluster_id);
        let Leader { ha_enabled, is_self, active_time, leader_address, leader_cluster_address } =
            &self.leader;
        add(true, "HA Enabled", ha_enabled);
        let leads = *ha_enabled && !sealed;
        add(leads, "HA Cluster", leader_cluster_address);
        add(leads, "HA Mode", &self.mode());
        add(leads && *is_self && !active_time.is_empty(), "Active Since", active_time);
        add(leads && !is_self && !leader_address.is_empty(), "Active Node Address", leader_address);
        rows
    }

    fn mode(&self) -> &'static str {
        if self.leader.is_self { "active" } else { "standby" }
    }
}

/// `status`: exit code 0 unsealed, 1 error, 2 sealed.
pub(crate) async fn status(cx: &mut Context) -> Outcome {
    let status = ask_for_status(cx).await.map_err(|failure| Failure { code: 1, ..failure })?;
    let sealed = status.sealed;
    match cx.flags.text("field").to_owned().as_str() {
        "" => status.print(cx).await?,
        field => {
            let status =
                status.with_leader(cx).await.map_err(|failure| Failure { code: 1, ..failure })?;
            let value = match field {
                "ha_mode" => Some(Json::text(status.mode())),
                field => Json::of(&status).get(field).cloned(),
            };
            if let Err(failure) = print_field(&mut cx.out, value, field, "seal status") {
                cx.out.error(failure.text);
            }
        }
    }
    if sealed { Err(Failure::quiet(2)) } else { Ok(()) }
}

async fn ask_for_status(cx: &mut Context) -> Outcome<SealStatus> {
    // The seal belongs to the server, not to a namespace.
    cx.use_root_namespace()?;
    SealStatus::ask(cx).await.doing("Error checking seal status")
}
