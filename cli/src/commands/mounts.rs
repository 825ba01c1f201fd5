//! Secrets engines and auth methods: two kinds of mount with one set of commands.

use std::collections::BTreeMap;

use client::Request;
use serde::{Deserialize, Serialize};

use super::paths::{folder, trimmed};
use super::remount::move_mount;
use crate::command::{Arity, Command, DETAILED, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::{go_duration, table};
use crate::json::Json;

/// What differs between the two.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// As texts name it.
    pub(crate) noun: &'static str,
    path: &'static str,
    auth: bool,
}

const SECRETS: Kind = Kind { noun: "secrets engine", path: "sys/mounts", auth: false };
const AUTH: Kind = Kind { noun: "auth method", path: "sys/auth", auth: true };

const DESCRIPTION: Flag = Flag::text("description", "What it is for.");
const PATH: Flag = Flag::text("path", "Where to mount it; the name of its type if not given.");
const DEFAULT_TTL: Flag =
    Flag::duration("default-lease-ttl", "How long leases and tokens live by default.");
const MAX_TTL: Flag = Flag::duration("max-lease-ttl", "How long leases and tokens live at most.");
const REQUEST_KEYS: Flag = Flag::list(
    "audit-non-hmac-request-keys",
    "A key that the audit log shows in clear, in requests.",
);
const RESPONSE_KEYS: Flag = Flag::list(
    "audit-non-hmac-response-keys",
    "A key that the audit log shows in clear, in answers.",
);
const VISIBILITY: Flag = Flag::text(
    "listing-visibility",
    "unauth shows it to those who are not logged in; hidden does not.",
);
const REQUEST_HEADERS: Flag =
    Flag::list("passthrough-request-headers", "A header to pass on to it.");
const RESPONSE_HEADERS: Flag = Flag::list("allowed-response-headers", "A header that it may set.");
const OPTIONS: Flag = Flag::map("options", "A pair of key and value for the mount.");
const VERSION: Flag = Flag::int("version", "The version of the engine, for example 2 for kv.");
const PLUGIN_VERSION: Flag = Flag::text("plugin-version", "The version of the plugin to run.");
const PLUGIN_NAME: Flag = Flag::text("plugin-name", "The plugin, if the type is plugin.");
const LOCAL: Flag = Flag::switch("local", "Do not replicate it.");
const SEAL_WRAP: Flag =
    Flag::switch("seal-wrap", "Wrap its most critical values with the seal as well.");
const ENTROPY: Flag =
    Flag::switch("external-entropy-access", "Let it use the seal's source of randomness.");
