use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_engine_api::{Call, Response, Role, Routes, Verb};
use core_pipeline::{LockoutConfig, MountConfig, MountEntry, MountRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::fields::{Text, Texts};
use crate::mount_info::{self, token_type};
use crate::mounts::Area;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Read, "mounts/{path..}/tune", |system, call, at| {
            read(system, call, at, Area::Secrets)
        })
        .summary("Show the settings of a mount that are in force.");
    table
        .on(Verb::Write, "mounts/{path..}/tune", |system, call, tune| {
            write(system, call, tune, Area::Secrets)
        })
        .summary("Change the settings of a mount.");
    table
        .on(Verb::Read, "auth/{path..}/tune", |system, call, at| read(system, call, at, Area::Auth))
        .sudo()
        .summary("Show the settings of an auth method that are in force.");
    table
        .on(Verb::Write, "auth/{path..}/tune", |system, call, tune| {
            write(system, call, tune, Area::Auth)
        })
        .sudo()
        .summary("Change the settings of an auth method.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct At {
    /// The path of the mount.
    path: String,
}

/// The settings of a mount. What is left out stays as it is.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Tune {
    /// The path of the mount.
    path: String,
    /// How long tokens and leases live unless they ask for another time; `system` for the server's
    /// own.
    default_lease_ttl: Option<Text>,
    /// The longest that tokens and leases can live; `system` for the server's own.
    max_lease_ttl: Option<Text>,
    /// What the mount is for, for people.
    description: Option<Text>,
    /// Fields of requests that the audit log shows in the clear.
    audit_non_hmac_request_keys: Option<Texts>,
    /// Fields of responses that the audit log shows in the clear.
    audit_non_hmac_response_keys: Option<Texts>,
    /// `unauth` to show the mount to callers without a token, `hidden` or empty not to.
    listing_visibility: Option<Text>,
    /// Kept and shown; engines see no request headers.
    passthrough_request_headers: Option<Texts>,
    /// Kept and shown; engines set no response headers.
    allowed_response_headers: Option<Texts>,
    /// For auth methods: `default-service`, `default-batch`, `service` or `batch`.
    token_type: Option<Text>,
    /// Kept and shown; without effect, since nothing is cached beyond what is right.
    force_no_cache: Option<bool>,
    /// Options of the engine, such as `version` of `kv`.
    options: Option<BTreeMap<String, String>>,
    /// For auth methods: when repeated wrong logins are refused for a while.
    user_lockout_config: Option<Lockout>,
    /// Engines are a part of the server, so this must be empty.
    plugin_version: Option<Text>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Lockout {
    /// How many wrong logins lock an account.
    lockout_threshold: Option<Text>,
    /// How long it stays locked.
    lockout_duration: Option<Text>,
    /// After how long without a wrong login the count starts anew.
    #[serde(alias = "lockout_counter_reset")] // The name in Vault's documentation.
    lockout_counter_reset_duration: Option<Text>,
    /// Nobody is ever locked out.
    lockout_disable: Option<bool>,
}

/// What a tune says about a mount besides its settings.
pub(crate) struct Other {
    pub(crate) description: Option<String>,
    pub(crate) options: BTreeMap<String, String>,
}

impl Tune {
    /// # Errors
    /// `Invalid`, naming the setting, for a value that cannot be.
    pub(crate) fn apply(self, role: Role, config: &mut MountConfig) -> Result<Other> {
        if self.plugin_version.is_some_and(|version| !version.0.is_empty()) {
            return Err(Error::invalid(
                "plugin_version cannot be set: engines are a part of the server",
            ));
        }
        if let Some(ttl) = self.default_lease_ttl {
            config.default_lease_ttl = lease_ttl(&ttl.0, "default")?;
        }
        if let Some(ttl) = self.max_lease_ttl {
            config.max_lease_ttl = lease_ttl(&ttl.0, "max")?;
        }
        if let Some(Text(visibility)) = self.listing_visibility {
            config.listing_visibility = listing_visibility(visibility)?;
        }
        if let Some(Text(name)) = self.token_type.filter(|name| !name.0.is_empty()) {
            config.token_type = checked_token_type(role, name)?;
        }
        if let Some(lockout) = self.user_lockout_config {
            config.lockout = Some(lockout.applied(role, config.lockout.unwrap_or_default())?);
        }
        set(&mut config.audit_non_hmac_request_keys, self.audit_non_hmac_request_keys);
        set(&mut config.audit_non_hmac_response_keys, self.audit_non_hmac_response_keys);
        set(&mut config.passthrough_request_headers, self.passthrough_request_headers);
        set(&mut config.allowed_response_headers, self.allowed_response_headers);
        config.force_no_cache = self.force_no_cache.unwrap_or(config.force_no_cache);
        let description = self.description.map(|text| text.0);
        Ok(Other { description, options: self.options.unwrap_or_default() })
    }
}

