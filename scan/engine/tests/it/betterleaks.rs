//! Configurations in the grammar of betterleaks find here what they find there.

use std::path::{Path, PathBuf};
use std::process::Command;

use scan_engine::{Attributes, Finding, Occurrence};
use serde_json::Value;

use crate::case::Case;
use crate::ours;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/betterleaks_cases");

/// What a finding is compared by.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Found {
    file: String,
    lines: (usize, usize),
    columns: (usize, usize),
    rule: String,
    matched: String,
    secret: String,
    tags: Vec<String>,
    commit: String,
}

type Findings = Result<Vec<Found>, String>;

#[test]
fn configurations_find_what_they_find_in_betterleaks() {
    let mut differences = Vec::new();
    let (mut findings, mut refused) = (0, 0);
    let cases = Case::all(CASES);
    for case in &cases {
        let home = tempfile::tempdir().unwrap();
        let files = case.write(home.path());
        match (theirs(home.path(), case.is_git), ours(home.path(), &files, case.is_git)) {
            (Ok(theirs), Ok(ours)) if theirs == ours => findings += ours.len(),
            (Err(_), Err(_)) => refused += 1,
            (Ok(theirs), Ok(ours)) => {
                differences.push(format!("{}: {}", case.name, difference(&theirs, &ours)));
            }
            (theirs, ours) => {
                differences.push(format!(
                    "{}: {:?}, here {:?}",
                    case.name,
                    theirs.err(),
                    ours.err()
                ));
            }
        }
    }
    let (compared, differ) = (cases.len(), differences.len());
    assert!(differences.is_empty(), "{differ} of {compared} differ:\n{}", differences.join("\n"));
    assert!(
        compared >= 60 && findings >= 200 && refused >= 10,
        "{compared} cases, {findings} findings, {refused} refused"
    );
}

/// The default configuration of betterleaks finds the same in the corpus.
#[test]
fn the_default_configuration_finds_the_same() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), default_configuration()).unwrap();
    let mut files = Vec::new();
    for file in scan_corpus::corpus().unwrap() {
        let path = home.path().join("files").join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
        files.push((file.path.clone(), None));
    }
    let theirs = theirs(home.path(), false).unwrap();
    let ours = ours(home.path(), &files, false).unwrap();
    assert!(theirs == ours, "{}", difference(&theirs, &ours));
    assert!(ours.len() > 400, "{} findings", ours.len());
}

/// What only one of both found.
fn difference(theirs: &[Found], ours: &[Found]) -> String {
    let only = |a: &[Found], b: &[Found]| -> Vec<String> {
        a.iter()
            .filter(|found| !b.contains(found))
            .map(|found| format!("\n    {found:?}"))
            .collect()
    };
    let (missed, more) = (only(theirs, ours), only(ours, theirs));
    format!("{} missed{}\n  {} more{}", missed.len(), missed.concat(), more.len(), more.concat())
}

fn theirs(home: &Path, is_git: bool) -> Findings {
    let output = Command::new(program())
        .current_dir(home)
        .args(if is_git { &["git", "files"][..] } else { &["files"] })
        .args(["--output=-", "--no-banner", "--silent", "--log-level=error", "--exit-code=0"])
        .arg("--config")
        .arg(home.join("config.toml"))
        .output()
        .unwrap();
    let log = || String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(log());
    }
    // What comes behind the report is a summary.
    let mut values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    let Some(Ok(report)) = values.next() else { return Err(log()) };
    let mut found: Vec<Found> = report["findings"].as_array().unwrap().iter().map(read).collect();
    found.sort();
    Ok(found)
}

fn read(finding: &Value) -> Found {
    let text = |pointer: &str| {
        finding.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let number = |pointer: &str| {
        finding.pointer(pointer).and_then(Value::as_u64).unwrap_or_default() as usize
    };
    let file = text("/location/path");
    let tags = finding["tags"].as_array().into_iter().flatten();
    Found {
        file: file.strip_prefix("files/").unwrap_or(&file).to_owned(),
        lines: (number("/location/start_line"), number("/location/end_line")),
        columns: (number("/location/start_column"), number("/location/end_column")),
        rule: text("/rule_id"),
        matched: text("/match/full"),
        secret: text("/match/value"),
        tags: tags.map(|tag| tag.as_str().unwrap().to_owned()).collect(),
        commit: finding["attributes"]["git.sha"].as_str().unwrap_or_default().to_owned(),
    }
}

fn ours(home: &Path, files: &[(String, Option<String>)], is_git: bool) -> Findings {
    ours::run(home, files, |scanner, hits, path, commit| {
        // In a folder a path is that from where the command was called.
        let shown = if is_git { path.to_owned() } else { format!("files/{path}") };
        // Folders are asked for before what is in them.
        let mut above = Path::new(&shown).ancestors().skip(1).filter_map(Path::to_str);
        let skips = |folder: &str| !folder.is_empty() && scanner.skips(&Occurrence::of(folder));
        if !is_git && above.any(skips) {
            return Vec::new();
        }
        let known = Known(path.to_owned());
        let at = Occurrence { path: &shown, commit, attributes: Some(&known) };
        scanner.judge(hits, &at).iter().map(|finding| of(finding, path, commit)).collect()
    })
}

/// What is known of the commits of a case, each of which is called as the file that it adds.
struct Known(String);

impl Attributes for Known {
    fn attribute(&self, name: &str) -> String {
        match name {
            "resource" => "fs.content",
            "git.author_name" => "A",
            "git.author_email" => "a@example.org",
            "git.message" => &self.0,
            _ => "",
        }
        .to_owned()
    }
}

fn of(finding: &Finding, path: &str, commit: Option<&str>) -> Found {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Columns count from 1 in every line there.
    let end = finding.end_column - usize::from(finding.end_line > 1);
    Found {
        file: path.to_owned(),
        lines: (finding.start_line, finding.end_line),
        columns: (finding.column(), end),
        rule: finding.rule_id.clone(),
        matched: text(finding.matched.expose()),
        secret: text(finding.secret.expose()),
        // What was decoded is not told there.
        tags: finding.tags.iter().filter(|tag| !tag.starts_with("decode")).cloned().collect(),
        commit: commit.unwrap_or_default().to_owned(),
    }
}

fn default_configuration() -> Vec<u8> {
    let output = Command::new(program()).args(["config", "show", "toml"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The program itself, without the one in Python that calls it.
fn program() -> PathBuf {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers/python/lib");
    let found = std::fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .map(|python| python.unwrap().path().join("site-packages/betterleaks/bin/betterleaks"))
        .find(|program| program.is_file());
    found.expect("the real betterleaks is compared with; `cargo xtask setup` installs it")
}