const TOKEN_TYPE: Flag =
    Flag::text("token-type", "service, batch, default-service or default-batch.");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "secrets",
        synopsis: "Work with secrets engines",
        about: "Engines store and make secrets.\n\n    $ {program} secrets enable -path=apps -version=2 kv",
        ..Command::BASE
    },
    Command {
        name: "secrets enable",
        args: "TYPE",
        arity: Arity::exactly(1),
        synopsis: "Mount a secrets engine",
        about: "Mounts an engine of this type.\n\n    $ {program} secrets enable -path=apps -version=2 kv",
        flags: &[
            DESCRIPTION,
            PATH,
            DEFAULT_TTL,
            MAX_TTL,
            REQUEST_KEYS,
            RESPONSE_KEYS,
            VISIBILITY,
            REQUEST_HEADERS,
            RESPONSE_HEADERS,
            Flag::switch("force-no-cache", "Read from storage every time."),
            PLUGIN_NAME,
            PLUGIN_VERSION,
            OPTIONS,
            LOCAL,
            SEAL_WRAP,
            ENTROPY,
            VERSION,
        ],
        run: Some(|cx| Box::pin(enable(cx, SECRETS))),
        ..Command::BASE
    },
    Command {
        name: "secrets disable",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Unmount a secrets engine and delete what it holds",
        about: "Revokes all its leases and deletes all its data.\n\n    $ {program} secrets disable apps/",
        run: Some(|cx| Box::pin(disable(cx, SECRETS))),
        ..Command::BASE
    },
    Command {
        name: "secrets list",
        synopsis: "List secrets engines",
        about: "Lists all mounts.\n\n    $ {program} secrets list -detailed",
        flags: &[FORMAT, DETAILED],
        run: Some(|cx| Box::pin(list(cx, SECRETS))),
        ..Command::BASE
    },
    Command {
        name: "secrets tune",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Change the settings of a secrets engine",
        about: "Changes the given settings; the others stay. A time of \"system\" is the server's own.\
                \n\n    $ {program} secrets tune -max-lease-ttl=24h apps/",
        flags: &[
            REQUEST_KEYS,
            RESPONSE_KEYS,
            DEFAULT_TTL,
            DESCRIPTION,
            VISIBILITY,
            MAX_TTL,
            REQUEST_HEADERS,
            RESPONSE_HEADERS,
            OPTIONS,
            VERSION,
            PLUGIN_VERSION,
        ],
        run: Some(|cx| Box::pin(tune(cx, SECRETS))),
        ..Command::BASE
    },
    Command {
        name: "secrets move",
        args: "SOURCE DESTINATION",
        arity: Arity::exactly(2),
        synopsis: "Move a secrets engine to another path",
        about: "Its leases are revoked; its data moves along.\n\n    $ {program} secrets move apps/ archive/",
        run: Some(|cx| Box::pin(move_mount(cx, SECRETS))),
        ..Command::BASE
    },
    Command {
        name: "auth",
        synopsis: "Work with auth methods",
        about: "Auth methods turn an identity into a token. To log in, see {program} login.\n\n    \
                $ {program} auth enable userpass",
        ..Command::BASE
    },
    Command {
        name: "auth enable",
        args: "TYPE",
        arity: Arity::exactly(1),
        synopsis: "Mount an auth method",
        about: "Mounts an auth method of this type.\n\n    $ {program} auth enable -path=people userpass",
        flags: &[
            DESCRIPTION,
            PATH,
            DEFAULT_TTL,
            MAX_TTL,
            REQUEST_KEYS,
            RESPONSE_KEYS,
            VISIBILITY,
            REQUEST_HEADERS,
            RESPONSE_HEADERS,
            PLUGIN_NAME,
            PLUGIN_VERSION,
            OPTIONS,
            LOCAL,
            SEAL_WRAP,
            ENTROPY,
            TOKEN_TYPE,
            VERSION,
        ],
        run: Some(|cx| Box::pin(enable(cx, AUTH))),
        ..Command::BASE
    },
    Command {
        name: "auth disable",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Unmount an auth method and end its tokens",
        about: "Revokes all tokens that it gave and deletes its data.\n\n    $ {program} auth disable people/",
        run: Some(|cx| Box::pin(disable(cx, AUTH))),
        ..Command::BASE
    },
    Command {
        name: "auth list",
        synopsis: "List auth methods",
        about: "Lists all auth methods.\n\n    $ {program} auth list -detailed",
        flags: &[FORMAT, DETAILED],
        run: Some(|cx| Box::pin(list(cx, AUTH))),
        ..Command::BASE
    },
    Command {
        name: "auth tune",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Change the settings of an auth method",
        about: "Changes the given settings; the others stay. A time of \"system\" is the server's own.\
                \n\n    $ {program} auth tune -default-lease-ttl=8h people/",
        flags: &[
            REQUEST_KEYS,
            RESPONSE_KEYS,
            DEFAULT_TTL,
            DESCRIPTION,
            VISIBILITY,
            MAX_TTL,
            REQUEST_HEADERS,
            RESPONSE_HEADERS,
            OPTIONS,
            TOKEN_TYPE,
            VERSION,
            Flag::int("user-lockout-threshold", "After how many failures a user is locked out."),
            Flag::duration("user-lockout-duration", "How long a user stays locked out."),
            Flag::duration(
                "user-lockout-counter-reset-duration",
                "After what time failures are forgotten.",
            ),
            Flag::switch("user-lockout-disable", "Lock nobody out."),
            PLUGIN_VERSION,
        ],
        run: Some(|cx| Box::pin(tune(cx, AUTH))),
        ..Command::BASE
    },
    Command {
        name: "auth move",
        args: "SOURCE DESTINATION",
        arity: Arity::exactly(2),
        synopsis: "Move an auth method to another path",
        about: "Both paths begin with auth/. Its tokens are revoked; its data moves along.\n\n    \
                $ {program} auth move auth/people/ auth/staff/",
        run: Some(|cx| Box::pin(move_mount(cx, AUTH))),
        ..Command::BASE
    },
    Command {
        name: "auth help",
        args: "TYPE|PATH",
        arity: Arity::exactly(1),
        synopsis: "Show how to log in with an auth method",
        about: "Takes a type of auth method, or the path of one that is mounted.\n\n    \
                $ {program} auth help userpass",
        run: Some(|cx| Box::pin(help(cx))),
        ..Command::BASE
    },
];

