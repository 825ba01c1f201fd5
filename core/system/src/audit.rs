use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_audit::{DeviceConfig, Kind};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::scope::named;

pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Read, "audit", list).sudo().summary("List the audit devices.");
    table.on(Verb::Write, "audit/{path..}", enable).sudo().summary("Enable an audit device.");
    table.on(Verb::Delete, "audit/{path..}", disable).sudo().summary("Disable an audit device.");
    table
        .on(Verb::Write, "audit-hash/{path..}", hash)
        .summary("The hash that stands for a value in the log of an audit device.");
    table
        .on(Verb::Read, "config/auditing/request-headers", headers)
        .sudo()
        .summary("List the request headers that are audited.");
    table
        .on(Verb::Read, "config/auditing/request-headers/{header}", header)
        .sudo()
        .summary("Show whether a request header is audited.");
    table
        .on(Verb::Write, "config/auditing/request-headers/{header}", write_header)
        .sudo()
        .summary("Audit a request header.");
    table
        .on(Verb::Delete, "config/auditing/request-headers/{header}", delete_header)
        .sudo()
        .summary("Audit a request header no more.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct At {
    /// The path of the device.
    path: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Enable {
    /// The path of the device.
    path: String,
    /// `file`, `http`, `socket` or `syslog`.
    #[serde(rename = "type")]
    kind: String,
    /// What it is for, for people.
    description: String,
    /// Its options, such as `file_path`.
    options: BTreeMap<String, String>,
    /// Kept and shown; without effect on a single node.
    local: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Hash {
    /// The path of the device.
    path: String,
    /// The value.
    input: base_types::Secret<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Header {
    /// The name of the header; case does not matter.
    header: String,
    /// Record a hash of the value instead of the value.
    hmac: bool,
}

#[derive(Deserialize, JsonSchema)]
struct HeaderName {
    /// The name of the header; case does not matter.
    header: String,
}

#[derive(Serialize)]
struct Hashed {
    hash: String,
}

#[derive(Serialize)]
struct Headers {
    headers: BTreeMap<String, Audited>,
}

#[derive(Serialize)]
struct Audited {
    hmac: bool,
}

async fn list(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let devices = system.server(&call)?.audit()?.list();
    let by_path: BTreeMap<&str, &DeviceConfig> =
        devices.iter().map(|device| (device.path.as_str(), device)).collect();
    Response::data(&by_path)
}

async fn enable(system: Arc<System>, call: Call, request: Enable) -> Result<Response> {
    let core = system.server(&call)?;
    let Enable { path, kind, description, options, local } = request;
    let kind = Kind::parse(&kind)?;
    core.enable_audit(DeviceConfig { path: device(&path)?, kind, description, options, local })
        .await?;
    Ok(Response::none())
}

async fn disable(system: Arc<System>, call: Call, request: At) -> Result<Response> {
    system.server(&call)?.disable_audit(&device(&request.path)?).await?;
    Ok(Response::none())
}

async fn hash(system: Arc<System>, call: Call, request: Hash) -> Result<Response> {
    let core = system.server(&call)?;
    if request.input.expose().is_empty() {
        return Err(Error::invalid("the \"input\" parameter is empty"));
    }
    let hash = core.audit()?.hash(&device(&request.path)?, request.input.expose())?;
    Response::data(&Hashed { hash })
}

async fn headers(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let headers = system.server(&call)?.audit_headers().await?;
    let shown = headers.into_iter().map(|(name, hmac)| (name, Audited { hmac }));
    Response::data(&Headers { headers: shown.collect() })
}

async fn header(system: Arc<System>, call: Call, request: HeaderName) -> Result<Response> {
    let headers = system.server(&call)?.audit_headers().await?;
    let hmac = headers.get(&request.header.to_lowercase());
    let hmac = *hmac.ok_or_else(|| Error::invalid("Could not find header in config"))?;
    Response::data(&BTreeMap::from([(request.header, Audited { hmac })]))
}

async fn write_header(system: Arc<System>, call: Call, request: Header) -> Result<Response> {
    let core = system.server(&call)?;
    let mut headers = core.audit_headers().await?;
    headers.insert(request.header.to_lowercase(), request.hmac);
    core.write_audit_headers(headers).await?;
    Ok(Response::none())
}

async fn delete_header(system: Arc<System>, call: Call, request: HeaderName) -> Result<Response> {
    let core = system.server(&call)?;
    let mut headers = core.audit_headers().await?;
    headers.remove(&request.header.to_lowercase());
    core.write_audit_headers(headers).await?;
    Ok(Response::none())
}

/// The name of a device, as it is stored.
fn device(path: &str) -> Result<String> {
    Ok(format!("{}/", named(path.trim_matches('/'))?))
}
