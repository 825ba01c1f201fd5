use std::borrow::Cow;
use std::collections::BTreeMap;

use base_types::Ttl;
use core_engine_api::Role;
use core_pipeline::{LockoutConfig, MountConfig, MountEntry};
use serde::Serialize;

/// The version that engines report: they are a part of the server.
pub(crate) const ENGINE_VERSION: &str =
    concat!("v", env!("CARGO_PKG_VERSION"), "+builtin.strongroom");

/// A mount as `sys/mounts` and `sys/auth` show it.
#[derive(Serialize)]
pub(crate) struct MountInfo<'a> {
    accessor: &'a str,
    config: Config<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    deprecation_status: &'static str,
    description: &'a str,
    external_entropy_access: bool,
    local: bool,
    options: Option<&'a BTreeMap<String, String>>,
    plugin_version: &'static str,
    running_plugin_version: &'static str,
    running_sha256: &'static str,
    seal_wrap: bool,
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    uuid: &'a str,
}

/// What is tuned at a mount; zero where nothing is.
#[derive(Serialize)]
struct Config<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed_response_headers: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    audit_non_hmac_request_keys: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    audit_non_hmac_response_keys: &'a [String],
    default_lease_ttl: Ttl,
    force_no_cache: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    listing_visibility: &'a str,
    max_lease_ttl: Ttl,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    passthrough_request_headers: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_lockout_config: Option<Lockout>,
}

/// What is tuned about lockouts.
#[derive(Serialize)]
pub(crate) struct Lockout {
    user_lockout_counter_reset_duration: Ttl,
    user_lockout_disable: bool,
    user_lockout_duration: Ttl,
    user_lockout_threshold: u64,
}

impl From<LockoutConfig> for Lockout {
    fn from(config: LockoutConfig) -> Self {
        let LockoutConfig { threshold, duration, counter_reset, disabled } = config;
        Self {
            user_lockout_counter_reset_duration: counter_reset,
            user_lockout_disable: disabled,
            user_lockout_duration: duration,
            user_lockout_threshold: threshold,
        }
    }
}

impl<'a> From<&'a MountEntry> for MountInfo<'a> {
    fn from(mount: &'a MountEntry) -> Self {
        let (record, meta) = (&mount.record, mount.kind.meta());
        Self {
            accessor: &record.accessor,
            config: Config::of(mount),
            deprecation_status: if meta.built_in { "" } else { "supported" },
            description: &record.description,
            external_entropy_access: record.external_entropy_access,
            local: record.local,
            options: (!record.options.is_empty()).then_some(&record.options),
            plugin_version: "",
            running_plugin_version: ENGINE_VERSION,
            running_sha256: "",
            seal_wrap: record.seal_wrap,
            kind: kind(mount),
            uuid: &record.uuid,
        }
    }
}

impl<'a> Config<'a> {
    fn of(mount: &'a MountEntry) -> Self {
        let config = &mount.record.config;
        Self {
            allowed_response_headers: &config.allowed_response_headers,
            audit_non_hmac_request_keys: &config.audit_non_hmac_request_keys,
            audit_non_hmac_response_keys: &config.audit_non_hmac_response_keys,
            default_lease_ttl: config.default_lease_ttl,
            force_no_cache: config.force_no_cache,
            listing_visibility: &config.listing_visibility,
            max_lease_ttl: config.max_lease_ttl,
            passthrough_request_headers: &config.passthrough_request_headers,
            token_type: token_type(mount.role(), config),
            user_lockout_config: config.lockout.map(Lockout::from),
        }
    }
}

/// The engine's name; those that every namespace has from the start are marked as theirs.
fn kind(mount: &MountEntry) -> Cow<'_, str> {
    let name = mount.record.kind.as_str();
    match mount.kind.meta().built_in && !mount.namespace.path.is_root() {
        true => format!("ns_{name}").into(),
        false => name.into(),
    }
}

/// What kind of tokens an auth mount gives; nothing for other mounts.
pub(crate) fn token_type(role: Role, config: &MountConfig) -> &str {
    match role {
        Role::Auth if config.token_type.is_empty() => "default-service",
        Role::Auth => &config.token_type,
        Role::Secrets => "",
    }
}