/// `-options` and `-version` together; `None` if neither was given.
fn options(cx: &Context) -> Option<Json> {
    let mut options = cx.flags.map("options");
    let version = cx.flags.int("version");
    if version > 0 {
        options.insert("version".to_owned(), version.to_string());
    }
    let options: Vec<_> =
        options.into_iter().map(|(key, value)| (key, Json::Text(value))).collect();
    (!options.is_empty()).then_some(Json::Map(options))
}

/// The settings that enabling and tuning have in common, those that were given.
fn settings(cx: &Context) -> Vec<(&'static str, Json)> {
    let lists = [
        ("audit-non-hmac-request-keys", "audit_non_hmac_request_keys"),
        ("audit-non-hmac-response-keys", "audit_non_hmac_response_keys"),
        ("passthrough-request-headers", "passthrough_request_headers"),
        ("allowed-response-headers", "allowed_response_headers"),
    ];
    let texts = [
        ("listing-visibility", "listing_visibility"),
        ("token-type", "token_type"),
        ("plugin-version", "plugin_version"),
    ];
    let lists = lists.map(|(flag, key)| (flag, key, Json::texts(cx.flags.list(flag))));
    let texts = texts.map(|(flag, key)| (flag, key, Json::text(cx.flags.text(flag))));
    let all = lists.into_iter().chain(texts).filter(|(flag, ..)| cx.flags.given(flag));
    all.map(|(_, key, value)| (key, value)).collect()
}

async fn enable(cx: &mut Context, kind: Kind) -> Outcome {
    let mut typ = cx.arg(0).trim().to_owned();
    if typ == "plugin" {
        typ = cx.flags.text("plugin-name").to_owned();
    }
    let path = match cx.flags.text("path") {
        "" => folder(&typ),
        path => folder(path),
    };
    let mut config = Json::map([
        ("default_lease_ttl", Json::text(go_duration(cx.flags.seconds("default-lease-ttl")))),
        ("max_lease_ttl", Json::text(go_duration(cx.flags.seconds("max-lease-ttl")))),
        ("force_no_cache", Json::Bool(cx.flags.on("force-no-cache"))),
    ]);
    settings(cx).into_iter().for_each(|(key, value)| config.set(key, value));
    let body = Json::map([
        ("type", Json::text(&typ)),
        ("description", Json::text(cx.flags.text("description"))),
        ("config", config),
        ("local", Json::Bool(cx.flags.on("local"))),
        ("seal_wrap", Json::Bool(cx.flags.on("seal-wrap"))),
        ("external_entropy_access", Json::Bool(cx.flags.on("external-entropy-access"))),
        ("options", options(cx).unwrap_or(Json::Null)),
    ]);
    let act =
        if kind.auth { format!("Error enabling {typ} auth") } else { "Error enabling".to_owned() };
    let request = Request::post(format!("{}/{}", kind.path, path.trim_matches('/'))).body(&body);
    cx.send(&request).await.doing(act)?;
    let article = if kind.auth { "" } else { "the " };
    let noun = if kind.auth { "auth method" } else { "secrets engine" };
    let version = match cx.flags.text("plugin-version") {
        "" => String::new(),
        version => format!(" version {version}"),
    };
    cx.out.line(format!("Success! Enabled {article}{typ} {noun}{version} at: {path}"));
    Ok(())
}

