//! `login`.

use std::collections::BTreeMap;

use base_types::Secret;
use client::{Auth, Request};

use super::generic::unwrapped;
use super::paths::{folder, trimmed};
use crate::command::{Arity, Command, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody, parse_switch};
use crate::failure::{Doing, Failure, Outcome};
use crate::help::wrap;
use crate::json::Json;
use crate::kv_args;
use crate::out::Stream;
use crate::secret::Reply;

pub(crate) const COMMANDS: &[Command] = &[Command {
    name: "login",
    args: "[TOKEN | K=V...]",
    arity: Arity::at_least(0),
    synopsis: "Log in and keep the token for later commands",
    about: "Gets a token from an auth method and stores it with the token helper, in ~/.vault-token \
            unless another one is configured. What is secret is asked for on the terminal if it is \
            not given.\n\n    \
            $ {program} login\n\n    \
            $ {program} login -method=userpass username=sally\n\n    \
            $ {program} login -method=approle role_id=@role secret_id=@secret\n\n\
            See {program} auth help METHOD for the keys of a method.",
    flags: &[
        FIELD,
        FORMAT,
        Flag::text("method", "How to log in: token, userpass or approle.").default("token"),
        Flag::text("path", "Where the auth method is mounted, if not under its own name."),
        Flag::switch("no-store", "Do not keep the token."),
        Flag::switch("no-print", "Do not print the token."),
        Flag::switch("token-only", "Print nothing but the token, and do not keep it."),
    ],
    run: Some(|cx| Box::pin(login(cx))),
    ..Command::BASE
}];

/// A way to log in with a request.
struct Method {
    name: &'static str,
    /// The key whose value ends the path of the request.
    in_path: Option<&'static str>,
    /// The keys in the body; the last one is secret and asked for.
    in_body: &'static [&'static str],
    help: &'static str,
}

const METHODS: &[Method] = &[
    Method {
        name: "userpass",
        in_path: Some("username"),
        in_body: &["password"],
        help: "username=NAME    the user\npassword=TEXT    asked for if not given",
    },
    Method {
        name: "approle",
        in_path: None,
        in_body: &["role_id", "secret_id"],
        help: "role_id=ID      the role\nsecret_id=ID    asked for if not given",
    },
];

const TOKEN_HELP: &str = "token=TOKEN     or the token alone; asked for if neither is given\n\
                          lookup=false    do not ask the server what the token is";

/// How to log in with the method `name`.
pub(crate) fn help(program: &str, name: &str) -> Option<String> {
    let keys = match name {
        "token" => TOKEN_HELP,
        name => METHODS.iter().find(|method| method.name == name)?.help,
    };
    let keys = keys.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
    Some(format!("Usage: {program} login -method={name} [K=V...]\n\nKeys:\n\n{keys}"))
}

async fn login(cx: &mut Context) -> Outcome {
    let token_only = cx.flags.on("token-only");
    let store = !token_only && !cx.flags.on("no-store");
    let print = !cx.flags.on("no-print");
    if !print && !store {
        return Err(Failure::local("-no-store and -no-print cannot be used together"));
    }
    let reply = authenticate(cx).await?;
    let reply = take_token(cx, reply, store).await.doing("Error extracting token")?;
    if reply.envelope.auth.is_none() && token_only {
        return reply.print_field(&mut cx.out, "wrapping_token");
    }
    let Some(auth) = &reply.envelope.auth else { return reply.print(&mut cx.out) };
    if store {
        store_token(cx, &Secret::new(auth.client_token.clone()), &reply)?;
        warn_of_environment(cx);
    } else if !token_only {
        cx.out.warn(format!(
            "{}\n",
            wrap("The token is not kept. Set VAULT_TOKEN to the one below, or give it with each command.", 0)
        ));
    }
    if !print {
        return Ok(());
    }
    match (cx.flags.text("field").to_owned().as_str(), token_only) {
        (_, true) => reply.print_field(&mut cx.out, "token"),
        ("", false) => {
            let program = cx.program.clone();
            cx.out.success(format!(
                "{}\n",
                wrap(
                    &format!(
                        "Success! You are logged in. The token below is kept for later commands; there is \
                         no need to run \"{program} login\" again."
                    ),
                    0
                )
            ));
            reply.print(&mut cx.out)
        }
        (field, false) => reply.print_field(&mut cx.out, field),
    }
}

async fn authenticate(cx: &mut Context) -> Outcome<Reply> {
    let name = match trimmed(cx.flags.text("method")) {
        "" => "token".to_owned(),
        name => name.to_owned(),
    };
    let method = METHODS.iter().find(|method| method.name == name);
    if method.is_none() && name != "token" {
        let program = &cx.program;
        return Err(Failure::local(format!(
            "Unknown auth method: {name}. This command knows token, userpass and approle. \"{program} auth \
             list\" shows what the server has; all of them work with \"{program} write auth/PATH/login ...\"."
        )));
    }
    let keys = keys(cx, &name)?;
    let reply = match method {
        None => with_token(cx, keys).await,
        Some(method) => with_request(cx, method, keys).await,
    };
    reply
        .map_err(|failure| match failure.preview {
            Some(_) => failure,
            None => Failure { code: 2, ..failure },
        })
        .doing("Error authenticating")
}

fn keys(cx: &mut Context, method: &str) -> Outcome<BTreeMap<String, String>> {
    let mut args = cx.args.clone();
    if let Some(first) = args.first_mut().filter(|first| method == "token" && !first.contains('='))
    {
        *first = format!("token={first}");
    }
    kv_args::parse_texts(&args, &mut || cx.stdin())
        .map_err(|why| Failure::local(format!("Error parsing configuration: {why}")))
}

