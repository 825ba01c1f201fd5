use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base_crypto::SigningKey;
use base_types::{Error, Namespace, Result};
use core_audit::{Broker, DeviceConfig, Setup};
use core_barrier::Record;
use core_quota::{Limit, Quota, QuotaConfig, Target};
use serde::{Deserialize, Serialize};

use crate::Core;

#[derive(Deserialize, Serialize)]
struct QuotaRecord(Quota);

impl Record for QuotaRecord {
    const KIND: &'static str = "quota";
}

#[derive(Deserialize, Serialize)]
struct QuotaConfigRecord(QuotaConfig);

impl Record for QuotaConfigRecord {
    const KIND: &'static str = "quota configuration";
}

/// An audit device that was made by API.
#[derive(Deserialize, Serialize)]
struct AuditDeviceRecord(DeviceConfig);

impl Record for AuditDeviceRecord {
    const KIND: &'static str = "audit device";
}

/// Which request headers the audit log keeps, and which of them hashed.
#[derive(Default, Deserialize, Serialize)]
struct AuditHeaders(BTreeMap<String, bool>);

impl Record for AuditHeaders {
    const KIND: &'static str = "audited headers";
}

const QUOTAS: &str = "quota/";
const QUOTA_CONFIG: &str = "quota-config";
const DEVICES: &str = "audit/device/";
const HEADERS: &str = "audit/headers";

impl Core {
    pub(crate) async fn load_quotas(&self) -> Result<()> {
        self.quotas.clear();
        for key in self.state.keys(QUOTAS, "", 0).await? {
            // One that cannot be read must not keep the server shut.
            match self.state.get(&key).await {
                Ok(Some(QuotaRecord(quota))) => self.activate(quota).await?,
                Ok(None) => {}
                Err(error) => tracing::error!(error = %error.log(), "a quota is not in force"),
            }
        }
        if let Some(QuotaConfigRecord(config)) = self.state.get(QUOTA_CONFIG).await? {
            self.quotas.set_config(config);
        }
        Ok(())
    }

    async fn activate(&self, quota: Quota) -> Result<()> {
        let leases = match quota.limit {
            Limit::Leases { .. } => self.leases_within(&quota).await?,
            Limit::Requests { .. } => 0,
        };
        self.quotas.set(quota, leases);
        Ok(())
    }

    /// How many leases there are that a quota is about.
    async fn leases_within(&self, quota: &Quota) -> Result<u64> {
        let root = self.namespaces.find(&Namespace::root()).ok_or_else(Error::sealed)?;
        let (namespace, prefix) = self.namespaces.descend(root, &quota.path);
        let all = prefix.is_empty() && (quota.inheritable || quota.path.is_empty());
        let namespaces =
            if all { self.namespaces.below(&namespace.path) } else { vec![namespace.clone()] };
        let mut total = 0;
        for namespace in namespaces {
            total += self.leases.count(namespace.id(), prefix).await?;
        }
        Ok(total)
    }

    /// A lease that had a place in a quota has ended.
    pub(crate) fn lease_ended(&self, namespace: &str, id: &str) {
        self.counters.leases_ended.add_one();
        let Some(namespace) = self.namespaces.by_id(namespace) else { return };
        let path = format!("{}{id}", namespace.path);
        let mount = self.mounts.find(&path).map(|(mount, _)| mount);
        self.quotas.released(Target {
            namespace: namespace.path.as_str(),
            mount: mount.as_ref().map_or("", |mount| &mount.full_path),
            path: &path,
        });
    }

    pub async fn write_quota(&self, quota: Quota) -> Result<()> {
        self.state.put(&format!("{QUOTAS}{}", quota.name), &QuotaRecord(quota.clone())).await?;
        self.activate(quota).await
    }

    pub async fn delete_quota(&self, name: &str) -> Result<()> {
        self.state.delete(&format!("{QUOTAS}{name}")).await?;
        self.quotas.remove(name);
        Ok(())
    }

    pub async fn write_quota_config(&self, config: QuotaConfig) -> Result<()> {
        self.state.put(QUOTA_CONFIG, &QuotaConfigRecord(config.clone())).await?;
        self.quotas.set_config(config);
        Ok(())
    }

    /// The audit log.
    ///
    /// # Errors
    /// `Sealed` while there is none.
    pub fn audit(&self) -> Result<Arc<Broker>> {
        self.broker.load_full().ok_or_else(Error::sealed)
    }