async fn disable(cx: &mut Context, kind: Kind) -> Outcome {
    let path = folder(trimmed(cx.arg(0)));
    let request = Request::delete(format!("{}/{path}", kind.path));
    cx.send(&request).await.doing(format!("Error disabling {} at {path}", kind.noun))?;
    cx.out.line(format!("Success! Disabled the {} (if it existed) at: {path}", kind.noun));
    Ok(())
}

async fn tune(cx: &mut Context, kind: Kind) -> Outcome {
    let path = folder(trimmed(cx.arg(0)));
    let mut body = Json::Map(Vec::new());
    for (flag, key) in
        [("default-lease-ttl", "default_lease_ttl"), ("max-lease-ttl", "max_lease_ttl")]
    {
        match cx.flags.seconds(flag) {
            0 => {}
            seconds => body.set(key, Json::text(time_or_system(seconds))),
        }
    }
    if cx.flags.given("description") {
        body.set("description", Json::text(cx.flags.text("description")));
    }
    if let Some(options) = options(cx) {
        body.set("options", options);
    }
    settings(cx).into_iter().for_each(|(key, value)| body.set(key, value));
    if let Some(lockout) = lockout(cx) {
        body.set("user_lockout_config", lockout);
    }
    let mount = if kind.auth {
        format!("sys/mounts/auth/{path}tune")
    } else {
        format!("sys/mounts/{path}tune")
    };
    cx.send(&Request::post(mount).body(&body))
        .await
        .doing(format!("Error tuning {} {path}", kind.noun))?;
    cx.out.line(format!("Success! Tuned the {} at: {path}", kind.noun));
    Ok(())
}

fn time_or_system(seconds: i64) -> String {
    if seconds < 0 { "system".to_owned() } else { go_duration(seconds) }
}

