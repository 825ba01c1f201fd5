use std::path::Path;
use std::process::Command;

use crate::Check;
use crate::bench::{self, Bench, Who};
use crate::case::Case;

pub(crate) const CHECKS: &[Check] =
    &[("semantics: configurations report what they report in gitleaks", modes)];

/// The configurations that the engine is tried by.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/it/cases");

/// gitleaks takes most of its time to start.
const THREADS: usize = 4;

/// A report, or nothing if the program has written none.
type Report = Option<Vec<String>>;

/// How the files of a case reach the program.
const ON_FILES: &[&[&str]] = &[
    &["dir", "."],
    &["detect", "--no-git"],
    &["stdin"],
    &["detect", "--pipe"],
    &["git", "--staged", "."],
    &["protect", "--staged"],
];
const ON_HISTORY: &[&[&str]] = &[&["git", "."], &["detect"]];

fn modes(_: &Bench) {
    let cases = Case::all(CASES);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(THREADS));
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().flat_map(compare).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (mut findings, mut refused, mut differences) = (0, 0, Vec::new());
    for (name, theirs, ours) in &outcomes {
        match (theirs, ours) {
            (Some(theirs), Some(ours)) if theirs == ours => findings += ours.len(),
            (None, None) => refused += 1,
            _ => {
                let (missed, more) = (only(theirs, ours), only(ours, theirs));
                differences.push(format!("{name}\nmissed:{missed}\nmore:{more}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    assert!(
        outcomes.len() >= 400 && findings >= 500 && refused >= 30,
        "{} compared, {findings} findings, {refused} refused",
        outcomes.len()
    );
}

/// What one report has and the other has not.
fn only(one: &Report, other: &Report) -> String {
    let Some(findings) = one else { return " no report".into() };
    let is_only = |finding: &&String| !other.iter().flatten().any(|other| other == *finding);
    findings.iter().filter(is_only).map(|finding| format!("\n{finding}")).collect()
}

fn compare(case: &Case) -> Vec<(String, Report, Report)> {
    let home = tempfile::tempdir().unwrap();
    case.write(home.path());
    let files = home.path().join("files");
    if !case.is_git {
        // The repository is elsewhere, so that what is in it is in no report.
        git(&files, &["init", "-q", "--separate-git-dir", "../repository"]);
        git(&files, &["add", "-A", "--force"]);
    }
    let texts = case.files.iter().filter(|(name, _)| !name.starts_with("config"));
    let input: String = texts.map(|(_, text)| text.as_str()).collect();
    let modes = if case.is_git { ON_HISTORY } else { ON_FILES };
    let run = |who, args: &[&str]| report(&files, who, args, &input);
    let both = modes.iter().map(|args| {
        let name = format!("{}: {}", case.name, args.join(" "));
        (name, run(Who::Gitleaks, args), run(Who::Like, args))
    });
    both.collect()
}

fn git(folder: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(args);
    let answer = bench::start(folder, git, b"");
    assert_eq!(answer.code, 0, "git {args:?}: {}", answer.stderr);
}

/// The findings of a report as they are written, field by field. gitleaks has its rules in no order, so neither have they.
fn report(files: &Path, who: Who, args: &[&str], input: &str) -> Report {
    let mut command = bench::program(who);
    command.args(args).args(["-f", "json", "-r", "-", "--exit-code", "9"]);
    command.args(["-c", "../config.toml"]);
    let answer = bench::start(files, command, input.as_bytes());
    // gitleaks panics where an expression is none.
    if ![0, 9].contains(&answer.code) {
        return None;
    }
    let findings = answer.stdout.split("\n {\n").skip(1);
    let mut findings: Vec<String> = findings
        .map(|finding| finding.trim_end_matches([' ', '\n', '}', ',', ']']).to_owned())
        .collect();
    assert_eq!(answer.code, if findings.is_empty() { 0 } else { 9 }, "{}", answer.stderr);
    findings.sort();
    Some(findings)
}
