use std::sync::Arc;

use base_crypto::{Random, SystemRandom};
use base_types::{Clock, Result, SystemClock};
use core_audit::DeviceConfig;
use core_pipeline::{AuditSetup, Core, LOCKABLE, LockoutConfig, Parts, Settings};
use core_seal::{Seal, Seals, StaticKey};
use store_api::Store;

use crate::config::{AuditDevice, Config, Environment, SealKind, Storage};
use crate::outbound::HttpOutbound;
use crate::{loggers, registry};

/// The server behind its doors, and what must be closed in the end.
pub(crate) struct Wired {
    pub(crate) core: Arc<Core>,
    pub(crate) store: Arc<dyn Store>,
}

/// Puts the parts together as the configuration says. Nothing is unsealed yet.
pub(crate) fn wire(config: &Config, environment: &Environment) -> Result<Wired> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let Storage { kind, place } = &config.storage;
    let store = registry::store(kind).map_err(|error| error.at(place))?;
    let seals =
        Seals::new(store.clone(), random.clone(), automatic(config, environment, &random)?)?;
    let outbound = HttpOutbound::new(environment);
    let audit = AuditSetup {
        devices: config.audit.iter().map(device).collect::<Result<_>>()?,
        poster: Some(Arc::new(outbound.clone())),
        allow_prefix: config.allow_audit_log_prefixing,
    };
    for (device, declared) in audit.devices.iter().zip(&config.audit) {
        device
            .check(audit.allow_prefix, audit.poster.is_some())
            .map_err(|error| error.at(&declared.place))?;
    }
    let settings = settings(config, kind.name());
    let (store_of_core, outbound) = (store.clone(), Arc::new(outbound));
    let parts = Parts { store: store_of_core, seals, audit, clock, random, outbound, settings };
    Ok(Wired { core: Core::new(parts, registry::kinds), store })
}

fn automatic(
    config: &Config,
    environment: &Environment,
    random: &Arc<dyn Random>,
) -> Result<Vec<Arc<dyn Seal>>> {
    let mut seals: Vec<Arc<dyn Seal>> = Vec::new();
    for seal in &config.seals {
        match &seal.kind {
            SealKind::Shamir => {}
            SealKind::Static { current, previous } => {
                let at = |error: base_types::Error| error.at(&seal.place);
                let key = current.source.resolve(environment).map_err(at)?;
                let mut made =
                    StaticKey::new(&seal.name, &current.id, &key, random.clone()).map_err(at)?;
                if let Some(previous) = previous {
                    let key = previous.source.resolve(environment).map_err(at)?;
                    made = made.with_previous(&previous.id, &key).map_err(at)?;
                }
                seals.push(Arc::new(made));
            }
        }
    }
    Ok(seals)
}

fn device(declared: &AuditDevice) -> Result<DeviceConfig> {
    Ok(DeviceConfig {
        path: format!("{}/", declared.name),
        kind: core_audit::Kind::parse(declared.kind.name())?,
        description: declared.description.clone(),
        options: declared.options.clone(),
        local: declared.local,
    })
}

fn settings(config: &Config, storage_type: &str) -> Settings {
    let lockout = |kind: &str| {
        let configured = config.lockouts.of(kind);
        let lockout = LockoutConfig {
            threshold: configured.threshold.into(),
            duration: configured.duration,
            counter_reset: configured.counter_reset,
            disabled: configured.disabled || config.lockouts.disabled,
        };
        (kind.to_owned(), lockout)
    };
    let defaults = Settings::default();
    Settings {
        default_lease_ttl: config.default_lease_ttl,
        max_lease_ttl: config.max_lease_ttl,
        cluster_name: config.cluster_name.clone().unwrap_or(defaults.cluster_name),
        api_addr: config.api_addr.clone().unwrap_or_default(),
        storage_type: storage_type.to_owned(),
        api_audit_creation: config.allow_api_audit_creation,
        lockouts: LOCKABLE.map(lockout).into(),
        loggers: loggers::installed(),
        sanitized: serde_json::json!({
            "api_addr": config.api_addr.clone().unwrap_or_default(),
            "cluster_addr": config.cluster_addr.clone().unwrap_or_default(),
            "cluster_name": config.cluster_name.clone().unwrap_or_default(),
            "default_lease_ttl": config.default_lease_ttl,
            "max_lease_ttl": config.max_lease_ttl,
            "raw_storage_endpoint": false,
            "storage": { "type": storage_type },
        }),
    }
}
