use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use core_pipeline::Cors;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "config/cors", read_cors)
        .sudo()
        .summary("Show which web pages may call the API.");
    table.on(Verb::Write, "config/cors", write_cors).sudo().summary("Let web pages call the API.");
    table
        .on(Verb::Delete, "config/cors", delete_cors)
        .sudo()
        .summary("Let no web page call the API.");
    table
        .on(Verb::List, "config/ui/headers", list_headers)
        .sudo()
        .summary("List the response headers that are set for the web console.");
    table
        .on(Verb::Read, "config/ui/headers/{header}", read_header)
        .sudo()
        .summary("Show a response header of the web console.");
    table
        .on(Verb::Write, "config/ui/headers/{header}", write_header)
        .sudo()
        .summary("Set a response header of the web console.");
    table
        .on(Verb::Delete, "config/ui/headers/{header}", delete_header)
        .sudo()
        .summary("Remove a response header of the web console.");
    table
        .on(Verb::Read, "config/state/sanitized", sanitized)
        .summary("Show the server's configuration without its secrets.");
    table
        .on(Verb::Write, "config/reload/{subsystem}", reload)
        .sudo()
        .summary("Let a part of the server open its files again.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteCors {
    /// False switches CORS off.
    enabled: Option<bool>,
    /// Origins such as `https://vault.example.org`, or `*` alone.
    allowed_origins: Vec<String>,
    /// Request headers besides those that clients always send.
    allowed_headers: Vec<String>,
    /// Let browsers send credentials.
    allow_credentials: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct HeaderName {
    /// The name of the header.
    header: String,
    /// Answer all values as a list instead of the first alone.
    multivalue: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Header {
    /// The name of the header.
    header: String,
    /// Its values.
    values: Vec<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Subsystem {
    /// `audit`: the files and connections of all audit devices.
    subsystem: String,
}

#[derive(Serialize)]
struct ShownCors<'a> {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_credentials: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_headers: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed_origins: &'a [String],
}

#[derive(Serialize)]
struct Value<'a> {
    value: &'a str,
}

#[derive(Serialize)]
struct Values<'a> {
    values: &'a [String],
}

async fn read_cors(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let cors = system.server(&call)?.cors();
    let shown = match &cors {
        None => ShownCors {
            enabled: false,
            allow_credentials: None,
            allowed_headers: Vec::new(),
            allowed_origins: &[],
        },
        Some(cors) => ShownCors {
            enabled: true,
            allow_credentials: Some(cors.allow_credentials),
            allowed_headers: cors.headers().collect(),
            allowed_origins: &cors.allowed_origins,
        },
    };
    Response::data(&shown)
}

async fn write_cors(system: Arc<System>, call: Call, request: WriteCors) -> Result<Response> {
    let core = system.server(&call)?;
    let WriteCors { enabled, allowed_origins, allowed_headers, allow_credentials } = request;
    if enabled == Some(false) {
        core.write_cors(None).await?;
        return Ok(Response::none());
    }
    let is_any = allowed_origins.iter().any(|origin| origin == "*");
    if allowed_origins.is_empty() {
        return Err(Error::invalid("at least one origin or the wildcard must be provided"));
    }
    if is_any && allowed_origins.len() > 1 {
        return Err(Error::invalid("to allow all origins the '*' must be the only value"));
    }
    core.write_cors(Some(Cors { allowed_origins, allowed_headers, allow_credentials })).await?;
    Ok(Response::none())
}

async fn delete_cors(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?.write_cors(None).await?;
    Ok(Response::none())
}

async fn list_headers(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let headers = system.server(&call)?.ui_headers().await?;
    Response::keys(headers.into_keys().collect())
}

async fn read_header(system: Arc<System>, call: Call, request: HeaderName) -> Result<Response> {
    let headers = system.server(&call)?.ui_headers().await?;
    let values = headers.get(&request.header).ok_or_else(|| Error::not_found(""))?;
    match values.first() {
        Some(value) if !request.multivalue => Response::data(&Value { value }),
        _ => Response::data(&Values { values }),
    }
}

async fn write_header(system: Arc<System>, call: Call, request: Header) -> Result<Response> {
    let core = system.server(&call)?;
    let Header { header, values } = request;
    if header.to_ascii_lowercase().starts_with("x-vault-") {
        return Err(Error::invalid("X-Vault headers cannot be set"));
    }
    if header.is_empty() || values.is_empty() {
        return Err(Error::invalid("header and values must be specified"));
    }
    let fits =
        |text: &String| text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    let is_token =
        header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_token || !values.iter().all(fits) {
        return Err(Error::invalid(
            "a header is letters, digits and '-', its values printable ASCII",
        ));
    }
    let mut headers = core.ui_headers().await?;
    headers.insert(header, values);
    core.write_ui_headers(headers).await?;
    Ok(Response::none())
}

async fn delete_header(system: Arc<System>, call: Call, request: HeaderName) -> Result<Response> {
    let core = system.server(&call)?;
    let mut headers = core.ui_headers().await?;
    headers.remove(&request.header);
    core.write_ui_headers(headers).await?;
    Ok(Response::none())
}

async fn sanitized(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    Response::data(&system.server(&call)?.settings.sanitized)
}

async fn reload(system: Arc<System>, call: Call, request: Subsystem) -> Result<Response> {
    let core = system.server(&call)?;
    match request.subsystem.as_str() {
        "audit" => core.audit()?.reopen().await?,
        other => {
            return Err(Error::invalid(format!("unknown subsystem {other:?}: there is \"audit\"")));
        }
    }
    Ok(Response::none())
}
