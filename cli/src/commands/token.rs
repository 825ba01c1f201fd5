//! Tokens.

use client::Request;

use crate::command::{Arity, Command, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::go_duration;
use crate::json::Json;
use crate::secret::Reply;

const ACCESSOR: Flag =
    Flag::switch("accessor", "The argument is the accessor of a token, not a token.");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "token",
        synopsis: "Work with tokens",
        about: "Tokens are what requests are allowed by.\n\n    $ {program} token create -policy=dev -ttl=1h",
        ..Command::BASE
    },
    Command {
        name: "token create",
        synopsis: "Create a token",
        about: "Creates a token below the one in use, with the same policies unless others are \
                named.\n\n    \
                $ {program} token create -policy=dev -policy=build -ttl=1h\n\n    \
                $ {program} token create -orphan -period=24h -display-name=ci",
        flags: &[
            FIELD,
            FORMAT,
            Flag::text("id", "The token itself, instead of a random one. Only root may."),
            Flag::text("display-name", "A name for the logs."),
            Flag::duration("ttl", "How long it lives unless renewed."),
            Flag::duration("explicit-max-ttl", "How long it lives at most, renewed or not."),
            Flag::duration(
                "period",
                "Makes it periodic: each renewal is for this long, without end.",
            ),
            Flag::switch("renewable", "Whether it can be renewed.").default("true"),
            Flag::switch("orphan", "It has no parent, and outlives the token in use."),
            Flag::switch("no-default-policy", "Leave the default policy out."),
            Flag::int("use-limit", "How often it can be used; 0 for any number of times."),
            Flag::text("role", "Create it by this role."),
            Flag::text("type", "service or batch.").default("service"),
            Flag::map("metadata", "A pair of key and value for the logs."),
            Flag::list("policy", "A policy that it gets."),
            Flag::text("entity-alias", "The alias of the entity that it belongs to; needs -role."),
        ],
        run: Some(|cx| Box::pin(create(cx))),
        ..Command::BASE
    },
    Command {
        name: "token lookup",
        args: "[TOKEN | ACCESSOR]",
        arity: Arity::between(0, 1),
        synopsis: "Show what a token is",
        about: "Shows policies, times and origin of a token; without an argument, of the one in \
                use.\n\n    $ {program} token lookup -accessor 8609694a-cdbc-db9b-d345-e782dbb562ed",
        flags: &[FIELD, FORMAT, ACCESSOR],
        run: Some(|cx| Box::pin(lookup(cx))),
        ..Command::BASE
    },
    Command {
        name: "token renew",
        args: "[TOKEN | ACCESSOR]",
        arity: Arity::between(0, 1),
        synopsis: "Extend the life of a token",
        about: "Starts the time of a token anew; without an argument, that of the one in use.\n\n    \
                $ {program} token renew -increment=30m",
        flags: &[FORMAT, ACCESSOR, Flag::duration("increment", "The time to ask for.").alias("i")],
        run: Some(|cx| Box::pin(renew(cx))),
        ..Command::BASE
    },
    Command {
        name: "token revoke",
        args: "[TOKEN | ACCESSOR]",
        arity: Arity::between(0, 1),
        synopsis: "End a token",
        about: "Ends a token, all tokens that it made, and all their leases.\n\n    \
                $ {program} token revoke -accessor 8609694a-cdbc-db9b-d345-e782dbb562ed\n\n    \
                $ {program} token revoke -self",
        flags: &[
            ACCESSOR,
            Flag::switch("self", "End the token in use."),
            Flag::text(
                "mode",
                "orphan leaves its children alive; path takes a prefix of paths instead.",
            ),
        ],
        run: Some(|cx| Box::pin(revoke(cx))),
        ..Command::BASE
    },
    Command {
        name: "token capabilities",
        args: "[TOKEN] PATH",
        arity: Arity::between(1, 2),
        synopsis: "Show what a token may do at a path",
        about: "Lists the capabilities of a token, or of the one in use, at a path. See also policy \
                explain, which says why.\n\n    $ {program} token capabilities secret/data/app",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(capabilities(cx))),
        ..Command::BASE
    },
];

async fn create(cx: &mut Context) -> Outcome {
    let flags = &cx.flags;
    let mut body = Json::Map(Vec::new());
    let mut set = |key: &str, value: Json, wanted: bool| {
        if wanted {
            body.set(key, value);
        }
    };
    let text = |name| Json::text(flags.text(name));
    let duration = |name| Json::text(go_duration(flags.seconds(name)));
    let batch = flags.text("type") == "batch";
    let metadata: Vec<_> =
        flags.map("metadata").into_iter().map(|(k, v)| (k, Json::Text(v))).collect();
    set("id", text("id"), !flags.text("id").is_empty());
    set("policies", Json::texts(flags.list("policy")), !flags.list("policy").is_empty());
    set("meta", Json::Map(metadata.clone()), !metadata.is_empty());
    set("ttl", duration("ttl"), true);
    set("explicit_max_ttl", duration("explicit-max-ttl"), true);
    set("period", duration("period"), true);
    set("no_parent", Json::Bool(true), flags.on("orphan"));
    set("no_default_policy", Json::Bool(true), flags.on("no-default-policy"));
    set("display_name", text("display-name"), true);
    set("num_uses", Json::number(flags.int("use-limit")), true);
    // A batch token cannot be renewed; asking for it would be an error.
    set("renewable", Json::Bool(flags.on("renewable") && !batch), true);
    set("type", text("type"), true);
    set("entity_alias", text("entity-alias"), true);
    let path = match flags.text("role") {
        "" => "auth/token/create".to_owned(),
        role => format!("auth/token/create/{role}"),
    };
    let reply = cx.secret(&Request::post(path).body(&body)).await.doing("Error creating token")?;
    print_some(cx, reply)
}

