use std::sync::Arc;

use base_crypto::random_uuid;
use base_types::{Error, Result};
use core_engine_api::{Call, Response, Role, Routes, Verb};
use core_pipeline::Core;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::mount_info::ENGINE_VERSION;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "plugins/catalog", catalog)
        .summary("List the engines that can be enabled; all are a part of the server.");
    table
        .on(Verb::List, "plugins/catalog/{type}", list)
        .sudo()
        .summary("List the engines of one type.");
    table.on(Verb::Read, "plugins/catalog/{type}/{name}", read).sudo().summary("Show an engine.");
    table
        .on(Verb::Write, "plugins/reload/backend", reload)
        .summary("Open the engines of some mounts again over what they stored.");
}

#[derive(Deserialize, JsonSchema)]
struct OfType {
    /// `auth`, `database` or `secret`.
    r#type: String,
}

#[derive(Deserialize, JsonSchema)]
struct Named {
    /// `auth`, `database` or `secret`.
    r#type: String,
    /// The name of the engine.
    name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Reload {
    /// All mounts with this engine.
    plugin: String,
    /// These mounts.
    mounts: Vec<String>,
    /// Accepted as in Vault; there is one node.
    #[allow(dead_code)] // Known, so that it is no unrecognized parameter.
    scope: String,
}

#[derive(Serialize)]
struct Catalog {
    auth: Vec<&'static str>,
    database: Vec<&'static str>,
    secret: Vec<&'static str>,
    detailed: Vec<Brief>,
}

#[derive(Serialize)]
struct Brief {
    builtin: bool,
    deprecation_status: &'static str,
    name: &'static str,
    r#type: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Shown {
    args: Option<()>,
    builtin: bool,
    command: &'static str,
    declarative: bool,
    deprecation_status: &'static str,
    name: String,
    oci: bool,
    sha256: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Reloaded {
    reload_id: String,
}

async fn catalog(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let core = system.server(&call)?;
    let (auth, secret) = (names(&core, "auth")?, names(&core, "secret")?);
    let brief = |r#type: &'static str| {
        move |name: &&'static str| Brief {
            builtin: true,
            deprecation_status: "supported",
            name,
            r#type,
            version: ENGINE_VERSION,
        }
    };
    let detailed =
        auth.iter().map(brief("auth")).chain(secret.iter().map(brief("secret"))).collect();
    Response::data(&Catalog { auth, database: Vec::new(), secret, detailed })
}

async fn list(system: Arc<System>, call: Call, request: OfType) -> Result<Response> {
    let core = system.server(&call)?;
    let names = names(&core, &request.r#type)?;
    Response::keys(names.into_iter().map(str::to_owned).collect())
}

async fn read(system: Arc<System>, call: Call, request: Named) -> Result<Response> {
    let core = system.server(&call)?;
    let Named { r#type, name } = request;
    if !names(&core, &r#type)?.contains(&name.as_str()) {
        return Err(Error::not_found(""));
    }
    Response::data(&Shown {
        args: None,
        builtin: true,
        command: "",
        declarative: false,
        deprecation_status: "supported",
        name,
        oci: false,
        sha256: "",
        version: ENGINE_VERSION,
    })
}

async fn reload(system: Arc<System>, call: Call, request: Reload) -> Result<Response> {
    let scope = system.scope(&call)?;
    let Reload { plugin, mounts: paths, .. } = request;
    let all = scope.core.mounts_in(&scope.namespace);
    let mut chosen = Vec::new();
    match (plugin.is_empty(), paths.is_empty()) {
        (true, true) => return Err(Error::invalid("plugin or mounts must be provided")),
        (false, false) => {
            return Err(Error::invalid("plugin and mounts cannot be set at the same time"));
        }
        (false, true) => chosen.extend(all.iter().filter(|mount| mount.record.kind == plugin)),
        (true, false) => {
            for path in paths {
                let folder = format!("{}/", path.trim_matches('/'));
                let mount = all.iter().find(|mount| mount.record.path == folder);
                chosen.push(mount.ok_or_else(|| {
                    Error::invalid(format!("cannot fetch mount entry on {folder:?}"))
                })?);
            }
        }
    }
    if !plugin.is_empty() && !scope.core.kinds().iter().any(|kind| kind.meta().name == plugin) {
        return Err(Error::invalid(format!("plugin not found in the catalog: {plugin:?}")));
    }
    for mount in chosen {
        scope.core.reopen(mount).await?;
    }
    Response::data(&Reloaded { reload_id: random_uuid(&*scope.core.random) })
}

fn names(core: &Core, r#type: &str) -> Result<Vec<&'static str>> {
    let role = match r#type {
        "auth" => Role::Auth,
        "secret" => Role::Secrets,
        "database" => return Ok(Vec::new()),
        _ => return Err(Error::invalid("the type of a plugin is auth, database or secret")),
    };
    let kinds = core.kinds().iter().map(|kind| kind.meta());
    let mut names: Vec<_> =
        kinds.filter(|meta| meta.role == role && !meta.built_in).map(|meta| meta.name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
