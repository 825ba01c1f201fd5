use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base_crypto::SystemRandom;
use files_age::X25519Identity;
use tempfile::TempDir;

use crate::AS_CLI;

/// A folder with keys of two people, and both programs.
pub(crate) struct Bench {
    folder: TempDir,
    /// The recipient whose identity both programs find.
    pub(crate) ann: String,
    /// One whose identity is in the file `bob.txt`.
    pub(crate) bob: String,
}

/// Which program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    Ours,
    Sops,
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// The wheel's own start script; the program beside it has no mode of a program before this has run.
pub(crate) const SOPS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/python/bin/sops");

impl Bench {
    pub(crate) fn new() -> Result<Self, String> {
        if !Path::new(SOPS).is_file() {
            return Err(format!("{SOPS} is missing; run `cargo xtask setup`"));
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let [ann, bob] = [0, 1].map(|_| X25519Identity::generate(&SystemRandom));
        for (name, identity) in [("ann.txt", &ann), ("bob.txt", &bob)] {
            let text = format!("# created: now\n{}\n", identity.text().expose());
            fs::write(folder.path().join(name), text).map_err(|error| error.to_string())?;
        }
        let [ann, bob] = [&ann, &bob].map(|identity| identity.recipient());
        Ok(Self { folder, ann, bob })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs one of the programs in the folder, with Ann's identity.
    pub(crate) fn run(&self, who: Who, args: &[&str]) -> Answer {
        self.run_with(who, args, &[("SOPS_AGE_KEY_FILE", "ann.txt")], b"")
    }

    /// Runs one of the programs in the folder with these variables and this standard input.
    pub(crate) fn run_with(
        &self,
        who: Who,
        args: &[&str],
        variables: &[(&str, &str)],
        input: &[u8],
    ) -> Answer {
        let mut command = match who {
            Who::Ours => Command::new(std::env::current_exe().unwrap()),
            Who::Sops => Command::new(SOPS),
        };
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if who == Who::Ours {
            command.env(AS_CLI, "1");
        }
        let mut child = command.spawn().unwrap();
        // A program that does not read its input closes it early.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What a run that must work prints.
    pub(crate) fn output(&self, who: Who, args: &[&str]) -> Result<Vec<u8>, String> {
        self.run(who, args).success(&format!("{who:?} {}", args.join(" ")))
    }

    /// Encrypts a file for Ann with one of the programs, in place.
    pub(crate) fn encrypt(&self, who: Who, file: &str, more: &[&str]) -> Result<(), String> {
        let args = [&["encrypt", "-i", "--age", self.ann.as_str()], more, &[file]].concat();
        self.output(who, &args).map(|_| ())
    }
}

impl Answer {
    pub(crate) fn success(self, what: &str) -> Result<Vec<u8>, String> {
        match self.code {
            0 => Ok(self.stdout),
            code => Err(format!("{what}: exit code {code}: {}", self.stderr)),
        }
    }
}

/// That two texts are equal.
pub(crate) fn same(what: &str, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let [found, expected] = [found, expected].map(String::from_utf8_lossy);
    Err(format!("{what}\n--- found\n{found}\n--- expected\n{expected}"))
}

/// That something holds.
pub(crate) fn holds(what: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}