async fn with_request(
    cx: &mut Context,
    method: &Method,
    mut keys: BTreeMap<String, String>,
) -> Outcome<Reply> {
    let mount = keys.remove("mount").filter(|mount| !mount.is_empty());
    let mount = mount.unwrap_or_else(|| match cx.flags.text("path") {
        "" => folder(method.name),
        path => path.to_owned(),
    });
    let mut path = format!("auth/{mount}/login");
    if let Some(key) = method.in_path {
        let value = keys.remove(key).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Failure::remote(format!("'{key}' must be specified")))?;
        path = format!("{path}/{value}");
    }
    let mut body = Json::Map(Vec::new());
    for (index, key) in method.in_body.iter().enumerate() {
        let value = match keys.remove(*key).filter(|value| !value.is_empty()) {
            Some(value) => value,
            None if index + 1 < method.in_body.len() => {
                return Err(Failure::remote(format!("'{key}' must be specified")));
            }
            None => {
                let question = key.replace('_', " ");
                let question = format!("{}{}", question[..1].to_uppercase(), &question[1..]);
                let otherwise = format!("give it as {key}=@file or {key}=-");
                cx.ask(&question, Stream::Stderr, &otherwise)?.expose().clone()
            }
        };
        body.set(key, Json::Text(value));
    }
    // A login must not depend on the token that it is to replace.
    cx.use_token(None)?;
    let reply = cx.secret(&Request::put(path).body(&body)).await?;
    reply.ok_or_else(|| Failure::remote("empty response from credential provider"))
}

async fn with_token(cx: &mut Context, mut keys: BTreeMap<String, String>) -> Outcome<Reply> {
    let lookup = keys.remove("lookup").map_or(Ok(true), |text| parse_switch("lookup", &text))?;
    let token = match keys.remove("token") {
        Some(token) => Secret::new(token.trim().to_owned()),
        None => {
            let token =
                cx.ask("Token", Stream::Stderr, "give it as token=@file, or - for standard input")?;
            Secret::new(token.expose().trim().to_owned())
        }
    };
    if token.expose().is_empty() {
        return Err(Failure::remote("a token must be given"));
    }
    if !lookup {
        return Ok(Reply::of_auth(Auth {
            client_token: token.expose().clone(),
            ..Auth::default()
        }));
    }
    cx.use_token(Some(token))?;
    let request = Request::read("auth/token/lookup-self").unwrapped();
    let reply = cx.secret(&request).await.doing("error looking up token")?;
    let reply = reply.ok_or_else(|| Failure::remote("empty response from lookup-self"))?;
    Ok(Reply::of_auth(looked_up(&reply)))
}

/// What a lookup says, in the form that a login answers with.
fn looked_up(reply: &Reply) -> Auth {
    let text = |key: &str| reply.get(key).and_then(Json::as_text).unwrap_or_default().to_owned();
    let list = |key: &str| {
        let items = reply.get(key)?.as_list()?.iter();
        Some(items.filter_map(Json::as_text).map(str::to_owned).collect::<Vec<_>>())
    };
    let policies = list("policies");
    let identity_policies = list("identity_policies");
    let all = policies.iter().chain(&identity_policies).flatten().cloned();
    let metadata = reply.get("meta").map(|meta| {
        let pairs = meta.members().iter();
        pairs.map(|(key, value)| (key.clone(), value.to_string())).collect()
    });
    Auth {
        client_token: text("id"),
        accessor: text("accessor"),
        policies: Some(all.collect()),
        token_policies: policies,
        identity_policies,
        metadata,
        lease_duration: reply.get("ttl").and_then(Json::as_integer).unwrap_or(0),
        renewable: reply.get("renewable") == Some(&Json::Bool(true)),
        ..Auth::default()
    }
}

/// The answer that holds the token: with `-wrap-ttl` it waits under another one.
async fn take_token(cx: &mut Context, reply: Reply, store: bool) -> Outcome<Reply> {
    if reply.envelope.auth.is_some() {
        return Ok(reply);
    }
    let Some(wrap) = &reply.envelope.wrap_info else {
        return Err(Failure::remote("no auth or wrapping info in response"));
    };
    if wrap.wrapped_accessor.is_empty() {
        return Err(Failure::remote("wrapped response does not contain a token"));
    }
    if !store {
        return Ok(reply);
    }
    cx.use_token(Some(Secret::new(wrap.token.clone())))?;
    let inner = unwrapped(cx, "").await?;
    inner
        .filter(|inner| inner.envelope.auth.is_some())
        .ok_or_else(|| Failure::remote("no auth or wrapping info in response"))
}

fn store_token(cx: &mut Context, token: &Secret<String>, reply: &Reply) -> Outcome {
    let address = cx.address().to_owned();
    let helper = cx.token_helper(&address).map_err(|failure| Failure { code: 1, ..failure })?;
    let Err(why) = helper.store(token) else { return Ok(()) };
    cx.out.error(format!("Error storing token: {why}"));
    cx.out.error(
        wrap("You are logged in, but the token could not be kept. It is shown below.", 0) + "\n",
    );
    reply.print(&mut cx.out)?;
    Err(Failure::quiet(2))
}

fn warn_of_environment(cx: &mut Context) {
    if let Some(name) = cx.env.spelling("TOKEN") {
        let text = format!("WARNING! {name} is set and goes before the token that was just kept.");
        cx.out.warn(format!("{}\n", wrap(&text, 0)));
    }
}
