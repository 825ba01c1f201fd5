//! The commands that work on any path.

use client::{Request, Verb};

use super::paths::trimmed;
use crate::command::{Arity, Command, DETAILED, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::Format;
use crate::json::Json;
use crate::secret::Reply;

const FORCE: Flag = Flag::switch("force", "Go ahead without any data.").alias("f");
const AFTER: Flag = Flag::text("after", "Start after this entry.");
const LIMIT: Flag = Flag::int("limit", "Return at most this many entries.").default("-1");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "read",
        args: "PATH [K=V...]",
        arity: Arity::at_least(1),
        synopsis: "Read data and secrets",
        about: "Reads what is at the path, whatever it is: a secret, a configuration, fresh \
                credentials. Pairs of key and value become query parameters.\n\n    \
                $ {program} read secret/my-secret\n\n    \
                $ {program} read -field=ttl auth/token/lookup-self",
        flags: &[FIELD, FORMAT],
        raw_format: true,
        run: Some(|cx| Box::pin(read(cx))),
    },
    Command {
        name: "write",
        args: "PATH [DATA K=V...]",
        arity: Arity::at_least(1),
        synopsis: "Write data, configuration and secrets",
        about: "Writes data to the path. A value can come from a file (key=@file) or from standard \
                input (key=-), so that it need not stand on the command line; @file.json and - \
                alone take the whole body from there.\n\n    \
                $ {program} write auth/userpass/users/sally password=- policies=dev\n\n    \
                $ {program} write -f auth/approle/role/web/secret-id",
        flags: &[FIELD, FORMAT, FORCE],
        run: Some(|cx| Box::pin(write(cx, Verb::Put))),
        ..Command::BASE
    },
    Command {
        name: "patch",
        args: "PATH [DATA K=V...]",
        arity: Arity::at_least(1),
        synopsis: "Change parts of data, configuration and secrets",
        about: "Merges data into what is at the path (RFC 7396); a null in a JSON body removes a \
                field. The data is given as for write.\n\n    \
                $ {program} patch pki/issuer/default issuer_name=ca",
        flags: &[FIELD, FORMAT, FORCE],
        run: Some(|cx| Box::pin(write(cx, Verb::Patch))),
        ..Command::BASE
    },
    Command {
        name: "delete",
        args: "PATH [K=V...]",
        arity: Arity::at_least(1),
        synopsis: "Delete secrets and configuration",
        about: "Deletes what is at the path. What that means is up to the engine: a secret is gone, \
                a version is marked as deleted.\n\n    $ {program} delete secret/my-secret",
        flags: &[FIELD, FORMAT],
        run: Some(|cx| Box::pin(delete(cx))),
        ..Command::BASE
    },
    Command {
        name: "list",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "List data or secrets",
        about: "Lists the names directly below the path. A name that ends in a slash is a folder.\
                \n\n    $ {program} list secret/metadata/",
        flags: &[FORMAT, DETAILED, AFTER, LIMIT],
        run: Some(|cx| Box::pin(list(cx, Verb::List))),
        ..Command::BASE
    },
    Command {
        name: "scan",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "List data or secrets with all folders below",
        about: "Lists all names below the path, at any depth, where this program is called bao or \
                vault. As strongroom it looks for secrets that leaked: see 'scan --help'.\n\n    \
                $ {program} scan secret/metadata/",
        flags: &[FORMAT, DETAILED, AFTER, LIMIT],
        run: Some(|cx| Box::pin(list(cx, Verb::Scan))),
        ..Command::BASE
    },
    Command {
        name: "unwrap",
        args: "[TOKEN]",
        arity: Arity::between(0, 1),
        synopsis: "Take a wrapped answer out of its token",
        about: "Returns the answer that waits under a wrapping token, once. Without an argument the \
                token in use is the wrapping token.\n\n    $ {program} unwrap s.wrappingtoken",
        flags: &[FIELD, FORMAT],
        run: Some(|cx| Box::pin(unwrap(cx))),
        ..Command::BASE
    },
    Command {
        name: "path-help",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Show what the server says about a path",
        about: "Prints the server's own help for a path; with -format=json its OpenAPI document.\
                \n\n    $ {program} path-help secret",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(path_help(cx))),
        ..Command::BASE
    },
];

async fn read(cx: &mut Context) -> Outcome {
    let path = trimmed(cx.arg(0)).to_owned();
    let mut request = Request::read(&path);
    request.query = cx.query_args(1)?;
    if cx.out.format == Format::Raw {
        let response = cx.send(&request).await.doing(format!("Error reading: {path}"))?;
        cx.out.bytes(&response.body);
        return Ok(());
    }
    let reply = cx.secret(&request).await.doing(format!("Error reading {path}"))?;
    let reply = reply.ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    cx.print(&reply)
}

