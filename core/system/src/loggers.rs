use std::sync::Arc;

use base_types::{Error, Result};
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::System;

/// <https://openbao.org/api-docs/system/loggers/>
pub(crate) fn routes(table: &mut Routes<System>) {
    table.on(Verb::Read, "loggers", levels).summary("Show at which level each logger logs.");
    table.on(Verb::Write, "loggers", set).summary("Set the level of all loggers.");
    table
        .on(Verb::Delete, "loggers", revert)
        .summary("Give all loggers the level of the configuration back.");
    table.on(Verb::Read, "loggers/{name}", levels).summary("Show at which level a logger logs.");
    table.on(Verb::Write, "loggers/{name}", set).summary("Set the level of a logger.");
    table
        .on(Verb::Delete, "loggers/{name}", revert)
        .summary("Give a logger the level of the configuration back.");
    table
        .on(Verb::Read, "in-flight-req", in_flight)
        .summary("List the requests that are being answered.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Logger {
    /// The logger; all of them if there is none.
    name: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct SetLevel {
    /// The logger; all of them if there is none.
    name: Option<String>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    level: String,
}

async fn levels(system: Arc<System>, call: Call, request: Logger) -> Result<Response> {
    let core = system.server(&call)?;
    let mut levels = core.settings.loggers.as_ref().map(|it| it.levels()).unwrap_or_default();
    if let Some(name) = request.name {
        levels.retain(|logger, _| *logger == name);
    }
    Response::data(&levels)
}

async fn set(system: Arc<System>, call: Call, request: SetLevel) -> Result<Response> {
    let core = system.server(&call)?;
    if request.level.is_empty() {
        return Err(Error::invalid("level is required"));
    }
    if let Some(loggers) = &core.settings.loggers {
        loggers.set(request.name.as_deref(), &request.level)?;
    }
    Ok(Response::none())
}

async fn revert(system: Arc<System>, call: Call, request: Logger) -> Result<Response> {
    let core = system.server(&call)?;
    if let Some(loggers) = &core.settings.loggers {
        loggers.revert(request.name.as_deref())?;
    }
    Ok(Response::none())
}

async fn in_flight(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let flights = system.server(&call)?.in_flight.snapshot();
    let body = serde_json::to_vec(&flights).map_err(Error::internal)?;
    Ok(Response::raw("application/json", body))
}
