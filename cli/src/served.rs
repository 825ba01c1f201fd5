use std::time::Duration;

use client::Request;

use crate::command::Command;
use crate::commands::paths::join;
use crate::context::Context;
use crate::json::Json;

/// What the first argument of a command names on the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Named {
    AuthMethod,
    KvKey,
    Mount,
    Path,
    Policy,
}

const COMMANDS: [(Named, &[&str]); 5] = [
    (Named::AuthMethod, &["auth disable", "auth help", "auth move", "auth tune"]),
    (
        Named::KvKey,
        &[
            "kv delete",
            "kv destroy",
            "kv get",
            "kv list",
            "kv metadata delete",
            "kv metadata get",
            "kv metadata patch",
            "kv metadata put",
            "kv patch",
            "kv put",
            "kv rollback",
            "kv scan",
            "kv undelete",
        ],
    ),
    (Named::Mount, &["kv enable-versioning", "secrets disable", "secrets move", "secrets tune"]),
    (Named::Path, &["delete", "list", "patch", "path-help", "read", "scan", "write"]),
    (Named::Policy, &["policy delete", "policy read", "policy write"]),
];

/// Somebody waits with a finger on the key.
const PATIENCE: Duration = Duration::from_secs(1);

/// What on the server could stand for `begun`, the first argument of the command of `cx`. Nothing if
/// there is no token, or the server refuses, or it does not answer at once: a completion never
/// complains.
pub(crate) async fn candidates(cx: &mut Context, begun: &str) -> Vec<String> {
    let Some(named) = named(cx.command) else { return Vec::new() };
    let has_token = cx.client().is_ok_and(|client| client.config().token.is_some());
    if !has_token || !cx.args.is_empty() {
        return Vec::new();
    }
    let found = tokio::time::timeout(PATIENCE, ask(cx, named, begun)).await;
    let mut found = found.ok().flatten().unwrap_or_default();
    found.retain(|name| name.starts_with(begun) && is_plain(name));
    found.sort_unstable();
    found
}

fn named(command: &Command) -> Option<Named> {
    let mut all = COMMANDS.iter();
    all.find(|(_, names)| names.contains(&command.name)).map(|(named, _)| *named)
}

async fn ask(cx: &mut Context, named: Named, begun: &str) -> Option<Vec<String>> {
    let folder = begun.rfind('/').map_or("", |end| &begun[..=end]);
    match named {
        Named::AuthMethod => mounts(cx, "auth").await,
        Named::Mount => mounts(cx, "secret").await,
        Named::Policy => keys(cx, "sys/policies/acl", "").await,
        Named::Path if folder.is_empty() => mounts(cx, "secret").await,
        Named::Path => keys(cx, folder, folder).await,
        Named::KvKey => match cx.flags.text("mount").to_owned() {
            mount if !mount.is_empty() => kv_keys(cx, &mount, folder, folder).await,
            _ if folder.is_empty() => mounts(cx, "secret").await,
            _ => {
                let mount = mount_of(cx, folder).await?;
                let below = folder.strip_prefix(mount.as_str())?.to_owned();
                kv_keys(cx, &mount, &below, folder).await
            }
        },
    }
}

/// The paths of what is mounted; `kind` is `secret` or `auth`.
async fn mounts(cx: &mut Context, kind: &str) -> Option<Vec<String>> {
    let data = data(cx, Request::read("sys/internal/ui/mounts")).await?;
    Some(data.get(kind)?.members().iter().map(|(path, _)| path.clone()).collect())
}

/// Where the engine is mounted that `path` leads into.
async fn mount_of(cx: &mut Context, path: &str) -> Option<String> {
    let about = data(cx, Request::read(format!("sys/internal/ui/mounts/{path}"))).await?;
    about.get("path")?.as_text().map(str::to_owned)
}

/// The keys in a folder of a mount, with `shown` in front.
async fn kv_keys(cx: &mut Context, mount: &str, below: &str, shown: &str) -> Option<Vec<String>> {
    let about = format!("sys/internal/ui/mounts/{}/", mount.trim_matches('/'));
    let about = data(cx, Request::read(about)).await?;
    let version = about.get("options").and_then(|options| options.get("version"));
    let keeps_versions = version.and_then(Json::as_text) == Some("2");
    let metadata = if keeps_versions { "metadata" } else { "" };
    keys(cx, &join(&[mount, metadata, below]), shown).await
}

/// The keys of a listing, with `shown` in front.
async fn keys(cx: &mut Context, path: &str, shown: &str) -> Option<Vec<String>> {
    let data = data(cx, Request::list(path)).await?;
    let keys = data.get("keys")?.as_list()?.iter();
    Some(keys.filter_map(Json::as_text).map(|key| format!("{shown}{key}")).collect())
}

/// Never wrapped, whatever the command is to ask for: each key that is pressed would leave a token.
async fn data(cx: &mut Context, request: Request) -> Option<Json> {
    cx.data(&request.unwrapped()).await.ok()
}

/// Without anything that a shell would take for more than a letter: a name comes from whoever wrote
/// the secret, and lands on the command line of somebody else.
fn is_plain(name: &str) -> bool {
    name.chars().all(|char| char.is_alphanumeric() || "-_./@+,:%".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands;

    #[test]
    fn every_command_that_is_completed_exists_and_takes_an_argument() {
        for name in COMMANDS.iter().flat_map(|(_, names)| names.iter()) {
            assert!(commands::find(name).is_some_and(|it| !it.args.is_empty()), "{name}");
        }
    }

    #[test]
    fn what_a_shell_would_run_is_no_candidate() {
        for name in ["secret/a", "secret/app-1_x.y@z", "team/größe"] {
            assert!(is_plain(name), "{name}");
        }
        for name in
            ["$(id)", "a b", "a;b", "`id`", "a'b", "a\"b", "a\\b", "a\nb", "a\u{1b}[0m", "*", "~"]
        {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
