use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::AS_CLI;

/// A folder in which all programs run.
pub(crate) struct Bench(TempDir);

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

pub(crate) const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers");

impl Bench {
    pub(crate) fn new() -> Result<Self, String> {
        tempfile::tempdir().map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
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

    /// Our command.
    pub(crate) fn run(&self, args: &[&str], input: &[u8]) -> Answer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(args).env(AS_CLI, "1");
        self.finish(command, input)
    }

    /// What our command, which must work, prints.
    pub(crate) fn ours(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        self.run(args, input).success(&args.join(" "))
    }

    /// What another program, which must work, prints.
    pub(crate) fn theirs(
        &self,
        program: &str,
        args: &[&str],
        input: &[u8],
    ) -> Result<Vec<u8>, String> {
        let mut command = Command::new(program);
        command.args(args);
        self.finish(command, input).success(program)
    }

    /// What a script of Node with the peers' modules prints.
    pub(crate) fn node(&self, script: &str, args: &[&str]) -> Result<Vec<u8>, String> {
        // Imports are looked up from where the script is.
        let link = self.path("node_modules");
        if !link.exists() {
            std::os::unix::fs::symlink(format!("{PEERS}/node/node_modules"), link).unwrap();
        }
        self.write("script.mjs", script);
        self.theirs("node", &[&["script.mjs"], args].concat(), b"")
    }

    /// What a script of Python with the peers' packages prints.
    pub(crate) fn python(&self, script: &str, args: &[&str]) -> Result<Vec<u8>, String> {
        let program = format!("{PEERS}/python/bin/python3");
        self.theirs(&program, &[&["-c", script], args].concat(), b"")
    }

    /// A new identity in a file, and its recipient.
    pub(crate) fn keygen(&self, file: &str, flags: &[&str]) -> Result<String, String> {
        self.ours(&[&["keygen", "-o", file], flags].concat(), b"")?;
        let recipient = self.ours(&["keygen", "-y", file], b"")?;
        Ok(String::from_utf8(recipient).unwrap().trim().to_owned())
    }

    fn finish(&self, mut command: Command, input: &[u8]) -> Answer {
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.0.path())
            .env("PATH", format!("{}:{path}", self.0.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let stderr = format!("{command:?}: {error}; is `cargo xtask setup` done?");
                return Answer { code: -1, stdout: Vec::new(), stderr };
            }
        };
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // A program that does not read its input closes it early; one that does may write before
            // it has read all.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        });
        Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Answer {
    fn success(self, what: &str) -> Result<Vec<u8>, String> {
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
    let [found, expected] =
        [found, expected].map(|text| String::from_utf8_lossy(&text[..text.len().min(500)]));
    Err(format!("{what}\n--- found\n{found}\n--- expected\n{expected}"))
}

/// That something holds.
pub(crate) fn holds(what: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}
