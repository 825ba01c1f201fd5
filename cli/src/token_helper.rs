use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base_types::Secret;

use crate::env::Environment;

/// Keeps the token between calls.
pub(crate) enum TokenHelper {
    /// A file that only its owner can read; `~/.vault-token` unless `TOKEN_PATH` says otherwise.
    File(PathBuf),
    /// A program that is called with `get`, `store` (token on standard input) or `erase`.
    Program { path: PathBuf, shell: String, address: String },
}

impl TokenHelper {
    /// The helper that the configuration file names (`~/.vault` unless `CONFIG_PATH` says
    /// otherwise), or the file.
    ///
    /// # Errors
    /// If the configuration file cannot be read or understood.
    pub(crate) fn new(env: &Environment, address: &str) -> Result<Self, String> {
        let config = env.expand_home(env.setting("CONFIG_PATH").unwrap_or("~/.vault"));
        let program = match fs::read_to_string(&config) {
            Ok(text) => configured(&text).map_err(|why| format!("{}: {why}", config.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // Other tools keep a folder of this name.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => None,
            Err(error) => return Err(format!("{}: {error}", config.display())),
        };
        let Some(program) = program else {
            let path = env.setting("TOKEN_PATH").unwrap_or("~/.vault-token");
            return Ok(Self::File(env.expand_home(path)));
        };
        let path = fs::canonicalize(env.expand_home(&program)).map_err(|error| {
            format!("the token helper {program} of {}: {error}", config.display())
        })?;
        let shell = env.variable("SHELL").unwrap_or("/bin/sh").to_owned();
        Ok(Self::Program { path, shell, address: address.to_owned() })
    }

    /// The stored token; `None` if there is none.
    pub(crate) fn get(&self) -> Result<Option<Secret<String>>, String> {
        let text = match self {
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(format!("{}: {error}", path.display())),
            },
            Self::Program { .. } => self.call("get", None)?,
        };
        Ok(Some(text.trim())
            .filter(|token| !token.is_empty())
            .map(|token| Secret::new(token.to_owned())))
    }

    pub(crate) fn store(&self, token: &Secret<String>) -> Result<(), String> {
        match self {
            Self::File(path) => replace(path, token.expose())
                .map_err(|error| format!("{}: {error}", path.display())),
            Self::Program { .. } => self.call("store", Some(token)).map(drop),
        }
    }

    fn call(&self, action: &str, input: Option<&Secret<String>>) -> Result<String, String> {
        let Self::Program { path, shell, address } = self else { return Ok(String::new()) };
        let failed = |why: String| format!("the token helper {} {action}: {why}", path.display());
        let mut child = Command::new(shell)
            // The path is an argument of the script, so that the shell never reads it as code.
            .args(["-c", "exec \"$0\" \"$1\""])
            .arg(path)
            .arg(action)
            .envs(["STRONGROOM_ADDR", "BAO_ADDR", "VAULT_ADDR"].map(|name| (name, address)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let (Some(mut stdin), Some(token)) = (child.stdin.take(), input) {
            // A helper may answer without reading; its exit status tells.
            let _ = stdin.write_all(token.expose().as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(failed(format!("{} {said}", output.status)));
        }
        String::from_utf8(output.stdout).map_err(|_| failed("its answer is not text".to_owned()))
    }
}

/// Writes `text` so that the old file or the new one is there at any moment, readable by the
/// owner alone, whoever owned the old one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    let moved = written.and_then(|()| fs::rename(&temporary, path));
    if moved.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    moved
}

/// The value of `token_helper`, the only key of the configuration file, which is HCL or JSON.
fn configured(text: &str) -> Result<Option<String>, String> {
    if text.trim_start().starts_with('{') {
        let config = crate::json::Json::parse(text)?;
        return match config.members() {
            [] => Ok(None),
            [(key, value)] if key == "token_helper" => Ok(value.as_text().map(str::to_owned)),
            _ => Err("the only key is token_helper".to_owned()),
        };
    }
    let mut helper = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        let value = line
            .split_once('=')
            .filter(|(key, _)| key.trim().trim_matches('"') == "token_helper")
            .and_then(|(_, value)| value.trim().strip_prefix('"')?.strip_suffix('"'));
        let number = index + 1;
        helper = Some(
            value.ok_or(format!("line {number}: expected token_helper = \"/path\""))?.to_owned(),
        );
    }
    Ok(helper.filter(|helper| !helper.is_empty()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn helper(home: &Path) -> Result<TokenHelper, String> {
        TokenHelper::new(&Environment::from([("HOME", home.to_str().unwrap())]), "http://x")
    }

    #[test]
    fn a_token_is_kept_in_a_file_of_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let helper = helper(home.path()).unwrap();
        assert!(helper.get().unwrap().is_none());
        let path = home.path().join(".vault-token");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        helper.store(&Secret::new("s.new".to_owned())).unwrap();
        assert_eq!(helper.get().unwrap().unwrap().expose(), "s.new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_helper_program_is_asked() {
        let home = tempfile::tempdir().unwrap();
        let program = home.path().join("helper $(touch x).sh");
        let script = "#!/bin/sh\nf=$(dirname \"$0\")/kept\ncase $1 in store) cat >\"$f\";; get) cat \"$f\";; esac\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        let config = format!("# mine\ntoken_helper = \"{}\"\n", program.display());
        fs::write(home.path().join(".vault"), config).unwrap();
        let helper = helper(home.path()).unwrap();
        assert!(helper.get().unwrap_err().contains("get"), "a failing helper is an error");
        helper.store(&Secret::new("s.kept".to_owned())).unwrap();
        assert_eq!(helper.get().unwrap().unwrap().expose(), "s.kept");
    }

    #[test]
    fn a_wrong_configuration_is_named() {
        for (text, expected) in [
            ("token_helper = \"/x\"", Ok(Some("/x".to_owned()))),
            ("{\"token_helper\": \"/x\"}", Ok(Some("/x".to_owned()))),
            ("", Ok(None)),
            ("\n\nnope = \"true\"", Err("line 3: expected token_helper = \"/path\"".to_owned())),
            ("{\"nope\": 1}", Err("the only key is token_helper".to_owned())),
        ] {
            assert_eq!(configured(text), expected, "{text:?}");
        }
    }
}
