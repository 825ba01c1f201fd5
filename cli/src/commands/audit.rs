//! Audit devices.

use std::collections::BTreeMap;

use client::Request;
use serde::{Deserialize, Serialize};

use super::paths::{folder, trimmed};
use crate::command::{Arity, Command, DETAILED, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::table;
use crate::json::Json;
use crate::kv_args;

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "audit",
        synopsis: "Work with audit devices",
        about: "Audit devices keep a record of every request and answer.",
        ..Command::BASE
    },
    Command {
        name: "audit enable",
        args: "TYPE [CONFIG K=V...]",
        arity: Arity::at_least(1),
        synopsis: "Enable an audit device",
        about: "The type is file, socket, syslog or http. A server takes devices from its \
                configuration file; it accepts them here only if that file allows it.\n\n    \
                $ {program} audit enable file file_path=/var/log/strongroom/audit.log",
        flags: &[
            Flag::text("description", "What it is for."),
            Flag::text("path", "Its name; that of its type if not given."),
            Flag::switch("local", "Do not replicate it."),
        ],
        run: Some(|cx| Box::pin(enable(cx))),
        ..Command::BASE
    },
    Command {
        name: "audit disable",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Disable an audit device",
        about: "What it has written stays; from now on it gets nothing more.\n\n    \
                $ {program} audit disable file/",
        run: Some(|cx| Box::pin(disable(cx))),
        ..Command::BASE
    },
    Command {
        name: "audit list",
        synopsis: "List audit devices",
        about: "Lists all devices; exit code 2 if there are none.\n\n    $ {program} audit list -detailed",
        flags: &[FORMAT, DETAILED],
        run: Some(|cx| Box::pin(list(cx))),
        ..Command::BASE
    },
    Command {
        name: "audit verify",
        args: "FILE",
        arity: Arity::exactly(1),
        synopsis: "Check that an audit log is whole and unchanged",
        about: "Checks every hash and every signature of the file, without a server.\n\n    \
                $ {program} audit verify /var/log/strongroom/audit.log",
        ..Command::BASE
    },
];

async fn enable(cx: &mut Context) -> Outcome {
    let typ = cx.arg(0).trim().to_owned();
    let path = match cx.flags.text("path") {
        "" => folder(&typ),
        path => folder(path),
    };
    let options = kv_args::parse_texts(&cx.args[1..], &mut || cx.stdin())
        .map_err(|why| Failure::local(format!("Failed to parse K=V data: {why}")))?;
    let options = options.into_iter().map(|(key, value)| (key, Json::Text(value))).collect();
    let body = Json::map([
        ("type", Json::text(&typ)),
        ("description", Json::text(cx.flags.text("description"))),
        ("options", Json::Map(options)),
        ("local", Json::Bool(cx.flags.on("local"))),
    ]);
    let request = Request::put(format!("sys/audit/{path}")).body(&body);
    cx.send(&request).await.doing("Error enabling audit device")?;
    cx.out.line(format!("Success! Enabled the {typ} audit device at: {path}"));
    Ok(())
}

async fn disable(cx: &mut Context) -> Outcome {
    let path = folder(trimmed(cx.arg(0)));
    let request = Request::delete(format!("sys/audit/{path}"));
    cx.send(&request).await.doing("Error disabling audit device")?;
    cx.out.line(format!("Success! Disabled audit device (if it was enabled) at: {path}"));
    Ok(())
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Device {
    #[serde(rename = "type")]
    typ: String,
    description: String,
    options: Option<BTreeMap<String, String>>,
    local: bool,
    path: String,
}

async fn list(cx: &mut Context) -> Outcome {
    let reply = cx.secret(&Request::read("sys/audit")).await.doing("Error listing audits")?;
    let reply = reply.ok_or_else(|| Failure::remote("data from server response is empty"))?;
    let devices: BTreeMap<String, Device> = reply.envelope.data()?;
    if !cx.out.is_table() {
        return cx.out.data(&Json::of(&devices));
    }
    if devices.is_empty() {
        cx.out.line("No audit devices are enabled.");
        return Err(Failure::quiet(2));
    }
    let detailed = cx.flags.on("detailed");
    let more = if detailed { " | Replication | Options" } else { "" };
    let mut rows = vec![format!("Path | Type | Description{more}")];
    rows.extend(devices.values().map(|device| {
        let Device { typ, description, options, local, path } = device;
        let mut row = format!("{path} | {typ} | {description}");
        if detailed {
            let replication = if *local { "local" } else { "replicated" };
            let options = options.iter().flatten().map(|(key, value)| format!("{key}={value}"));
            row.push_str(&format!(" | {replication} | {}", options.collect::<Vec<_>>().join(" ")));
        }
        row
    }));
    cx.out.line(table::table(&rows, "|"));
    Ok(())
}
