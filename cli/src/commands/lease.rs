//! Leases.

use client::Request;

use crate::command::{Arity, Command, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::json::Json;

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "lease",
        synopsis: "Work with leases",
        about: "A lease says how long a secret lives.",
        ..Command::BASE
    },
    Command {
        name: "lease lookup",
        args: "ID",
        arity: Arity::exactly(1),
        synopsis: "Show a lease",
        about: "Shows the times of a lease.\n\n    $ {program} lease lookup database/creds/web/2f6a614c",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(lookup(cx))),
        ..Command::BASE
    },
    Command {
        name: "lease renew",
        args: "ID",
        arity: Arity::exactly(1),
        synopsis: "Extend a lease",
        about: "Starts the time of a lease anew, as far as its secret allows.\n\n    \
                $ {program} lease renew -increment=1h database/creds/web/2f6a614c",
        flags: &[FORMAT, Flag::duration("increment", "The time to ask for.")],
        run: Some(|cx| Box::pin(renew(cx))),
        ..Command::BASE
    },
    Command {
        name: "lease revoke",
        args: "ID|PREFIX",
        arity: Arity::exactly(1),
        synopsis: "End leases",
        about: "Ends a lease and makes its secret useless; with -prefix all leases whose names begin \
                with the argument.\n\n    $ {program} lease revoke -prefix database/creds/web",
        flags: &[
            Flag::switch(
                "force",
                "Forget the leases even if their secrets cannot be revoked; needs -prefix.",
            )
            .alias("f"),
            Flag::switch("prefix", "The argument is the beginning of names."),
            Flag::switch("sync", "Wait until it is done."),
        ],
        run: Some(|cx| Box::pin(revoke(cx))),
        ..Command::BASE
    },
];

async fn lookup(cx: &mut Context) -> Outcome {
    let id = cx.arg(0).trim().to_owned();
    let request =
        Request::put("sys/leases/lookup").body(&Json::map([("lease_id", Json::text(&id))]));
    let reply = cx.secret(&request).await.doing(format!("error looking up lease id {id}"))?;
    reply.map_or(Ok(()), |reply| reply.print(&mut cx.out))
}

async fn renew(cx: &mut Context) -> Outcome {
    let id = cx.arg(0).trim().to_owned();
    let increment = Json::number(cx.flags.seconds("increment").max(0));
    let body = Json::map([("increment", increment), ("lease_id", Json::text(&id))]);
    let request = Request::put("sys/leases/renew").body(&body);
    let reply = cx.secret(&request).await.doing(format!("Error renewing {id}"))?;
    reply.map_or(Ok(()), |reply| reply.print(&mut cx.out))
}

async fn revoke(cx: &mut Context) -> Outcome {
    let [force, prefix, sync] = ["force", "prefix", "sync"].map(|name| cx.flags.on(name));
    if force && !prefix {
        return Err(Failure::local("Specifying -force requires also specifying -prefix"));
    }
    let id = cx.arg(0).trim().to_owned();
    let waits = Json::Bool(sync);
    let (request, act) = match (force, prefix) {
        (true, _) => {
            cx.out.warn("Careful: what these leases gave out may live on where it was made.");
            let request = Request::put(format!("sys/leases/revoke-force/{id}"));
            (request, format!("Error force revoking leases with prefix {id}"))
        }
        (false, true) => {
            let request = Request::put(format!("sys/leases/revoke-prefix/{id}"));
            (
                request.body(&Json::map([("sync", waits)])),
                format!("Error revoking leases with prefix {id}"),
            )
        }
        (false, false) => {
            let request = Request::put(format!("sys/leases/revoke/{id}"));
            (request.body(&Json::map([("sync", waits)])), format!("Error revoking lease {id}"))
        }
    };
    cx.send(&request).await.doing(act)?;
    cx.out.line(match (force, sync, prefix) {
        (true, ..) => format!("Success! Force revoked any leases with prefix: {id}"),
        (false, true, true) => format!("Success! Revoked any leases with prefix: {id}"),
        (false, true, false) => format!("Success! Revoked lease: {id}"),
        (false, false, _) => "All revocation operations queued successfully!".to_owned(),
    });
    Ok(())
}
