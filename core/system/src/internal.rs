use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, ErrorKind, Result};
use core_engine_api::{Call, Response, Role, Routes, Verb};
use core_pipeline::{MountEntry, Session};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::mount_info::MountInfo;
use crate::openapi;
use crate::scope::{Scope, session};

/// How many keys are counted at a time.
const PAGE: usize = 1000;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "internal/ui/mounts", ui_mounts)
        .open()
        .summary("List the mounts that the caller can use, or that are shown to everybody.");
    table
        .on(Verb::Read, "internal/ui/mounts/{path..}", ui_mount)
        .open()
        .summary("Show the mount that a path lies in.");
    table
        .on(Verb::Read, "internal/ui/resultant-acl", resultant_acl)
        .summary("Show all that the caller may do.");
    table
        .on(Verb::Read, "internal/ui/namespaces", ui_namespaces)
        .open()
        .summary("List the namespaces directly below this one that the caller can use.");
    table
        .on(Verb::Read, "internal/specs/openapi", specification)
        .open()
        .summary("Describe the API of the mounts that the caller can use, as OpenAPI.");
    table
        .on(Verb::Read, "internal/counters/tokens", count_tokens)
        .summary("Count the service tokens of the namespace.");
    table
        .on(Verb::Read, "internal/counters/entities", count_entities)
        .summary("Count the entities of the namespace.");
    table
        .on(Verb::Read, "internal/counters/requests", count_requests)
        .summary("Count the requests since the server started.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct At {
    /// A path, with what lies below the mount or without.
    path: String,
}

#[derive(Default, Serialize)]
struct Mounts<'a> {
    auth: BTreeMap<&'a str, Seen<'a>>,
    secret: BTreeMap<&'a str, Seen<'a>>,
}

/// What somebody learns of a mount.
#[derive(Serialize)]
#[serde(untagged)]
enum Seen<'a> {
    Glimpse { description: &'a str, options: Option<&'a BTreeMap<String, String>>, r#type: &'a str },
    Whole(Box<MountInfo<'a>>),
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    info: MountInfo<'a>,
    path: &'a str,
}

#[derive(Serialize)]
struct ResultantAcl {
    root: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exact_paths: Option<BTreeMap<String, Capabilities>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    glob_paths: Option<BTreeMap<String, Capabilities>>,
}

#[derive(Serialize)]
struct Capabilities {
    capabilities: core_policy::Capabilities,
}

#[derive(Serialize)]
struct Keys {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
}

async fn ui_mounts(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let session = scope.session(&call);
    let mounts = scope.core.mounts_in(&scope.namespace);
    let mut shown = Mounts::default();
    for mount in &mounts {
        let Some(seen) = see(mount, session.as_deref()) else { continue };
        let list = match mount.role() {
            Role::Auth => &mut shown.auth,
            Role::Secrets => &mut shown.secret,
        };
        list.insert(mount.shown_path(), seen);
    }
    Response::data(&shown)
}

fn see<'a>(mount: &'a MountEntry, session: Option<&Session>) -> Option<Seen<'a>> {
    if session.is_some_and(|session| session.acl.reaches(&mount.full_path)) {
        return Some(Seen::Whole(Box::new(MountInfo::from(mount))));
    }
    let record = &mount.record;
    (record.config.listing_visibility == "unauth").then(|| Seen::Glimpse {
        description: &record.description,
        options: (!record.options.is_empty()).then_some(&record.options),
        r#type: &record.kind,
    })
}

