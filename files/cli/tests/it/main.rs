//! The command line as a process, side by side with the real sops: what one writes the other
//! reads, and where one refuses the other does, with the same exit code.
//!
//! The real one comes from `cargo xtask setup`; without it these tests fail.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod bench;
mod cloud;
mod edits;
mod formats;
mod git;
mod groups;
mod merges;
mod refusals;
mod services;
mod sources;
mod trees;
mod verbs;

use std::process::ExitCode;

use bench::Bench;

/// With this variable the test binary is the command line.
const AS_CLI: &str = "STRONGROOM_TEST_AS_CLI";

/// A check and its name.
type Check = (&'static str, fn(&Bench) -> Result<(), String>);

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return files_cli::run("sops", std::env::args_os().skip(1).collect());
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let all: [&[Check]; 11] = [
        cloud::CHECKS,
        edits::CHECKS,
        formats::CHECKS,
        git::CHECKS,
        groups::CHECKS,
        merges::CHECKS,
        refusals::CHECKS,
        services::CHECKS,
        sources::CHECKS,
        trees::CHECKS,
        verbs::CHECKS,
    ];
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in all.into_iter().flatten() {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        match Bench::new().and_then(|bench| check(&bench)) {
            Ok(()) => passed += 1,
            Err(why) => {
                failed += 1;
                println!("FAILED {name}\n{why}\n");
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
