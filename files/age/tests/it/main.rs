//! The test vectors of age, and the command as a process beside other implementations: the `age` of
//! Debian, rage by pyrage, and age-encryption for JavaScript. They come from `cargo xtask setup`;
//! without them these tests fail.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod bench;
mod peers;
mod plugin;
mod refusals;
mod terminal;
mod vectors;

use std::process::ExitCode;

use bench::Bench;

/// With this variable the test binary is the command line.
const AS_CLI: &str = "STRONGROOM_TEST_AS_CLI";

type Check = test_checks::Check<Bench, Result<(), String>>;

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return files_age::run("age", std::env::args_os().skip(1).collect());
    }
    test_checks::run(
        &[peers::CHECKS, plugin::CHECKS, refusals::CHECKS, terminal::CHECKS, vectors::CHECKS],
        Bench::new,
    )
}