impl Lockout {
    fn applied(self, role: Role, mut config: LockoutConfig) -> Result<LockoutConfig> {
        if role != Role::Auth {
            return Err(Error::invalid("'user_lockout_config' can only be set on auth mounts"));
        }
        let ttl = |text: Text, name: &str| {
            text.0.parse::<Ttl>().map_err(|error| error.at(format!("user_lockout_config.{name}")))
        };
        if let Some(Text(count)) = self.lockout_threshold {
            let count = count.parse().ok().filter(|count| *count > 0);
            config.threshold = count.ok_or_else(|| {
                Error::invalid("user_lockout_config.lockout_threshold must be a number above zero")
            })?;
        }
        if let Some(text) = self.lockout_duration {
            config.duration = ttl(text, "lockout_duration")?;
        }
        if let Some(text) = self.lockout_counter_reset_duration {
            config.counter_reset = ttl(text, "lockout_counter_reset_duration")?;
        }
        config.disabled = self.lockout_disable.unwrap_or(config.disabled);
        Ok(config)
    }
}

fn set(value: &mut Vec<String>, update: Option<Texts>) {
    if let Some(Texts(texts)) = update {
        *value = texts;
    }
}

fn lease_ttl(text: &str, which: &str) -> Result<Ttl> {
    if text == "system" {
        return Ok(Ttl::ZERO);
    }
    text.parse().map_err(|error: Error| error.at(format!("unable to parse {which} TTL")))
}

fn listing_visibility(text: String) -> Result<String> {
    match text.as_str() {
        "" | "hidden" | "unauth" => Ok(text),
        _ => Err(Error::invalid(format!("invalid listing_visibility {text}"))),
    }
}

fn checked_token_type(role: Role, name: String) -> Result<String> {
    if role != Role::Auth {
        return Err(Error::invalid("'token_type' can only be modified on auth mounts"));
    }
    match name.as_str() {
        "batch" | "default-batch" | "default-service" | "service" => Ok(name),
        _ => Err(Error::invalid("invalid value for 'token_type'")),
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed_response_headers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    audit_non_hmac_request_keys: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    audit_non_hmac_response_keys: &'a [String],
    default_lease_ttl: Ttl,
    description: &'a str,
    force_no_cache: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    listing_visibility: &'a str,
    max_lease_ttl: Ttl,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    options: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    passthrough_request_headers: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    token_type: &'a str,
    #[serde(flatten)]
    lockout: Option<mount_info::Lockout>,
}

async fn read(system: Arc<System>, call: Call, at: At, area: Area) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = area.mount_path(&at.path);
    let mount = scope.mount(&path);
    let mount = mount
        .ok_or_else(|| Error::invalid(format!("cannot fetch sysview for path \"{path}/\"")))?;
    let (record, limits) = (&mount.record, scope.core.limits(&mount));
    let MountRecord { config, description, options, .. } = record;
    Response::data(&Shown {
        allowed_response_headers: &config.allowed_response_headers,
        audit_non_hmac_request_keys: &config.audit_non_hmac_request_keys,
        audit_non_hmac_response_keys: &config.audit_non_hmac_response_keys,
        default_lease_ttl: limits.default_ttl,
        description,
        force_no_cache: config.force_no_cache,
        listing_visibility: &config.listing_visibility,
        max_lease_ttl: limits.max_ttl,
        options,
        passthrough_request_headers: &config.passthrough_request_headers,
        token_type: token_type(mount.role(), config),
        lockout: config.lockout.map(mount_info::Lockout::from),
    })
}

async fn write(system: Arc<System>, call: Call, tune: Tune, area: Area) -> Result<Response> {
    let scope = system.scope(&call)?;
    let path = area.mount_path(&tune.path);
    let mount = scope.mount(&path).ok_or_else(|| {
        Error::invalid(format!("tune of path \"{path}/\" failed: no mount entry found"))
    })?;
    let mut moved = None;
    scope.core.tune(&mount, |record| change(record, &mount, tune, &mut moved)).await?;
    Ok(match moved {
        Some((from, to)) => Response::none().warn(format!(
            "Upgrading mount from version {from} to version {to}. This mount will be unavailable \
             for a brief period and will resume service shortly."
        )),
        None => Response::none(),
    })
}

/// Notes in `moved` if the engine is exchanged for one of another version.
fn change(
    record: &mut MountRecord,
    mount: &MountEntry,
    tune: Tune,
    moved: &mut Option<(u64, u64)>,
) -> Result<()> {
    let other = tune.apply(mount.role(), &mut record.config)?;
    record.description =
        other.description.unwrap_or_else(|| std::mem::take(&mut record.description));
    let before = version(&record.options)?;
    record.options.extend(other.options);
    let after = version(&record.options)?;
    if after < before {
        return Err(Error::invalid(format!("cannot downgrade mount from version {before}")));
    }
    *moved = (after > before).then_some((before, after));
    Ok(())
}

fn version(options: &BTreeMap<String, String>) -> Result<u64> {
    let text = options.get("version").map_or("1", String::as_str);
    text.parse().map_err(|_| Error::invalid(format!("the version {text:?} is no number")))
}
