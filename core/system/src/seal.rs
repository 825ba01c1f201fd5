use std::sync::Arc;

use base_types::{Result, Ttl};
use core_barrier::RotationConfig;
use core_engine_api::{Call, Response, Routes, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Write, "seal", seal)
        .sudo()
        .summary("Seal the server: it forgets its keys and answers nothing until it is unsealed.");
    table
        .on(Verb::Write, "step-down", step_down)
        .sudo()
        .summary("Give up leadership. A single node stays what it is.");
    table
        .on(Verb::Read, "key-status", key_status)
        .summary("Show the age and the use of the encryption key.");
    for pattern in ["rotate", "rotate/keyring"] {
        table
            .on(Verb::Write, pattern, rotate)
            .sudo()
            .summary("Take a new encryption key into use.");
    }
    for pattern in ["rotate/config", "rotate/keyring/config"] {
        table
            .on(Verb::Read, pattern, read_config)
            .summary("Show when a new encryption key is taken into use by itself.");
        table
            .on(Verb::Write, pattern, write_config)
            .summary("Set when a new encryption key is taken into use by itself.");
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WriteConfig {
    /// If false, only the absolute limit of the key holds.
    enabled: Option<bool>,
    /// How many encryptions a key does, 1,000,000 to 3,865,470,566.
    max_operations: Option<u64>,
    /// How long a key is used, at least 24 hours; zero for no limit.
    interval: Option<Ttl>,
}

#[derive(Serialize)]
struct KeyStatus {
    encryptions: u64,
    install_time: base_types::Timestamp,
    term: u32,
}

#[derive(Serialize)]
struct ShownConfig {
    enabled: bool,
    interval: Interval,
    max_operations: u64,
}

/// As Vault shows it: the number zero, or a text.
#[derive(Serialize)]
#[serde(untagged)]
enum Interval {
    None(u64),
    Some(String),
}

async fn seal(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?.seal().await;
    Ok(Response::none())
}

async fn step_down(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?;
    Ok(Response::none())
}

async fn key_status(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let status = system.server(&call)?.barrier.key_status()?;
    Response::data(&KeyStatus {
        encryptions: status.encryptions,
        install_time: status.install_time,
        term: status.term,
    })
}

async fn rotate(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    system.server(&call)?.barrier.rotate().await?;
    Ok(Response::none())
}

async fn read_config(system: Arc<System>, call: Call, (): ()) -> Result<Response> {
    let RotationConfig { max_operations, interval, enabled } =
        system.server(&call)?.barrier.rotation_config()?;
    let interval =
        if interval.is_zero() { Interval::None(0) } else { Interval::Some(interval.to_string()) };
    Response::data(&ShownConfig { enabled, interval, max_operations })
}

async fn write_config(system: Arc<System>, call: Call, request: WriteConfig) -> Result<Response> {
    let core = system.server(&call)?;
    let now = core.barrier.rotation_config()?;
    let config = RotationConfig {
        max_operations: request.max_operations.unwrap_or(now.max_operations),
        interval: request.interval.unwrap_or(now.interval),
        enabled: request.enabled.unwrap_or(now.enabled),
    };
    core.barrier.set_rotation_config(config).await?;
    Ok(Response::none())
}
