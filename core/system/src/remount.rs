use std::sync::{Arc, PoisonError};

use base_crypto::random_uuid;
use base_types::{Error, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

/// How many finished moves can be asked about.
const KEPT: usize = 100;

/// A move of a mount. A failed one answers its request with the error and is not kept.
#[derive(Clone, Serialize)]
pub(crate) struct Migration {
    migration_id: String,
    migration_info: MigrationInfo,
}

#[derive(Clone, Serialize)]
struct MigrationInfo {
    source_mount: String,
    target_mount: String,
    status: &'static str,
}

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Write, "remount", remount)
        .sudo()
        .summary("Move a mount to another path. Its data stays, its leases are revoked.");
    table
        .on(Verb::Read, "remount/status/{migration_id}", status)
        .summary("What became of a move. It is finished when its request is answered.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Remount {
    /// The present path; below `auth/` for an auth method.
    from: String,
    /// The new path, of the same kind.
    to: String,
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    /// What the move answered.
    migration_id: String,
}

#[derive(Serialize)]
struct Moved {
    migration_id: String,
}

async fn remount(system: Arc<System>, call: Call, request: Remount) -> Result<Response> {
    let scope = system.scope(&call)?;
    let Remount { from, to } = &request;
    let (from, to) = (from.trim_matches('/'), to.trim_matches('/'));
    if from.is_empty() || to.is_empty() {
        return Err(Error::invalid("both 'from' and 'to' path must be specified as a string"));
    }
    let mount = scope.mount(from);
    let mount = mount.ok_or_else(|| Error::invalid(format!("no matching mount at \"{from}/\"")))?;
    scope.core.remount(&mount, to).await?;
    let migration_id = random_uuid(&*scope.core.random);
    let migration_info = MigrationInfo {
        source_mount: format!("{from}/"),
        target_mount: format!("{to}/"),
        status: "success",
    };
    let mut migrations = system.migrations.lock().unwrap_or_else(PoisonError::into_inner);
    if migrations.len() >= KEPT {
        migrations.pop_front();
    }
    migrations.push_back(Migration { migration_id: migration_id.clone(), migration_info });
    drop(migrations);
    Response::data(&Moved { migration_id })
}

async fn status(system: Arc<System>, _: Call, request: Id) -> Result<Response> {
    let migrations = system.migrations.lock().unwrap_or_else(PoisonError::into_inner);
    let found = migrations.iter().find(|one| one.migration_id == request.migration_id).cloned();
    drop(migrations);
    Response::data(&found.ok_or_else(|| Error::not_found(""))?)
}
