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

/// A check and its name.
type Check = (&'static str, fn(&Bench) -> Result<(), String>);

fn main() -> ExitCode {
    if std::env::var_os(AS_CLI).is_some() {
        return files_age::run("age", std::env::args_os().skip(1).collect());
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let all: [&[Check]; 5] =
        [peers::CHECKS, plugin::CHECKS, refusals::CHECKS, terminal::CHECKS, vectors::CHECKS];
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
