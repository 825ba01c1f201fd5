use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::output::say;
use crate::session::Session;
use crate::stop::Stop;

/// By this line a hook is known as ours.
const MARK: &str = "# Installed by `strongroom scan install-hook`.";

const PRE_COMMIT: &str = "\
exec strongroom scan git --staged .
";

/// Git writes a line for each reference: its name and commit here, its name and commit there. A commit of zeros is
/// a reference that is being deleted. What a remote has already was pushed before.
const PRE_PUSH: &str = "\
while read -r _ here _ _; do
  case $here in
    *[!0]*) strongroom scan git --log-opts \"$here --not --remotes\" . || exit $? ;;
  esac
done
";

/// Writes a hook into the repository of the present folder.
pub(crate) fn install(session: &Session) -> Result<u8, Stop> {
    let (name, script) = match session.words.others.as_slice() {
        [name] if name == "pre-commit" => (name, PRE_COMMIT),
        [name] if name == "pre-push" => (name, PRE_PUSH),
        _ => return Err(Stop::error("which hook? pre-commit or pre-push")),
    };
    let path = folder()?.join(name);
    if let Ok(present) = fs::read_to_string(&path)
        && !present.contains(MARK)
    {
        let path = path.display();
        return Err(Stop::error(format!(
            "{path} is there already; add these lines to it:\n\n{script}"
        )));
    }
    write(&path, &format!("#!/bin/sh\n{MARK}\n{script}"))
        .map_err(|e| Stop::error(format!("cannot write {}: {e}", path.display())))?;
    say(&format!("{} is installed\n", path.display()));
    Ok(0)
}

/// Where git looks for hooks, also where `core.hooksPath` says so.
fn folder() -> Result<PathBuf, Stop> {
    let output = Command::new("git").args(["rev-parse", "--git-path", "hooks"]).output();
    let output = output.map_err(|e| Stop::error(format!("cannot start git: {e}")))?;
    if !output.status.success() {
        return Err(Stop::error("this is no repository of git"));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

fn write(path: &Path, script: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, script)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
