//! The command line as a process.
//!
//! `commands.txt` holds a session of commands. Each is run twice: by a real `bao` against a real
//! server, through a proxy that records requests and answers; then by this program, which gets
//! the recorded answers. Standard output, exit code and the requests have to be the same.
//!
//! `STRONGROOM_TEST_BAO` names the `bao` binary. Without it this comparison is not run, and the
//! summary says so; the checks in `alone.rs` run always.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)]

mod alone;
mod compare;
mod completion;
mod proxy;
mod session;

use std::process::ExitCode;

/// With this variable the test binary is the command line.
const AS_CLI: &str = "STRONGROOM_TEST_AS_CLI";

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return cli::run("bao", std::env::args_os().skip(1).collect());
    }
    let mut tally = Tally::default();
    alone::run(&mut tally);
    tally.record("what the server has is completed", completion::run());
    match std::env::var_os("STRONGROOM_TEST_BAO") {
        Some(bao) => compare::run(bao.as_ref(), &mut tally),
        None => println!("not run: the comparison with bao (STRONGROOM_TEST_BAO names no binary)"),
    }
    let Tally { passed, failed } = tally;
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    fn record(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(why) => {
                self.failed += 1;
                println!("FAILED {name}\n{why}\n");
            }
        }
    }
}
