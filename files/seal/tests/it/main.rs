//! The command as a process, beside other tools that seal: kubesealpy for Python and
//! kubeseal-encrypt for JavaScript. Both come from `cargo xtask setup`; without them these tests
//! fail.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod bench;
mod controller;
mod peers;
mod refusals;
mod sealing;

use std::process::ExitCode;

use bench::Bench;

/// With this variable the test binary is the command line.
const AS_CLI: &str = "STRONGROOM_TEST_AS_CLI";

type Check = test_checks::Check<Bench, Result<(), String>>;

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return files_seal::run("kubeseal", std::env::args_os().skip(1).collect());
    }
    test_checks::run(
        &[controller::CHECKS, peers::CHECKS, refusals::CHECKS, sealing::CHECKS],
        Bench::new,
    )
}
