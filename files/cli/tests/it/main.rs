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

type Check = test_checks::Check<Bench, Result<(), String>>;

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return files_cli::run("sops", std::env::args_os().skip(1).collect());
    }
    test_checks::run(
        &[
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
        ],
        Bench::new,
    )
}