async fn write(cx: &mut Context, verb: Verb) -> Outcome {
    if cx.args.len() == 1 && !cx.flags.on("force") {
        return Err(Failure::local("Must supply data or use -force"));
    }
    let path = trimmed(cx.arg(0)).to_owned();
    let body = cx.body_args(1)?.unwrap_or(Json::Null);
    let request = Request::new(verb, &path).body(&body);
    let reply = cx.secret(&request).await.doing(format!("Error writing data to {path}"))?;
    written(cx, reply, &path)
}

/// Prints what a write answered, or that it happened.
pub(crate) fn written(cx: &mut Context, reply: Option<Reply>, path: &str) -> Outcome {
    match reply {
        Some(reply) => cx.print(&reply),
        None => {
            cx.out.success(format!("Success! Data written to: {path}"));
            Ok(())
        }
    }
}

async fn delete(cx: &mut Context) -> Outcome {
    let path = trimmed(cx.arg(0)).to_owned();
    let mut request = Request::delete(&path);
    request.query = cx.query_args(1)?;
    let reply = cx.secret(&request).await.doing(format!("Error deleting {path}"))?;
    deleted(cx, reply, &path)
}

/// Prints what a delete answered, or that it happened.
pub(crate) fn deleted(cx: &mut Context, reply: Option<Reply>, path: &str) -> Outcome {
    match reply {
        Some(reply) => cx.print(&reply),
        None => {
            cx.out.success(format!("Success! Data deleted (if it existed) at: {path}"));
            Ok(())
        }
    }
}

async fn list(cx: &mut Context, verb: Verb) -> Outcome {
    let path = trimmed(cx.arg(0)).to_owned();
    let mut request = Request::new(verb, &path);
    let (after, limit) = (cx.flags.text("after").to_owned(), cx.flags.int("limit"));
    if !after.is_empty() || limit > 0 {
        request = request.query("after", after).query("limit", limit.to_string());
    }
    listed(cx, &request, &path).await
}

/// Asks for a listing and prints it.
pub(crate) async fn listed(cx: &mut Context, request: &Request, path: &str) -> Outcome {
    let act = if request.verb == Verb::Scan { "scanning" } else { "listing" };
    let reply = cx.secret(request).await.doing(format!("Error {act} {path}"))?;
    let empty = |what: &str| Failure::remote(format!("{what} found at {path}"));
    match reply {
        Some(reply) if reply.is_wrapped() => reply.print(&mut cx.out),
        Some(reply) if reply.keys().is_some() => reply.print_list(&mut cx.out),
        // Programs that asked for JSON get an empty object to parse.
        _ if !cx.out.is_table() => {
            cx.out.data(&Json::Map(Vec::new()))?;
            Err(Failure::quiet(2))
        }
        Some(reply) if reply.data.is_some() => Err(empty("No entries")),
        Some(reply) if reply.envelope.auth.is_some() => reply.print(&mut cx.out),
        _ => Err(empty("No value")),
    }
}

async fn unwrap(cx: &mut Context) -> Outcome {
    let given = cx.arg(0).trim().to_owned();
    let reply = unwrapped(cx, &given).await.doing("Error unwrapping")?;
    match reply {
        None => {
            cx.out.success("Successfully unwrapped. There was no data in the wrapped secret.");
            Ok(())
        }
        Some(reply) if cx.flags.text("field").is_empty() && reply.keys().is_some() => {
            reply.print_list(&mut cx.out)
        }
        Some(reply) => cx.print(&reply),
    }
}

/// What waits under the wrapping token `given`, or under the token in use if that is empty.
pub(crate) async fn unwrapped(cx: &mut Context, given: &str) -> Outcome<Option<Reply>> {
    let mut request = Request::put("sys/wrapping/unwrap").unwrapped();
    let client = cx.client()?;
    match &client.config().token {
        None if !given.is_empty() => cx.use_token(Some(given.to_owned().into()))?,
        Some(token) if !given.is_empty() && token.expose() != given => {
            request = request.body(&Json::map([("token", Json::text(given))]));
        }
        _ => {}
    }
    cx.secret(&request).await
}

async fn path_help(cx: &mut Context) -> Outcome {
    let path = trimmed(cx.arg(0)).to_owned();
    let request = Request::read(path).query("help", "1");
    let help = cx.body(&request).await.doing("Error retrieving help")?;
    let text = match cx.out.format {
        Format::Json => crate::format::json::compact(help.get("openapi").unwrap_or(&Json::Null)),
        _ => help.get("help").and_then(Json::as_text).unwrap_or_default().to_owned(),
    };
    cx.out.line(text);
    Ok(())
}