fn lockout(cx: &Context) -> Option<Json> {
    let flags = &cx.flags;
    let given = |name: &str| flags.given(name).then(|| name.to_owned());
    let mut lockout = Json::Map(Vec::new());
    if let Some(name) = given("user-lockout-threshold") {
        lockout.set("lockout_threshold", Json::text(flags.int(&name).to_string()));
    }
    if let Some(name) = given("user-lockout-duration") {
        lockout.set("lockout_duration", Json::text(time_or_system(flags.seconds(&name))));
    }
    if let Some(name) = given("user-lockout-counter-reset-duration") {
        lockout.set(
            "lockout_counter_reset_duration",
            Json::text(time_or_system(flags.seconds(&name))),
        );
    }
    if let Some(name) = given("user-lockout-disable") {
        lockout.set("lockout_disable", Json::Bool(flags.on(&name)));
    }
    (!lockout.members().is_empty()).then_some(lockout)
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Mount {
    uuid: String,
    #[serde(rename = "type")]
    typ: String,
    description: String,
    accessor: String,
    config: MountConfig,
    options: Option<BTreeMap<String, String>>,
    local: bool,
    seal_wrap: bool,
    external_entropy_access: bool,
    plugin_version: String,
    running_plugin_version: String,
    running_sha256: String,
    deprecation_status: String,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct MountConfig {
    default_lease_ttl: i64,
    max_lease_ttl: i64,
    force_no_cache: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audit_non_hmac_request_keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    audit_non_hmac_response_keys: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    listing_visibility: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passthrough_request_headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_response_headers: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    token_type: String,
}

async fn list(cx: &mut Context, kind: Kind) -> Outcome {
    let noun = if kind.auth { "enabled authentications" } else { "secrets engines" };
    let reply =
        cx.secret(&Request::read(kind.path)).await.doing(format!("Error listing {noun}"))?;
    let reply = reply.ok_or_else(|| Failure::remote("data from server response is empty"))?;
    let mounts: BTreeMap<String, Mount> = reply.envelope.data()?;
    if !cx.out.is_table() {
        return cx.out.data(&Json::of(&mounts));
    }
    let rows =
        if cx.flags.on("detailed") { detailed(&mounts, kind) } else { simple(&mounts, kind) };
    cx.out.line(table::table(&rows, "|"));
    Ok(())
}

fn simple(mounts: &BTreeMap<String, Mount>, kind: Kind) -> Vec<String> {
    let version = if kind.auth { " | Version" } else { "" };
    let mut rows = vec![format!("Path | Type | Accessor | Description{version}")];
    rows.extend(mounts.iter().map(|(path, mount)| {
        let Mount { typ, accessor, description, plugin_version, .. } = mount;
        let version = if kind.auth { format!(" | {plugin_version}") } else { String::new() };
        format!("{path} | {typ} | {accessor} | {description}{version}")
    }));
    rows
}

fn detailed(mounts: &BTreeMap<String, Mount>, kind: Kind) -> Vec<String> {
    let own = if kind.auth { "Token Type" } else { "Force No Cache" };
    let mut rows = vec![format!(
        "Path | Plugin | Accessor | Default TTL | Max TTL | {own} | Replication | Seal Wrap | External \
         Entropy Access | Options | Description | UUID | Version | Running Version | Running SHA256 | \
         Deprecation Status"
    )];
    rows.extend(mounts.iter().map(|(path, mount)| {
        let ttl = |seconds: i64| match (mount.typ.as_str(), seconds) {
            ("system" | "cubbyhole", _) => String::new(),
            (_, 0) => "system".to_owned(),
            (_, seconds) => seconds.to_string(),
        };
        let config = &mount.config;
        let own =
            if kind.auth { config.token_type.clone() } else { config.force_no_cache.to_string() };
        let options = mount.options.iter().flatten();
        let options =
            Json::Map(options.map(|(key, value)| (key.clone(), Json::text(value))).collect());
        [
            path.clone(),
            mount.typ.clone(),
            mount.accessor.clone(),
            ttl(config.default_lease_ttl),
            ttl(config.max_lease_ttl),
            own,
            if mount.local { "local" } else { "replicated" }.to_owned(),
            mount.seal_wrap.to_string(),
            mount.external_entropy_access.to_string(),
            options.to_string(),
            mount.description.clone(),
            mount.uuid.clone(),
            mount.plugin_version.clone(),
            mount.running_plugin_version.clone(),
            mount.running_sha256.clone(),
            mount.deprecation_status.clone(),
        ]
        .join(" | ")
    }));
    rows
}

async fn help(cx: &mut Context) -> Outcome {
    let name = cx.arg(0).trim().to_owned();
    let mut text = super::login::help(&cx.program, &name);
    if text.is_none() {
        let reply =
            cx.secret(&Request::read(AUTH.path)).await.doing("Error listing auth methods")?;
        let path = folder(trimmed(&name));
        let mount =
            reply.as_ref().and_then(|reply| reply.get(&path)).and_then(|mount| mount.get("type"));
        let Some(typ) = mount.and_then(Json::as_text) else {
            return Err(Failure::local(format!(
                "No auth method available on the server at {path:?}"
            )));
        };
        text = super::login::help(&cx.program, typ);
    }
    let text = text.ok_or_else(|| {
        Failure::remote(format!(
            "There is no help for auth method {name:?}; see path-help auth/{name}/"
        ))
    })?;
    cx.out.line(text);
    Ok(())
}
