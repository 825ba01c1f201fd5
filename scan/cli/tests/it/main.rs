//! The command line as a process, side by side with the real gitleaks on repositories that the real git makes.
//!
//! The real gitleaks comes from `cargo xtask setup`; without it these tests fail.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod archives;
mod bad;
mod bench;
#[path = "../../../engine/tests/it/case.rs"]
mod case;
mod files;
mod grammar;
mod history;
mod known;
mod reports;
mod semantics;

use std::process::ExitCode;

use bench::Bench;
use scan_cli::Dialect;

/// With this variable the test binary is the command line.
const AS_CLI: &str = "STRONGROOM_TEST_AS_CLI";

type Check = test_checks::Check<Bench, ()>;

fn main() -> ExitCode {
    if let Some(dialect) = std::env::var_os(AS_CLI) {
        let mut args: Vec<_> = std::env::args_os().skip(1).collect();
        // A hook calls it as the program itself is called.
        if args.first().is_some_and(|arg| arg == "scan") {
            args.remove(0);
        }
        let dialect = if dialect == "gitleaks" { Dialect::Gitleaks } else { Dialect::Strongroom };
        return scan_cli::run("scan", dialect, args);
    }
    // Without it nothing is tested, and that is no success.
    bench::gitleaks();
    test_checks::run(
        &[
            archives::CHECKS,
            bad::CHECKS,
            files::CHECKS,
            grammar::CHECKS,
            history::CHECKS,
            known::CHECKS,
            reports::CHECKS,
            semantics::CHECKS,
        ],
        || Ok(Bench::new()),
    )
}