fn print_some(cx: &mut Context, reply: Option<Reply>) -> Outcome {
    match reply {
        Some(reply) => cx.print(&reply),
        None => Err(Failure::remote("the server's answer is empty")),
    }
}

/// `{"token": …}` or `{"accessor": …}`.
fn named(cx: &Context, token: &str) -> Json {
    let key = if cx.flags.on("accessor") { "accessor" } else { "token" };
    Json::map([(key, Json::text(token))])
}

fn require_accessor(cx: &Context) -> Outcome {
    match cx.flags.on("accessor") && cx.args.is_empty() {
        true => Err(Failure::local("Not enough arguments with -accessor (expected 1, got 0)")),
        false => Ok(()),
    }
}

async fn lookup(cx: &mut Context) -> Outcome {
    require_accessor(cx)?;
    let token = cx.arg(0).trim().to_owned();
    let request = match (token.is_empty(), cx.flags.on("accessor")) {
        (true, _) => Request::read("auth/token/lookup-self"),
        (false, true) => Request::post("auth/token/lookup-accessor").body(&named(cx, &token)),
        (false, false) => Request::post("auth/token/lookup").body(&named(cx, &token)),
    };
    let reply = cx.secret(&request).await.doing("Error looking up token")?;
    print_some(cx, reply)
}

async fn renew(cx: &mut Context) -> Outcome {
    let token = cx.arg(0).trim().to_owned();
    let mut body = if token.is_empty() { Json::Map(Vec::new()) } else { named(cx, &token) };
    body.set("increment", Json::number(cx.flags.seconds("increment").max(0)));
    let request = match (token.is_empty(), cx.flags.on("accessor")) {
        (true, _) => Request::put("auth/token/renew-self"),
        (false, true) => Request::post("auth/token/renew-accessor"),
        (false, false) => Request::put("auth/token/renew"),
    };
    let reply = cx.secret(&request.body(&body)).await.doing("Error renewing token")?;
    print_some(cx, reply)
}

async fn revoke(cx: &mut Context) -> Outcome {
    let (own, by_accessor) = (cx.flags.on("self"), cx.flags.on("accessor"));
    let mode = cx.flags.text("mode").to_owned();
    if !matches!(mode.as_str(), "" | "orphan" | "path") {
        return Err(Failure::local(format!("Invalid mode: {mode}")));
    }
    let complaint = match (own, cx.args.len()) {
        (true, 1) => "Too many arguments with -self (expected 0, got 1)",
        (false, 0) => "Not enough arguments (expected 1 or -self, got 0)",
        _ if own && by_accessor => "Cannot use -self with -accessor!",
        _ if own && !mode.is_empty() => "Cannot use -self with -mode!",
        _ if by_accessor && mode == "orphan" => "Cannot use -accessor with -mode=orphan!",
        _ if by_accessor && mode == "path" => "Cannot use -accessor with -mode=path!",
        _ => "",
    };
    if !complaint.is_empty() {
        return Err(Failure::local(complaint));
    }
    let token = cx.arg(0).trim().to_owned();
    let request = match mode.as_str() {
        _ if own => Request::put("auth/token/revoke-self"),
        _ if by_accessor => Request::post("auth/token/revoke-accessor").body(&named(cx, &token)),
        "orphan" => Request::put("auth/token/revoke-orphan").body(&named(cx, &token)),
        "path" => Request::put(format!("sys/leases/revoke-prefix/{token}")),
        _ => Request::put("auth/token/revoke").body(&named(cx, &token)),
    };
    cx.send(&request).await.doing("Error revoking token")?;
    cx.out.line("Success! Revoked token (if it existed)");
    Ok(())
}

async fn capabilities(cx: &mut Context) -> Outcome {
    let (token, path) = match cx.args.len() {
        1 => (String::new(), cx.arg(0).to_owned()),
        _ => (cx.arg(0).to_owned(), cx.arg(1).to_owned()),
    };
    let mut body = Json::map([("path", Json::text(&path))]);
    let request = if token.is_empty() {
        Request::post("sys/capabilities-self")
    } else {
        body.set("token", Json::Text(token));
        Request::post("sys/capabilities")
    };
    let data = cx.data(&request.body(&body)).await.doing("Error listing capabilities")?;
    let found = data.some(&path).or(data.some("capabilities")).and_then(Json::as_list);
    let found = found.ok_or_else(|| Failure::local("No capabilities found"))?;
    if !cx.out.is_table() {
        return cx.out.data(&Json::List(found.to_vec()));
    }
    let mut names: Vec<_> = found.iter().filter_map(Json::as_text).collect();
    names.sort_unstable();
    cx.out.line(names.join(", "));
    Ok(())
}
