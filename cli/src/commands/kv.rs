//! The key-value engine, both versions.

use client::{Request, Verb};

use super::generic::{deleted, listed, written};
use super::paths::{folder, join, trimmed};
use crate::command::{Arity, Command, FIELD, FORMAT, Flag};
use crate::context::{Context, WithBody};
use crate::failure::{Doing, Failure, Outcome};
use crate::format::{go_duration, table};
use crate::json::Json;
use crate::secret::{Reply, print_field};

const MOUNT: Flag = Flag::text(
    "mount",
    "Where the engine is mounted. Then the argument is the path of the secret alone; without it, \
     the argument is both together.",
);
const VERSIONS: Flag = Flag::list("versions", "The versions, separated by commas.");
const CUSTOM_METADATA: Flag =
    Flag::map("custom-metadata", "A pair of key and value that describes the secret.");
const MAX_VERSIONS: Flag =
    Flag::int("max-versions", "How many versions to keep; the engine's own number if not given.")
        .default("-1");
const CAS_REQUIRED: Flag = Flag::choice("cas-required", "Whether every write has to give -cas.");
const DELETE_AFTER: Flag = Flag::duration(
    "delete-version-after",
    "How long a version lives; the engine's own time if not given.",
);
const REMOVE_METADATA: Flag =
    Flag::list("remove-custom-metadata", "A key to remove from the custom metadata.");

pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "kv",
        synopsis: "Work with the key-value store",
        about: "Keeps secrets as sets of keys and values, in version 2 of the engine with their \
                history.\n\n    \
                $ {program} kv put -mount=secret app password=-\n\n    \
                $ {program} kv get -mount=secret -field=password app",
        ..Command::BASE
    },
    Command {
        name: "kv get",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Read a secret",
        about: "Prints the secret, or an older version of it.\n\n    \
                $ {program} kv get -mount=secret app\n\n    \
                $ {program} kv get -mount=secret -version=1 -format=json app",
        flags: &[
            FIELD,
            FORMAT,
            Flag::int("version", "The version to read; 0 is the newest."),
            MOUNT,
        ],
        run: Some(|cx| Box::pin(get(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv put",
        args: "KEY DATA...",
        arity: Arity::at_least(1),
        synopsis: "Write a secret",
        about: "Stores the pairs as the new content of the secret. A value can come from a file \
                (key=@file) or from standard input (key=-), so that it need not stand on the \
                command line.\n\n    \
                $ {program} kv put -mount=secret app user=web password=-\n\n    \
                $ {program} kv put -mount=secret -cas=3 app @app.json",
        flags: &[
            FIELD,
            FORMAT,
            Flag::int(
                "cas",
                "Write only if the newest version has this number; 0 if there must be none.",
            )
            .default("-1"),
            MOUNT,
        ],
        run: Some(|cx| Box::pin(put(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv patch",
        args: "KEY [DATA...]",
        arity: Arity::at_least(1),
        synopsis: "Change single keys of a secret",
        about: "Stores a new version in which the given keys are changed and all others are as \
                before. The data is given as for kv put.\n\n    \
                $ {program} kv patch -mount=secret app password=-",
        flags: &[
            FIELD,
            FORMAT,
            Flag::int("cas", "Write only if the newest version has this number."),
            Flag::text(
                "method",
                "patch lets the server merge; rw reads and writes. Without it, both are tried.",
            ),
            MOUNT,
            Flag::list("remove-data", "A key to remove."),
        ],
        run: Some(|cx| Box::pin(patch(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv delete",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Delete versions of a secret",
        about: "Marks the newest version, or those named, as deleted; kv undelete brings them \
                back.\n\n    $ {program} kv delete -mount=secret -versions=1,2 app",
        flags: &[FIELD, FORMAT, VERSIONS, MOUNT],
        run: Some(|cx| Box::pin(delete(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv undelete",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Bring deleted versions back",
        about: "Makes deleted versions readable again, unless they were destroyed.\n\n    \
                $ {program} kv undelete -mount=secret -versions=2 app",
        flags: &[FORMAT, VERSIONS, MOUNT],
        run: Some(|cx| Box::pin(change_versions(cx, "undelete"))),
        ..Command::BASE
    },
    Command {
        name: "kv destroy",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Remove versions for ever",
        about: "Removes the content of versions. Nothing brings it back.\n\n    \
                $ {program} kv destroy -mount=secret -versions=1 app",
        flags: &[FORMAT, VERSIONS, MOUNT],
        run: Some(|cx| Box::pin(change_versions(cx, "destroy"))),
        ..Command::BASE
    },
    Command {
        name: "kv list",
        args: "[PATH]",
        arity: Arity::between(0, 1),
        synopsis: "List secrets",
        about: "Lists the names below a path. A name that ends in a slash is a folder.\n\n    \
                $ {program} kv list -mount=secret apps",
        flags: &[FORMAT, MOUNT],
        run: Some(|cx| Box::pin(list(cx, Verb::List))),
        ..Command::BASE
    },
    Command {
        name: "kv scan",
        args: "[PATH]",
        arity: Arity::between(0, 1),
        synopsis: "List secrets with all folders below",
        about: "Lists all names below a path, at any depth.\n\n    $ {program} kv scan -mount=secret",
        flags: &[FORMAT, MOUNT],
        run: Some(|cx| Box::pin(list(cx, Verb::Scan))),
        ..Command::BASE
    },
    Command {
        name: "kv rollback",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Make an old version the newest",
        about: "Stores the content of an old version once more, as a new one.\n\n    \
                $ {program} kv rollback -mount=secret -version=2 app",
        flags: &[FORMAT, Flag::int("version", "The version to go back to."), MOUNT],
        run: Some(|cx| Box::pin(rollback(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv enable-versioning",
        args: "PATH",
        arity: Arity::exactly(1),
        synopsis: "Turn a version 1 engine into version 2",
        about: "From then on the engine keeps a history. There is no way back.\n\n    \
                $ {program} kv enable-versioning secret",
        flags: &[FORMAT],
        run: Some(|cx| Box::pin(enable_versioning(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv metadata",
        synopsis: "Work with what is known about a secret",
        about: "Settings and history of a secret, without its content.",
        ..Command::BASE
    },
    Command {
        name: "kv metadata get",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Show settings and versions of a secret",
        about: "Prints settings, custom metadata and all versions with their times.\n\n    \
                $ {program} kv metadata get -mount=secret app",
        flags: &[FORMAT, MOUNT],
        run: Some(|cx| Box::pin(metadata_get(cx))),
        ..Command::BASE
    },
    Command {
        name: "kv metadata put",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Set the settings of a secret",
        about: "Sets settings and replaces the custom metadata. The secret need not exist.\n\n    \
                $ {program} kv metadata put -mount=secret -max-versions=5 app",
        flags: &[FORMAT, MAX_VERSIONS, CAS_REQUIRED, DELETE_AFTER, CUSTOM_METADATA, MOUNT],
        run: Some(|cx| Box::pin(metadata_write(cx, Verb::Put))),
        ..Command::BASE
    },
    Command {
        name: "kv metadata patch",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Change single settings of a secret",
        about: "Changes the given settings and keys of the custom metadata and leaves the others.\
                \n\n    $ {program} kv metadata patch -remove-custom-metadata=owner secret/app",
        flags: &[
            FORMAT,
            MAX_VERSIONS,
            CAS_REQUIRED,
            DELETE_AFTER,
            CUSTOM_METADATA,
            REMOVE_METADATA,
            MOUNT,
        ],
        run: Some(|cx| Box::pin(metadata_write(cx, Verb::Patch))),
        ..Command::BASE
    },
    Command {
        name: "kv metadata delete",
        args: "KEY",
        arity: Arity::exactly(1),
        synopsis: "Remove a secret with all its versions",
        about: "Removes the secret, its settings and its whole history. Nothing brings it back.\
                \n\n    $ {program} kv metadata delete -mount=secret app",
        flags: &[MOUNT],
        run: Some(|cx| Box::pin(metadata_delete(cx))),
        ..Command::BASE
    },
];

/// A secret and the engine that it is in.
struct Target {
    mount: String,
    /// In version 2 with the mount, in version 1 as it goes into the request.
    path: String,
    v2: bool,
}

impl Target {
    /// Asks the server which engine the path belongs to.
    async fn find(cx: &mut Context) -> Outcome<Self> {
        let argument = trimmed(cx.arg(0)).to_owned();
        let given = trimmed(cx.flags.text("mount")).to_owned();
        let asked = if given.is_empty() { &argument } else { &given };
        let (mount, v2) = preflight(cx, asked).await?;
        let path = if given.is_empty() { argument } else { join(&[&mount, &argument]) };
        Ok(Self { mount, path, v2 })
    }

    /// The path of a request: `secret/app` becomes `secret/data/app` in version 2.
    fn below(&self, prefix: &str) -> String {
        if !self.v2 {
            return self.path.clone();
        }
        let mut mount = self.mount.trim_matches('/');
        loop {
            if self.path == mount {
                return join(&[mount, prefix]);
            }
            if let Some(rest) = self.path.strip_prefix(mount).filter(|rest| rest.starts_with('/')) {
                return join(&[mount, prefix, rest]);
            }
            // The mount may begin with namespaces that the path leaves out.
            match mount.split_once('/') {
                Some((_, rest)) => mount = rest,
                None => return join(&[mount, prefix, &self.path]),
            }
        }
    }

    fn require_v2(&self, act: &str, code: u8) -> Outcome {
        match self.v2 {
            true => Ok(()),
            false => Err(Failure {
                code,
                ..Failure::local(format!("{act} not supported on KV Version 1"))
            }),
        }
    }
}

/// Where the engine that holds `path` is mounted, and whether it keeps versions.
async fn preflight(cx: &mut Context, path: &str) -> Outcome<(String, bool)> {
    let request = Request::read(format!("sys/internal/ui/mounts/{path}")).unwrapped();
    let reply = match cx.really(&request).await {
        Err(failure) if failure.status() == Some(403) && cx.preview.is_some() => {
            return Err(Failure::remote(format!(
                "To show this request, the version of the engine at {path} has to be known, and this \
                 token may not ask for it. Use a token that may read there."
            )));
        }
        reply => reply?,
    };
    // Servers older than this request have only version 1.
    let Some(reply) = reply else { return Ok((String::new(), false)) };
    let mount = reply.get("path").and_then(Json::as_text).unwrap_or_default().to_owned();
    let version = reply.get("options").and_then(|options| options.get("version"));
    Ok((mount, version.and_then(Json::as_text) == Some("2")))
}

async fn get(cx: &mut Context) -> Outcome {
    let target = Target::find(cx).await?;
    let path = target.below("data");
    let mut request = Request::read(&path);
    let version = cx.flags.int("version");
    if target.v2 && version > 0 {
        request = request.query("version", version.to_string());
    }
    let reply = cx.secret(&request).await.doing(format!("Error reading {path}"))?;
    let reply = reply.ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    let content = if target.v2 { reply.get("data").cloned() } else { reply.data.clone() };
    let field = cx.flags.text("field").to_owned();
    if !field.is_empty() {
        return match content {
            _ if !target.v2 => reply.print_field(&mut cx.out, &field),
            None => Err(Failure::remote(format!("No data found at {path}"))),
            // "data" is the whole content, unless that has a key of this name.
            Some(content) if field == "data" && content.some("data").is_none() => {
                print_field(&mut cx.out, Some(content), &field, "map")
            }
            Some(content) => print_field(&mut cx.out, content.get(&field).cloned(), &field, "map"),
        };
    }
    if reply.envelope.wrap_info.is_some() || !cx.out.is_table() {
        return reply.print(&mut cx.out);
    }
    reply.print_warnings(&mut cx.out);
    if target.v2 {
        print_path(cx, "Secret Path", &path);
    }
    if let Some(metadata) = reply.get("metadata") {
        print_section(cx, "Metadata", metadata)?;
        cx.out.line("");
    }
    content.map_or(Ok(()), |content| print_section(cx, "Data", &content))
}

fn print_path(cx: &mut Context, title: &str, path: &str) {
    cx.out.line(table::banner(title, path.len()));
    cx.out.line(path);
    cx.out.line("");
}

fn print_section(cx: &mut Context, title: &str, data: &Json) -> Outcome {
    cx.out.line(table::banner_for(title, data.members()));
    cx.out.data(data)
}

async fn put(cx: &mut Context) -> Outcome {
    if cx.args.len() < 2 {
        return Err(Failure::local("Must supply data"));
    }
    let data = cx.body_args(1)?.unwrap_or(Json::Null);
    let target = Target::find(cx).await?;
    let path = target.below("data");
    let body = if target.v2 { versioned(data, cas(cx, -1)) } else { data };
    let request = Request::put(&path).body(&body);
    let reply = cx.secret(&request).await.doing(format!("Error writing data to {path}"))?;
    print_written(cx, reply, &path)
}

/// The number after `-cas`, if it is above `none`.
fn cas(cx: &Context, none: i64) -> Option<Json> {
    let cas = cx.flags.int("cas");
    (cas > none).then(|| Json::number(cas))
}

fn versioned(data: Json, cas: Option<Json>) -> Json {
    let options = cas.map_or(Json::Map(Vec::new()), |cas| Json::map([("cas", cas)]));
    Json::map([("data", data), ("options", options)])
}

/// Prints the metadata of the version that was written.
fn print_written(cx: &mut Context, reply: Option<Reply>, path: &str) -> Outcome {
    let Some(reply) = reply else { return written(cx, None, path) };
    if !cx.flags.text("field").is_empty() || reply.is_wrapped() || !cx.out.is_table() {
        return cx.print(&reply);
    }
    print_path(cx, "Secret Path", path);
    let metadata = reply.data.unwrap_or(Json::Map(Vec::new()));
    print_section(cx, "Metadata", &metadata)
}

async fn patch(cx: &mut Context) -> Outcome {
    let remove = cx.flags.list("remove-data").to_vec();
    if remove.is_empty() && cx.args.len() < 2 {
        return Err(Failure::local("Must supply data"));
    }
    let mut changes = cx.body_args(1)?.unwrap_or(Json::Map(Vec::new()));
    for key in &remove {
        changes.set(key, Json::Null);
    }
    let target = Target::find(cx).await?;
    if !target.v2 {
        return Err(Failure::remote("K/V engine mount must be version 2 for patch support"));
    }
    let path = target.below("data");
    let method = cx.flags.text("method").to_owned();
    let reply = match method.as_str() {
        "rw" => patch_by_writing(cx, &path, &changes).await?,
        "" | "patch" => {
            let request = Request::patch(&path).body(&versioned(changes.clone(), cas(cx, 0)));
            match cx.secret(&request).await {
                Err(failure)
                    if method.is_empty() && matches!(failure.status(), Some(403 | 405)) =>
                {
                    if failure.status() == Some(403) {
                        cx.out.warn(format!(
                            "The token may not patch {path}; the change is made by reading and writing. \
                             Add the \"patch\" capability to its policy."
                        ));
                    }
                    patch_by_writing(cx, &path, &changes).await?
                }
                reply => reply.doing(format!("Error writing data to {path}"))?,
            }
        }
        other => {
            return Err(Failure::remote(format!(
                "Unsupported method provided to -method flag: {other}"
            )));
        }
    };
    print_written(cx, reply, &path)
}

async fn patch_by_writing(cx: &mut Context, path: &str, changes: &Json) -> Outcome<Option<Reply>> {
    let (metadata, mut data) = existing(cx, Request::read(path), path, "patch").await?;
    let data = data.take().ok_or_else(|| missing("data", path, "patch"))?;
    let mut data = data;
    for (key, value) in changes.members() {
        data.set(key, value.clone());
    }
    let body = versioned(data, metadata.get("version").cloned());
    cx.secret(&Request::put(path).body(&body)).await.doing(format!("Error writing data to {path}"))
}

/// Metadata and content of a version that must exist; the content is gone if it was deleted.
async fn existing(
    cx: &mut Context,
    request: Request,
    path: &str,
    act: &str,
) -> Outcome<(Json, Option<Json>)> {
    let reply = cx.really(&request).await.doing(format!("Error doing pre-read at {path}"))?;
    let reply = reply.filter(|reply| reply.data.is_some());
    let reply = reply.ok_or_else(|| Failure::remote(format!("No value found at {path}")))?;
    let metadata = reply.get("metadata").filter(|metadata| metadata.is_map()).cloned();
    let metadata = metadata.ok_or_else(|| missing("metadata", path, act))?;
    Ok((metadata, reply.get("data").filter(|data| data.is_map()).cloned()))
}

fn missing(what: &str, path: &str, act: &str) -> Failure {
    Failure::remote(format!("No {what} found at {path}; {act} only works on existing data"))
}

async fn rollback(cx: &mut Context) -> Outcome {
    if !cx.flags.given("version") {
        return Err(Failure::local("Version flag must be specified"));
    }
    let version = cx.flags.int("version");
    if version <= 0 {
        return Err(Failure::local(format!("Invalid value {version} for the version flag")));
    }
    let target = Target::find(cx).await?;
    if !target.v2 {
        return Err(Failure::remote("K/V engine mount must be version 2 for rollback support"));
    }
    let path = target.below("data");
    let (newest, _) = existing(cx, Request::read(&path), &path, "rollback").await?;
    let old = Request::read(&path).query("version", version.to_string());
    let (metadata, data) = existing(cx, old, &path, "rollback").await?;
    let refused =
        |how: &str| Failure::remote(format!("Cannot roll back to a version that has been {how}"));
    if metadata.some("deletion_time").and_then(Json::as_text).is_some_and(|time| !time.is_empty()) {
        return Err(refused("deleted"));
    }
    if metadata.get("destroyed") == Some(&Json::Bool(true)) {
        return Err(refused("destroyed"));
    }
    let data = data.ok_or_else(|| missing("data", &path, "rollback"))?;
    let request = Request::put(&path).body(&versioned(data, newest.get("version").cloned()));
    let reply = cx.secret(&request).await.doing(format!("Error writing data to {path}"))?;
    written(cx, reply, &path)
}

async fn delete(cx: &mut Context) -> Outcome {
    let target = Target::find(cx).await?;
    let path = target.below("data");
    let request = match versions(cx) {
        Some(versions) if target.v2 => {
            Request::put(target.below("delete")).body(&Json::map([("versions", versions)]))
        }
        _ => Request::delete(&path),
    };
    let reply = cx.secret(&request).await.doing(format!("Error deleting {path}"))?;
    deleted(cx, reply, &path)
}

/// The list after `-versions`, which may be given several times and hold commas.
fn versions(cx: &Context) -> Option<Json> {
    let given = cx.flags.list("versions");
    let numbers = given
        .iter()
        .flat_map(|part| part.split(','))
        .map(str::trim)
        .filter(|part| !part.is_empty());
    (!given.is_empty()).then(|| Json::texts(numbers))
}

async fn change_versions(cx: &mut Context, act: &str) -> Outcome {
    let versions = versions(cx).ok_or_else(|| {
        Failure::local(format!(
            "No versions provided, use the \"-versions\" flag to specify the version to {act}."
        ))
    })?;
    let target = Target::find(cx).await?;
    target.require_v2(if act == "destroy" { "Destroy" } else { "Undelete" }, 1)?;
    let path = target.below(act);
    let request = Request::put(&path).body(&Json::map([("versions", versions)]));
    let reply = cx.secret(&request).await.doing(format!("Error writing data to {path}"))?;
    written(cx, reply, &path)
}

async fn list(cx: &mut Context, verb: Verb) -> Outcome {
    if cx.args.is_empty() && cx.flags.text("mount").is_empty() {
        return Err(Failure::local("Not enough arguments (expected 1, got 0)"));
    }
    let target = Target::find(cx).await?;
    let path = target.below("metadata");
    listed(cx, &Request::new(verb, &path), &path).await
}

async fn enable_versioning(cx: &mut Context) -> Outcome {
    let mount = folder(trimmed(cx.arg(0)));
    let options = Json::map([("version", Json::text("2"))]);
    let request =
        Request::post(format!("sys/mounts/{mount}tune")).body(&Json::map([("options", options)]));
    cx.send(&request).await.doing(format!("Error tuning secrets engine {mount}"))?;
    cx.out.line(format!("Success! Tuned the secrets engine at: {mount}"));
    Ok(())
}

async fn metadata_target(cx: &mut Context) -> Outcome<String> {
    let target = Target::find(cx).await?;
    target.require_v2("Metadata", 1)?;
    Ok(target.below("metadata"))
}

async fn metadata_get(cx: &mut Context) -> Outcome {
    let path = metadata_target(cx).await?;
    let reply = cx.secret(&Request::read(&path)).await.doing(format!("Error reading {path}"))?;
    let none = || Failure::remote(format!("No value found at {path}"));
    let mut reply = reply.ok_or_else(none)?;
    if reply.envelope.wrap_info.is_some() || !cx.out.is_table() {
        return reply.print(&mut cx.out);
    }
    let mut data = reply.data.take().ok_or_else(none)?;
    let mut versions: Vec<_> = data.remove("versions").ok_or_else(none)?.members().to_vec();
    versions.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or(u64::MAX));
    print_path(cx, "Metadata Path", &path);
    print_section(cx, "Metadata", &data)?;
    for (number, version) in versions {
        cx.out.line("");
        print_section(cx, &format!("Version {number}"), &version)?;
    }
    Ok(())
}

async fn metadata_write(cx: &mut Context, verb: Verb) -> Outcome {
    let path = metadata_target(cx).await?;
    let mut custom: Vec<_> = cx.flags.map("custom-metadata").into_iter().collect();
    custom.sort();
    let mut custom: Vec<_> =
        custom.into_iter().map(|(key, value)| (key, Json::Text(value))).collect();
    // In a merge patch a null removes the key.
    custom.extend(
        cx.flags.list("remove-custom-metadata").iter().map(|key| (key.clone(), Json::Null)),
    );
    let mut body = Json::Map(Vec::new());
    if cx.flags.given("cas-required") {
        body.set("cas_required", Json::Bool(cx.flags.on("cas-required")));
    }
    if verb == Verb::Patch || !custom.is_empty() {
        body.set("custom_metadata", Json::Map(custom));
    }
    if cx.flags.given("delete-version-after") {
        let seconds = cx.flags.seconds("delete-version-after");
        body.set("delete_version_after", Json::text(go_duration(seconds)));
    }
    if cx.flags.int("max-versions") >= 0 {
        body.set("max_versions", Json::number(cx.flags.int("max-versions")));
    }
    let request = Request::new(verb, &path).body(&body);
    let reply = cx.secret(&request).await.doing(format!("Error writing data to {path}"))?;
    written(cx, reply, &path)
}

async fn metadata_delete(cx: &mut Context) -> Outcome {
    let path = metadata_target(cx).await?;
    cx.send(&Request::delete(&path)).await.doing(format!("Error deleting {path}"))?;
    cx.out.line(format!("Success! Data deleted (if it existed) at: {path}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_path_is_built_from_mount_and_path() {
        let below = |mount: &str, path: &str| {
            Target { mount: mount.to_owned(), path: path.to_owned(), v2: true }.below("data")
        };
        assert_eq!(below("secret/", "secret/app"), "secret/data/app");
        assert_eq!(below("secret/", "secret"), "secret/data");
        assert_eq!(below("a/b/", "a/b/c/d"), "a/b/data/c/d");
        assert_eq!(below("team/secret/", "secret/app"), "secret/data/app");
        assert_eq!(below("secret/", "secretive/app"), "secret/data/secretive/app");
        let v1 = Target { mount: "kv/".to_owned(), path: "kv/app".to_owned(), v2: false };
        assert_eq!(v1.below("data"), "kv/app");
    }
}
