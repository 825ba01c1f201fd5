//! Policies.

use client::Request;

use crate::command::{Arity, Command, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::json::Json;
use crate::policy_text;

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "policy",
        synopsis: "Work with policies",
        about: "Policies say what a token may do.\n\n    $ {program} policy write dev dev.hcl",
        ..Command::BASE
    },
    Command {
        name: "policy list",
        synopsis: "List policies",
        about: "Lists the names of all policies.\n\n    $ {program} policy list",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(list(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy read",
        args: "NAME",
        arity: Arity::exactly(1),
        synopsis: "Print a policy",
        about: "Prints the text of a policy.\n\n    $ {program} policy read dev",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(read(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy write",
        args: "NAME FILE",
        arity: Arity::exactly(2),
        synopsis: "Store a policy",
        about: "Stores the text in the file under the name; - reads standard input.\n\n    \
                $ {program} policy write dev dev.hcl",
        run: Some(|cx| Box::pin(write(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy delete",
        args: "NAME",
        arity: Arity::exactly(1),
        synopsis: "Delete a policy",
        about: "Tokens that have the policy lose what it allowed at once.\n\n    \
                $ {program} policy delete dev",
        run: Some(|cx| Box::pin(delete(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy fmt",
        args: "FILE",
        arity: Arity::exactly(1),
        synopsis: "Put a policy file into its usual layout",
        about: "Rewrites the file in place; comments stay. Nothing is sent to a server.\n\n    \
                $ {program} policy fmt dev.hcl",
        run: Some(|cx| Box::pin(format_file(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy explain",
        args: "TOKEN|POLICIES OPERATION PATH",
        arity: Arity::exactly(3),
        synopsis: "Show which rule decides about an operation, and why",
        about: "The first argument is a token, or the names of policies with commas between them; - \
                reads it from standard input, so that no token need stand on the command line. The \
                operation is create, read, update, patch, delete, list or scan.\n\n    \
                $ {program} policy explain dev,default update secret/data/app\n\n    \
                $ {program} policy explain - read secret/data/app < token",
        flags: &[
            FIELD,
            FORMAT,
            Flag::switch("accessor", "The first argument is the accessor of a token."),
            Flag::switch("token", "The first argument is a token, whatever it looks like."),
        ],
        run: Some(|cx| Box::pin(explain(cx))),
        ..Command::BASE
    },
    Command {
        name: "policy who-can",
        args: "OPERATION PATH",
        arity: Arity::exactly(2),
        synopsis: "Show who may do an operation at a path",
        about: "Lists the policies that allow it, and the tokens, entities and roles that have one of \
                them.\n\n    $ {program} policy who-can delete secret/data/app",
        flags: &[FIELD, FORMAT],
        run: Some(|cx| Box::pin(who_can(cx))),
        ..Command::BASE
    },
];

async fn list(cx: &mut Context) -> Outcome {
    let data = cx.data(&Request::list("sys/policies/acl")).await.doing("Error listing policies")?;
    let names = data.get("keys").and_then(Json::as_list).unwrap_or_default();
    if !cx.out.is_table() {
        return cx.out.data(&Json::List(names.to_vec()));
    }
    names.iter().filter_map(Json::as_text).for_each(|name| cx.out.line(name));
    Ok(())
}

/// A policy's name as the server keeps it.
fn name_of(argument: &str) -> String {
    argument.trim().to_lowercase()
}

async fn read(cx: &mut Context) -> Outcome {
    let name = name_of(cx.arg(0));
    let request = Request::read(format!("sys/policies/acl/{name}"));
    let reply = cx.secret(&request).await.doing(format!("Error reading policy named {name}"))?;
    let text = reply.as_ref().and_then(|reply| reply.get("policy")).and_then(Json::as_text);
    let text = text.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Failure::remote(format!("No policy named: {name}")))?;
    if !cx.out.is_table() {
        return cx.out.data(&Json::map([("policy", Json::text(text))]));
    }
    cx.out.line(text.trim());
    Ok(())
}

async fn write(cx: &mut Context) -> Outcome {
    let given = cx.arg(0).to_owned();
    let name = name_of(&given);
    let rules = match cx.arg(1).trim() {
        "-" => cx.stdin().map_err(|why| Failure::remote(format!("Error reading policy: {why}")))?,
        path => std::fs::read_to_string(path).map_err(|error| {
            Failure::remote(format!("Error opening policy file: {path}: {error}"))
        })?,
    };
    let request = Request::put(format!("sys/policies/acl/{name}"));
    let request = request.body(&Json::map([("policy", Json::Text(rules))]));
    cx.send(&request).await.doing("Error uploading policy")?;
    if given != name {
        cx.out.warn(format!("Policy name was converted from {given:?} to {name:?}"));
    }
    cx.out.line(format!("Success! Uploaded policy: {name}"));
    Ok(())
}

async fn delete(cx: &mut Context) -> Outcome {
    let name = name_of(cx.arg(0));
    let request = Request::delete(format!("sys/policies/acl/{name}"));
    cx.send(&request).await.doing(format!("Error deleting {name}"))?;
    cx.out.line(format!("Success! Deleted policy: {name}"));
    Ok(())
}

async fn format_file(cx: &mut Context) -> Outcome {
    let path = cx.env.expand_home(cx.arg(0).trim());
    let shown = path.display().to_string();
    let failed =
        |act: &str, error: std::io::Error| Failure::local(format!("Error {act} {shown}: {error}"));
    let text =
        std::fs::read_to_string(&path).map_err(|error| failed("reading source file", error))?;
    let formatted =
        policy_text::formatted(&text).map_err(|why| Failure::local(format!("{shown}: {why}")))?;
    std::fs::write(&path, formatted).map_err(|error| failed("writing result", error))?;
    cx.out.line(format!("Success! Formatted policy: {shown}"));
    Ok(())
}

async fn explain(cx: &mut Context) -> Outcome {
    let subject = match cx.arg(0) {
        "-" => cx.stdin().map_err(Failure::local)?.trim().to_owned(),
        subject => subject.trim().to_owned(),
    };
    let mut body =
        Json::map([("operation", Json::text(cx.arg(1))), ("path", Json::text(cx.arg(2)))]);
    if cx.flags.on("accessor") {
        body.set("accessor", Json::Text(subject));
    } else if cx.flags.on("token") || looks_like_token(&subject) {
        body.set("token", Json::Text(subject));
    } else {
        let names = subject.split(',').map(str::trim).filter(|name| !name.is_empty());
        body.set("policies", Json::texts(names));
    }
    let request = Request::put("sys/policies/explain").body(&body);
    print_answer(cx, &request, "Error explaining").await
}

/// Tokens of this server and of Vault carry a prefix; old ones are UUIDs.
fn looks_like_token(subject: &str) -> bool {
    let prefixes = ["s.", "b.", "r.", "hvs.", "hvb.", "hvr.", "srs_", "srb_", "srr_"];
    let uuid = subject.len() == 36 && subject.bytes().filter(|byte| *byte == b'-').count() == 4;
    uuid || prefixes.iter().any(|prefix| subject.starts_with(prefix) && subject.len() > 20)
}

async fn who_can(cx: &mut Context) -> Outcome {
    let body = Json::map([("operation", Json::text(cx.arg(0))), ("path", Json::text(cx.arg(1)))]);
    let request = Request::put("sys/policies/who-can").body(&body);
    print_answer(cx, &request, "Error asking who can").await
}

/// Prints the text that the server wrote for people, unless a field or another form is asked for.
async fn print_answer(cx: &mut Context, request: &Request, act: &str) -> Outcome {
    let reply = cx.secret(request).await.doing(act)?;
    let reply = reply.ok_or_else(|| Failure::remote("data from server response is empty"))?;
    let is_for_people = cx.out.is_table() && cx.flags.text("field").is_empty();
    match reply.get("text").and_then(Json::as_text).filter(|_| is_for_people) {
        Some(text) => {
            reply.print_warnings(&mut cx.out);
            cx.out.line(text.trim_end());
            Ok(())
        }
        None => cx.print(&reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_policies() {
        for token in [
            "hvs.CAESIJlU02LQZq7W7b1NiTTK",
            "s.ISFbyX5ZKTbZCpFF0xEVDhkx",
            "96ddf4bc-d217-f3ba-f9bd-017055595017",
        ] {
            assert!(looks_like_token(token));
        }
        for policies in ["dev", "dev,default", "s.dev", "b.build-servers"] {
            assert!(!looks_like_token(policies));
        }
    }
}
