use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use base_types::{Error, Result};

use crate::words::say;

/// The other names that this program answers to.
const NAMES: [&str; 5] = ["bao", "gitleaks", "kubeseal", "sops", "vault"];

/// `install-shims DIR`: links under the other names. A file that is there already is left alone.
pub(crate) fn install(args: &[&str]) -> Result<ExitCode> {
    let [folder] = args else {
        return Err(Error::invalid("name the folder for the links: install-shims DIR"));
    };
    let program = std::env::current_exe()
        .map_err(|error| Error::invalid(format!("the path of this program is unknown: {error}")))?;
    for name in NAMES {
        let link = Path::new(folder).join(name);
        if std::fs::read_link(&link).is_ok_and(|target| target == program) {
            continue;
        }
        symlink(&program, &link).map_err(|error| {
            Error::invalid(format!("{} cannot be made: {error}", link.display()))
        })?;
        say(link.display());
    }
    Ok(ExitCode::SUCCESS)
}
