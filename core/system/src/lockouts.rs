use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::{Call, Response, Role, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "locked-users", list)
        .summary("List the accounts that are locked after too many wrong logins.");
    table
        .on(Verb::Write, "locked-users/{mount_accessor}/unlock/{alias_identifier}", unlock)
        .summary("Let an account log in again at once.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct List {
    /// Only accounts of this auth mount.
    mount_accessor: String,
}

#[derive(Deserialize, JsonSchema)]
struct Account {
    /// The accessor of the auth mount.
    mount_accessor: String,
    /// The name of the account there.
    alias_identifier: String,
}

#[derive(Serialize)]
struct Locked {
    by_namespace: [ByNamespace; 1],
    total: usize,
}

#[derive(Serialize)]
struct ByNamespace {
    namespace_id: String,
    namespace_path: String,
    counts: usize,
    mount_accessors: Vec<ByMount>,
}

#[derive(Serialize)]
struct ByMount {
    mount_accessor: String,
    counts: usize,
    alias_identifiers: Vec<String>,
}

async fn list(system: Arc<System>, call: Call, request: List) -> Result<Response> {
    let scope = system.scope(&call)?;
    let (core, now) = (&scope.core, scope.core.clock.now());
    let mut locked = BTreeMap::<String, Vec<String>>::new();
    let counted = core.lockouts.counted();
    for mount in core.mounts_in(&scope.namespace) {
        let accessor = &mount.record.accessor;
        if mount.role() != Role::Auth
            || (!request.mount_accessor.is_empty() && request.mount_accessor != *accessor)
        {
            continue;
        }
        let tuned = mount.record.config.lockout;
        let Some(config) = tuned.or(core.settings.lockouts.get(&mount.record.kind).copied()) else {
            continue;
        };
        for (_, alias, _) in counted.iter().filter(|(mount, ..)| mount == accessor) {
            let account = (accessor.clone(), alias.clone());
            if core.lockouts.is_locked(&account, &config, now) {
                locked.entry(accessor.clone()).or_default().push(alias.clone());
            }
        }
    }
    let total = locked.values().map(Vec::len).sum();
    let mount_accessors = locked
        .into_iter()
        .map(|(mount_accessor, mut alias_identifiers)| {
            alias_identifiers.sort();
            ByMount { mount_accessor, counts: alias_identifiers.len(), alias_identifiers }
        })
        .collect();
    let namespace = ByNamespace {
        namespace_id: scope.id().to_owned(),
        namespace_path: scope.namespace.path.to_string(),
        counts: total,
        mount_accessors,
    };
    Response::data(&Locked { by_namespace: [namespace], total })
}

async fn unlock(system: Arc<System>, call: Call, request: Account) -> Result<Response> {
    let scope = system.scope(&call)?;
    let Account { mount_accessor, alias_identifier } = request;
    let mounts = scope.core.mounts_in(&scope.namespace);
    if !mounts.iter().any(|mount| mount.record.accessor == mount_accessor) {
        return Err(Error::invalid("no auth method of this namespace has this accessor"));
    }
    scope.core.lockouts.unlock(&mount_accessor, &alias_identifier);
    Ok(Response::none())
}
