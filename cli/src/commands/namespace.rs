//! Namespaces.

use client::{Request, Verb};

use super::paths::{folder, trimmed};
use crate::command::{Arity, Command, DETAILED, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::json::Json;
use crate::secret::print_field;

const METADATA: Flag = Flag::map("custom-metadata", "A pair of key and value that describes it.");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "namespace",
        synopsis: "Work with namespaces",
        about: "A namespace is a server within the server: it has mounts, policies and tokens of its \
                own. Use one with -namespace.",
        ..Command::BASE
    },
    Command {
        name: "namespace create",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Create a namespace",
        about: "Creates a namespace below the one in use.\n\n    \
                $ {program} namespace create -custom-metadata=owner=ops team",
        flags: &[FIELD, FORMAT, METADATA],
        run: Some(|cx| Box::pin(create(cx))),
        ..Command::BASE
    },
    Command {
        name: "namespace list",
        synopsis: "List namespaces",
        about: "Lists the namespaces directly below the one in use.\n\n    $ {program} namespace list",
        flags: &[FORMAT, DETAILED],
        run: Some(|cx| Box::pin(list(cx, Verb::List))),
        ..Command::BASE
    },
    Command {
        name: "namespace scan",
        synopsis: "List namespaces at any depth",
        about: "Lists all namespaces below the one in use.\n\n    $ {program} namespace scan",
        flags: &[FORMAT, DETAILED],
        run: Some(|cx| Box::pin(list(cx, Verb::Scan))),
        ..Command::BASE
    },
    Command {
        name: "namespace lookup",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Show a namespace",
        about: "Shows what is known about a namespace.\n\n    $ {program} namespace lookup team",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(lookup(cx))),
        ..Command::BASE
    },
    Command {
        name: "namespace patch",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Change the metadata of a namespace",
        about: "Changes the given keys and leaves the others.\n\n    \
                $ {program} namespace patch -remove-custom-metadata=owner team",
        flags: &[FIELD, FORMAT, METADATA, Flag::list("remove-custom-metadata", "A key to remove.")],
        run: Some(|cx| Box::pin(patch(cx))),
        ..Command::BASE
    },
    Command {
        name: "namespace delete",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Delete a namespace with all it holds",
        about: "Deletes its mounts, policies, tokens and leases.\n\n    $ {program} namespace delete team",
        run: Some(|cx| Box::pin(delete(cx))),
        ..Command::BASE
    },
];

fn path_of(cx: &Context) -> Outcome<String> {
    match trimmed(cx.arg(0)) {
        "" => Err(Failure::remote("the path of the namespace is empty")),
        path => Ok(format!("sys/namespaces/{path}")),
    }
}

fn metadata(cx: &Context) -> Vec<(String, Json)> {
    cx.flags
        .map("custom-metadata")
        .into_iter()
        .map(|(key, value)| (key, Json::Text(value)))
        .collect()
}

async fn create(cx: &mut Context) -> Outcome {
    let body = Json::map([("custom_metadata", Json::Map(metadata(cx)))]);
    let request = Request::post(path_of(cx)?).body(&body);
    let mut data = cx.data(&request).await.doing("Error creating namespace")?;
    data.remove("key_shares");
    data.remove("key_threshold");
    print_data(cx, &data)
}

fn print_data(cx: &mut Context, data: &Json) -> Outcome {
    match cx.flags.text("field").to_owned().as_str() {
        "" => cx.out.data(data),
        field => print_field(&mut cx.out, data.get(field).cloned(), field, "map"),
    }
}

async fn list(cx: &mut Context, verb: Verb) -> Outcome {
    let act = if verb == Verb::Scan { "scanning" } else { "listing" };
    let reply = cx.secret(&Request::new(verb, "sys/namespaces")).await;
    let reply = reply.doing(format!("Error {act} namespaces"))?;
    match reply {
        Some(reply) if reply.is_wrapped() => reply.print(&mut cx.out),
        Some(reply) if reply.keys().is_some() => {
            match reply.get("key_info").filter(|_| cx.out.detailed && !cx.out.is_table()) {
                Some(info) => cx.out.data(info),
                None => reply.print_list(&mut cx.out),
            }
        }
        _ if !cx.out.is_table() => {
            cx.out.data(&Json::Map(Vec::new()))?;
            Err(Failure::quiet(2))
        }
        _ => Err(Failure::remote("No namespaces found")),
    }
}

async fn lookup(cx: &mut Context) -> Outcome {
    let reply =
        cx.secret(&Request::read(path_of(cx)?)).await.doing("Error looking up namespace")?;
    let data =
        reply.and_then(|reply| reply.data).ok_or_else(|| Failure::remote("Namespace not found"))?;
    cx.out.data(&data)
}

async fn patch(cx: &mut Context) -> Outcome {
    let mut changes = metadata(cx);
    changes.extend(
        cx.flags.list("remove-custom-metadata").iter().map(|key| (key.clone(), Json::Null)),
    );
    if changes.is_empty() {
        return Err(Failure::local(
            "Must supply at least one of -custom-metadata or -remove-custom-metadata",
        ));
    }
    let body = Json::map([("custom_metadata", Json::Map(changes))]);
    let answer = cx.data(&Request::patch(path_of(cx)?).body(&body)).await;
    let data = match answer {
        Err(failure) if failure.status() == Some(404) => {
            return Err(Failure::remote("Namespace not found"));
        }
        answer => answer.doing("Error patching namespace")?,
    };
    print_data(cx, &data)
}

async fn delete(cx: &mut Context) -> Outcome {
    let request = Request::delete(path_of(cx)?);
    let reply = cx.secret(&request).await.doing("Error deleting namespace")?;
    let status = reply.as_ref().and_then(|reply| reply.get("status")).and_then(Json::as_text);
    if status.is_none_or(str::is_empty) {
        cx.out.warn("Requested namespace does not exist");
        return Ok(());
    }
    let path = folder(cx.arg(0));
    cx.out.line(format!("Success! Namespace deletion scheduled: {path}"));
    Ok(())
}