async fn ui_mount(system: Arc<System>, call: Call, request: At) -> Result<Response> {
    let scope = system.scope(&call)?;
    let session = scope.session(&call).ok_or_else(Error::denied)?;
    let folder = format!("{}/", request.path);
    let mount = scope.core.mount_of(&scope.namespace.path, &folder);
    // Whether there is no such mount, or one that the caller cannot use, looks the same.
    let mount = mount.filter(|mount| session.acl.reaches(&mount.full_path)).ok_or_else(|| {
        let text = format!(
            "preflight capability check returned 403, please ensure client's policies grant \
             access to path {folder:?}"
        );
        Error::new(ErrorKind::Denied, text)
    })?;
    // As seen from the namespace of the request: the mount may lie in one below.
    let path = &mount.full_path[scope.namespace.path.as_str().len()..];
    let path = path.strip_prefix("auth/").unwrap_or(path);
    Response::data(&Found { info: MountInfo::from(&*mount), path })
}

async fn resultant_acl(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let session = scope.session(&call).ok_or_else(Error::denied)?;
    if session.acl.is_root(&scope.namespace.path) {
        return Response::data(&ResultantAcl { root: true, exact_paths: None, glob_paths: None });
    }
    let (mut exact_paths, mut glob_paths) = (BTreeMap::new(), BTreeMap::new());
    for rule in session.acl.rules() {
        // Paths are shown as they are seen from the namespace of the request.
        let Some(path) = rule.path.strip_prefix(scope.namespace.path.as_str()) else { continue };
        let capabilities = Capabilities { capabilities: rule.capabilities };
        match rule.kind {
            "exact" => exact_paths.insert(path.to_owned(), capabilities),
            "prefix" => glob_paths.insert(path.trim_end_matches('*').to_owned(), capabilities),
            // Vault's answer has no place for rules with a `+`.
            _ => None,
        };
    }
    let (exact_paths, glob_paths) = (Some(exact_paths), Some(glob_paths));
    Response::data(&ResultantAcl { root: false, exact_paths, glob_paths })
}

async fn ui_namespaces(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let session = scope.session(&call).ok_or_else(Error::denied)?;
    let own = scope.namespace.path.as_str().len();
    let mut below = scope.core.namespaces.children(&scope.namespace.path);
    below.retain(|entry| session.acl.reaches(entry.path.as_str()));
    let keys = below.iter().map(|entry| entry.path.as_str()[own..].to_owned()).collect();
    Response::data(&Keys { keys })
}

async fn specification(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut mounts = match scope.session(&call) {
        Some(session) => {
            let mut mounts = scope.core.mounts_in(&scope.namespace);
            mounts.retain(|mount| session.acl.reaches(&mount.full_path));
            mounts
        }
        None => Vec::new(),
    };
    mounts.sort_by(|a, b| a.record.path.cmp(&b.record.path));
    let parts = mounts.iter().map(|mount| (mount.record.path.as_str(), mount.kind.endpoints()));
    let document = openapi::document(parts);
    Ok(Response::raw("application/json", document.to_string()))
}

async fn count_tokens(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let (mut total, mut after) = (0, String::new());
    loop {
        let page = scope.core.tokens.accessors(scope.id(), &after, PAGE).await?;
        total += page.len();
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(last),
            _ => break,
        }
    }
    Response::data(&serde_json::json!({ "counters": { "service_tokens": { "total": total } } }))
}

async fn count_entities(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let folder = format!("entity/id/{}/", scope.id());
    let (mut total, mut after) = (0, String::new());
    loop {
        let page = scope.core.state.keys(&folder, &after, PAGE).await?;
        total += page.len();
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(last),
            _ => break,
        }
    }
    Response::data(&serde_json::json!({ "counters": { "entities": { "total": total } } }))
}

async fn count_requests(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let core = system.server(&call)?;
    let counted =
        serde_json::json!({ "start_time": core.started, "total": core.counters.requests.get() });
    Response::data(&serde_json::json!({ "counters": [counted] }))
}

impl Scope {
    /// The caller, if their token is good in this namespace. For paths that are open, where the
    /// pipeline has not checked that.
    pub(crate) fn session(&self, call: &Call) -> Option<Arc<Session>> {
        session(call).filter(|session| session.namespace.path.contains(&self.namespace.path))
    }
}
