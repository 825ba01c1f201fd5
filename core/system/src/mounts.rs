use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::{Call, Response, Role, Routes, Verb};
use core_pipeline::{Core, MountConfig, NewMount};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::System;
use crate::mount_info::MountInfo;
use crate::scope::named;
use crate::tune::Tune;

/// The two kinds of mounts are administrated alike, at `sys/mounts` and at `sys/auth`.
#[derive(Clone, Copy)]
pub(crate) enum Area {
    Auth,
    Secrets,
}

impl Area {
    /// The path of a mount in its namespace.
    pub(crate) fn mount_path(self, path: &str) -> String {
        match self {
            Self::Auth => format!("auth/{path}"),
            Self::Secrets => path.to_owned(),
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Auth => Role::Auth,
            Self::Secrets => Role::Secrets,
        }
    }

    fn missing(self, path: &str) -> Error {
        match self {
            Self::Auth => Error::invalid(format!("No auth engine at {path}/")),
            Self::Secrets => Error::invalid(format!("No secret engine mount at {path}/")),
        }
    }
}

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "mounts", |system, call, (): ()| list(system, call, Area::Secrets))
        .summary("List the secrets engines of the namespace.");
    table
        .on(Verb::Read, "mounts/{path..}", |system, call, at| read(system, call, at, Area::Secrets))
        .summary("Show a secrets engine.");
    table
        .on(Verb::Write, "mounts/{path..}", |system, call, new| {
            enable(system, call, new, Area::Secrets)
        })
        .summary("Enable a secrets engine.");
    table
        .on(Verb::Delete, "mounts/{path..}", |system, call, at| {
            disable(system, call, at, Area::Secrets)
        })
        .summary("Disable a secrets engine: its leases are revoked, its data is deleted.");
    table
        .on(Verb::Read, "auth", |system, call, (): ()| list(system, call, Area::Auth))
        .summary("List the auth methods of the namespace.");
    table
        .on(Verb::Read, "auth/{path..}", |system, call, at| read(system, call, at, Area::Auth))
        .sudo()
        .summary("Show an auth method.");
    table
        .on(Verb::Write, "auth/{path..}", |system, call, new| enable(system, call, new, Area::Auth))
        .sudo()
        .summary("Enable an auth method.");
    table
        .on(Verb::Delete, "auth/{path..}", |system, call, at| disable(system, call, at, Area::Auth))
        .sudo()
        .summary("Disable an auth method: its tokens are revoked, its data is deleted.");
}

/// Where something is mounted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct At {
    /// The path of the mount.
    path: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Enable {
    /// The path to mount at.
    path: String,
    /// The engine, such as `kv` or `userpass`.
    #[serde(rename = "type")]
    kind: String,
    /// What it is for, for people.
    description: String,
    /// Its settings, as in `tune`.
    config: Option<Tune>,
    /// Options of the engine, such as `version` of `kv`.
    options: Option<BTreeMap<String, String>>,
    /// Kept and shown; without effect on a single node.
    local: bool,
    /// Kept and shown; without effect, since everything is encrypted by the barrier.
    seal_wrap: bool,
    /// Kept and shown; without effect, since there is one source of randomness.
    external_entropy_access: bool,
    /// The old name of `type`.
    plugin_name: String,
}

async fn list(system: Arc<System>, call: Call, area: Area) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mounts = scope.core.mounts_in(&scope.namespace);
    let of_area = mounts.iter().filter(|mount| mount.role() == area.role());
    let shown: BTreeMap<&str, MountInfo<'_>> =
        of_area.map(|mount| (mount.shown_path(), MountInfo::from(&**mount))).collect();
    Response::data(&shown)
}

async fn read(system: Arc<System>, call: Call, at: At, area: Area) -> Result<Response> {
    match system.scope(&call)?.mount(&area.mount_path(&at.path)) {
        Some(mount) if mount.role() == area.role() => Response::data(&MountInfo::from(&*mount)),
        _ => Err(area.missing(&at.path)),
    }
}

async fn enable(system: Arc<System>, call: Call, new: Enable, area: Area) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = area.mount_path(named(&new.path)?);
    let kind = if new.kind.is_empty() { new.plugin_name } else { new.kind };
    check_kind(&scope.core, area, &kind)?;
    if matches!(area, Area::Secrets) && (path == "auth" || path.starts_with("auth/")) {
        return Err(Error::invalid(format!("cannot mount \"{path}/\"")));
    }
    let (mut description, mut options) = (new.description, new.options.unwrap_or_default());
    let mut config = MountConfig::default();
    if let Some(tune) = new.config {
        let other = tune.apply(area.role(), &mut config)?;
        if !config.max_lease_ttl.is_zero() && config.default_lease_ttl > config.max_lease_ttl {
            return Err(Error::invalid("given default lease TTL greater than given max lease TTL"));
        }
        description = other.description.unwrap_or(description);
        options.extend(other.options);
    }
    let mount = NewMount {
        path,
        kind,
        description,
        options,
        config,
        local: new.local,
        seal_wrap: new.seal_wrap,
        external_entropy_access: new.external_entropy_access,
    };
    scope.core.mount(&scope.namespace, mount).await?;
    Ok(Response::none())
}

/// # Errors
/// `Invalid` if there is no such engine, or it cannot be mounted by anybody.
fn check_kind(core: &Core, area: Area, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("backend type must be specified as a string"));
    }
    let known = || core.kinds().iter().filter(|kind| kind.meta().role == area.role());
    if known().any(|kind| kind.meta().built_in && kind.meta().name == name) {
        return Err(Error::invalid(match area {
            Area::Auth => format!("{name} credential backend cannot be instantiated"),
            Area::Secrets => format!("mount type of {name:?} is not mountable"),
        }));
    }
    let plain = name.strip_suffix("-v1").or_else(|| name.strip_suffix("-v2")).unwrap_or(name);
    if plain == "generic" || known().any(|kind| kind.meta().name == plain) {
        return Ok(());
    }
    let mut names: Vec<_> =
        known().filter(|kind| !kind.meta().built_in).map(|kind| kind.meta().name).collect();
    names.dedup();
    let names = names.join(", ");
    Err(Error::invalid(format!("plugin not found in the catalog: {name}; there are {names}")))
}

async fn disable(system: Arc<System>, call: Call, at: At, area: Area) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = area.mount_path(named(&at.path)?);
    match scope.mount(&path) {
        // Auth methods are disabled at `sys/auth`, which needs sudo.
        Some(mount) if mount.role() != area.role() => {
            Err(Error::invalid(format!("cannot unmount \"{path}/\"")))
        }
        Some(mount) if mount.kind.meta().built_in && mount.role() == Role::Auth => {
            let name = &mount.record.kind;
            Err(Error::invalid(format!("{name} credential backend cannot be disabled")))
        }
        Some(mount) => scope.core.unmount(&mount).await.map(|()| Response::none()),
        None => Ok(Response::none()),
    }
}
