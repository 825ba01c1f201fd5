use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use base_types::{Error, Result};
use core_barrier::View;
use core_engine_api::{Engine, Kind, Meta, Mount, Role, Routes};
use core_pipeline::Core;

use crate::remount::Migration;
use crate::{
    audit, capabilities, config, explain, generate_root, host, internal, lease_targets, leases,
    lockouts, loggers, metrics, mounts, namespaces, password_policies, plugins, policies, quotas,
    remount, rotation, seal, tools, tune, wrapping,
};

/// The engine behind the `sys/` of one namespace.
pub struct System {
    core: Weak<Core>,
    pub(crate) storage: View,
    /// The latest moves of mounts, oldest first.
    pub(crate) migrations: Mutex<VecDeque<Migration>>,
}

/// The engine as the registry knows it. It administrates `core`, which in turn owns the engine.
pub fn kind(core: &Weak<Core>) -> Kind {
    let core = core.clone();
    Kind::with(move |mount: Mount| {
        let core = core.clone();
        async move {
            if mount.namespace.is_root() {
                host::note_version(&mount.storage, mount.clock.now()).await?;
            }
            Ok(System { core, storage: mount.storage, migrations: Mutex::default() })
        }
    })
}

impl System {
    /// # Errors
    /// `Sealed` if the server is on its way down.
    pub(crate) fn core(&self) -> Result<Arc<Core>> {
        self.core.upgrade().ok_or_else(Error::sealed)
    }
}

impl Engine for System {
    const META: &'static Meta = &Meta {
        name: "system",
        version: None,
        role: Role::Secrets,
        summary: "system endpoints used for control, policy and debugging",
        built_in: true,
    };

    /// # Errors
    /// `Internal` always: it is opened by [`kind`], which knows the core.
    async fn open(_: Mount) -> Result<Self> {
        Err(Error::internal("the system engine was opened without a core"))
    }

    fn routes(table: &mut Routes<Self>) {
        audit::routes(table);
        capabilities::routes(table);
        config::routes(table);
        explain::routes(table);
        generate_root::routes(table);
        host::routes(table);
        internal::routes(table);
        leases::routes(table);
        lease_targets::routes(table);
        lockouts::routes(table);
        loggers::routes(table);
        metrics::routes(table);
        mounts::routes(table);
        namespaces::routes(table);
        password_policies::routes(table);
        plugins::routes(table);
        policies::routes(table);
        quotas::routes(table);
        remount::routes(table);
        rotation::routes(table);
        seal::routes(table);
        tools::routes(table);
        tune::routes(table);
        wrapping::routes(table);
    }
}
