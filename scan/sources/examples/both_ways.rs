//! Scans the history of a repository twice, the second time with each blob searched as a whole, and says where the findings
//! differ: they must not.
//!
//! `cargo run --release -p scan-sources --example both_ways -- REPOSITORY [RULES.toml]`
#![allow(clippy::print_stdout, reason = "a command line tool talks to its terminal")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base_types::{Error, Result};
use scan_engine::{Options, Scanner};
use scan_rules::Config;
use scan_sources::{Git, GitPart, Limits, Platform, Progress, Revisions, Task};

fn main() -> Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let path: PathBuf = words.next().ok_or_else(|| Error::invalid("which repository?"))?.into();
    let config = match words.next() {
        Some(rules) => Config::open(Path::new(&rules))?,
        None => Config::default_set(),
    };
    let scanner = Scanner::new(config, Options::default())?;
    let git = Git { path, part: GitPart::Commits(Revisions::All), platform: Platform::None };
    let [changes, whole] = [false, true].map(|searches_all| findings(&git, &scanner, searches_all));
    let (changes, whole) = (changes?, whole?);
    println!("{} findings by changes, {} in whole blobs", changes.len(), whole.len());
    changes.symmetric_difference(&whole).for_each(|finding| println!("differs: {finding}"));
    Ok(if changes == whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn findings(git: &Git, scanner: &Scanner, searches_all: bool) -> Result<BTreeSet<String>> {
    let limits = Limits { searches_all, ..Limits::default() };
    let outcome = git.scan(Task { scanner, limits, progress: &Progress::default() })?;
    let name = |leak: &scan_sources::Leak| {
        let finding = &leak.finding;
        format!("{} {:?} {}", leak.fingerprint(), finding.span, finding.end_column)
    };
    Ok(outcome.leaks.iter().map(name).collect())
}