    pub(crate) async fn load_audit(&self) -> Result<()> {
        let setup = self.audit_setup.clone();
        let signing_key = SigningKey::from_seed(&self.barrier.derive_key("audit checkpoint")?);
        let public_key = self.audit_public_key()?;
        let broker = Broker::new(Setup {
            clock: self.clock.clone(),
            signing_key,
            poster: setup.poster,
            allow_prefix: setup.allow_prefix,
            patience: PATIENCE,
        });
        for device in setup.devices {
            let salt = self.audit_salt(&device.path)?;
            leave_public_key(&device, &public_key);
            broker.enable(device, salt).await?;
        }
        for key in self.state.keys(DEVICES, "", 0).await? {
            let Some(AuditDeviceRecord(device)) = self.state.get(&key).await? else { continue };
            let (path, salt) = (device.path.clone(), self.audit_salt(&device.path)?);
            leave_public_key(&device, &public_key);
            // A device that does not work now must not keep the server shut: it is reported, and
            // the others record. If it was the only one, the log refuses everything, as it should.
            if let Err(error) = broker.enable(device, salt).await {
                tracing::error!(device = %path, error = %error.log(), "an audit device could not be opened");
            }
        }
        broker.set_request_headers(self.audit_headers().await?);
        self.broker.store(Some(Arc::new(broker)));
        Ok(())
    }

    /// What checkpoints of the audit log are verified with, in hexadecimal digits.
    ///
    /// # Errors
    /// `Sealed` while it cannot be known.
    pub fn audit_public_key(&self) -> Result<String> {
        let key = SigningKey::from_seed(&self.barrier.derive_key("audit checkpoint")?);
        Ok(base_crypto::hex(&key.public()))
    }

    fn audit_salt(&self, path: &str) -> Result<base_types::Secret<[u8; 32]>> {
        self.barrier.derive_key(&format!("audit salt {path}"))
    }

    /// Enables a device by API and remembers it.
    ///
    /// # Errors
    /// `Invalid` unless the operator allows it, for bad options, or if the path is taken.
    pub async fn enable_audit(&self, device: DeviceConfig) -> Result<()> {
        if !self.settings.api_audit_creation {
            return Err(Error::invalid(
                "audit devices are declared in the server's configuration; to create them by API set unsafe_allow_api_audit_creation = true there",
            ));
        }
        let (key, salt) = (format!("{DEVICES}{}", device.path), self.audit_salt(&device.path)?);
        leave_public_key(&device, &self.audit_public_key()?);
        self.audit()?.enable(device.clone(), salt).await?;
        self.state.put(&key, &AuditDeviceRecord(device)).await
    }

    /// # Errors
    /// `Invalid` for a device that is declared in the configuration.
    pub async fn disable_audit(&self, path: &str) -> Result<()> {
        if self.audit_setup.devices.iter().any(|device| device.path == path) {
            return Err(Error::invalid(
                "this audit device is declared in the server's configuration: remove it there",
            ));
        }
        self.audit()?.disable(path).await;
        self.state.delete(&format!("{DEVICES}{path}")).await
    }

    /// Which request headers are recorded, and whether hashed.
    pub async fn audit_headers(&self) -> Result<BTreeMap<String, bool>> {
        Ok(self.state.get::<AuditHeaders>(HEADERS).await?.unwrap_or_default().0)
    }

    pub async fn write_audit_headers(&self, headers: BTreeMap<String, bool>) -> Result<()> {
        self.state.put(HEADERS, &AuditHeaders(headers.clone())).await?;
        self.audit()?.set_request_headers(headers);
        Ok(())
    }
}

/// How long one write to an audit device may take before those who wait for it are refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves the public key beside a log file, as `FILE.pub`, so that the log can be verified without
/// the server. A log that cannot have it beside itself is still a log.
fn leave_public_key(device: &DeviceConfig, public_key: &str) {
    let Some(file) =
        device.options.get("file_path").filter(|_| device.kind == core_audit::Kind::File)
    else {
        return;
    };
    if matches!(file.as_str(), "stdout" | "discard") {
        return;
    }
    if let Err(error) = std::fs::write(format!("{file}.pub"), format!("{public_key}\n")) {
        tracing::warn!(device = %device.path, %error, "the public key could not be left beside the audit log");
    }
}
