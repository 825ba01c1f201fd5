use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Namespace, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::NamespaceEntry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::System;
use crate::scope::{Scope, named};

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::List, "namespaces", list)
        .summary("List the namespaces directly below this one.");
    table.on(Verb::Scan, "namespaces", scan).summary("List all namespaces below this one.");
    table.on(Verb::Read, "namespaces/{path..}", read).summary("Show a namespace.");
    table
        .on(Verb::Write, "namespaces/{path..}", write)
        .summary("Create a namespace, or replace its metadata.");
    table
        .on(Verb::Patch, "namespaces/{path..}", patch)
        .summary("Change a part of the metadata of a namespace.");
    table
        .on(Verb::Delete, "namespaces/{path..}", delete)
        .summary("Delete a namespace with everything in it.");
}

#[derive(Deserialize, JsonSchema)]
struct At {
    /// The name of the namespace, directly below that of the request.
    path: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Write {
    /// The name of the namespace, directly below that of the request.
    path: String,
    /// Names and values for people and their tools; each value is a text.
    custom_metadata: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Patch {
    /// The name of the namespace, directly below that of the request.
    path: String,
    /// Names and values, each a text; null removes a name.
    custom_metadata: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct Shown {
    custom_metadata: BTreeMap<String, String>,
    id: String,
    locked: bool,
    path: String,
    tainted: bool,
    uuid: String,
}

/// What Vault's command line waits for. Here the deletion is over when it is answered.
#[derive(Serialize)]
struct Deletion {
    status: &'static str,
}

impl From<&NamespaceEntry> for Shown {
    fn from(entry: &NamespaceEntry) -> Self {
        Self {
            custom_metadata: entry.record.custom_metadata.clone(),
            id: entry.record.id.to_string(),
            locked: false,
            path: entry.path.to_string(),
            tainted: entry.record.deleting,
            uuid: entry.record.uuid.clone(),
        }
    }
}

async fn list(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    answer(&scope, scope.core.namespaces.children(&scope.namespace.path))
}

async fn scan(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let scope = system.scope(&call)?;
    let mut below = scope.core.namespaces.below(&scope.namespace.path);
    below.retain(|entry| entry.path != scope.namespace.path);
    answer(&scope, below)
}

fn answer(scope: &Scope, entries: Vec<Arc<NamespaceEntry>>) -> Result<Response> {
    let own = scope.namespace.path.as_str().len();
    let shown = |entry: &Arc<NamespaceEntry>| {
        (entry.path.as_str()[own..].to_owned(), Shown::from(&**entry))
    };
    Response::keys_with(entries.iter().map(shown).collect())
}

async fn read(system: Arc<System>, call: Call, request: At) -> Result<Response> {
    let scope = system.scope(&call)?;
    let entry = scope.core.namespaces.find(&scope.child(&request.path)?);
    Response::data(&Shown::from(&*entry.ok_or_else(|| Error::not_found(""))?))
}

async fn write(system: Arc<System>, call: Call, request: Write) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = scope.child(&request.path)?;
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(Error::invalid("custom_metadata values must be strings")),
    };
    let metadata = request.custom_metadata.into_iter().map(text).collect::<Result<_>>()?;
    let entry = match scope.core.namespaces.find(&path) {
        Some(_) => scope.core.update_namespace(&path, metadata).await?,
        None => scope.core.create_namespace(&path, metadata).await?,
    };
    Response::data(&Shown::from(&*entry))
}

async fn patch(system: Arc<System>, call: Call, request: Patch) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = scope.child(&request.path)?;
    let entry = scope.core.namespaces.find(&path);
    let entry = entry.ok_or_else(|| Error::invalid("namespace not found"))?;
    let mut metadata = entry.record.custom_metadata.clone();
    for (name, value) in request.custom_metadata {
        match value {
            Value::String(text) => metadata.insert(name, text),
            Value::Null => metadata.remove(&name),
            _ => {
                let fault = "metadata patch can only have string or null values";
                return Err(Error::invalid(fault));
            }
        };
    }
    Response::data(&Shown::from(&*scope.core.update_namespace(&path, metadata).await?))
}

async fn delete(system: Arc<System>, call: Call, request: At) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = scope.child(&request.path)?;
    if scope.core.namespaces.find(&path).is_none() {
        return Ok(Response::none().warn("requested namespace does not exist"));
    }
    scope.core.delete_namespace(&path).await?;
    Response::data(&Deletion { status: "in-progress" })
}

impl Scope {
    /// The namespace called `name` directly below this one. Deeper ones are administrated from
    /// their parent, under its policies.
    ///
    /// # Errors
    /// `Unsupported` if the name is empty, `Invalid` if it cannot be the name of a namespace.
    fn child(&self, name: &str) -> Result<Namespace> {
        if name.contains('/') {
            return Err(Error::invalid("namespace name cannot contain /"));
        }
        self.namespace.path.child(named(name)?)
    }
}
