//! Runs the checks of a test binary that is also the program under test, and so has a `main` of its own.
#![allow(clippy::print_stdout)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// What a check looks at, made anew for each, and how it ends.
pub type Check<B, V> = (&'static str, fn(&B) -> V);

/// How a check ends: without a word, since it panics where it fails, or with the reason.
pub trait Verdict {
    /// # Errors
    /// Why the check failed.
    fn reason(self) -> Result<(), String>;
}

impl Verdict for () {
    fn reason(self) -> Result<(), String> {
        Ok(())
    }
}

impl Verdict for Result<(), String> {
    fn reason(self) -> Result<(), String> {
        self
    }
}

/// Runs the checks whose names contain one of the words on the command line, or all of them, and
/// prints the closing line of Rust's own tests. A check that panics has failed, and the others go on.
pub fn run<B, V: Verdict>(
    checks: &[&[Check<B, V>]],
    bench: impl Fn() -> Result<B, String>,
) -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in checks.iter().copied().flatten().filter(|(name, _)| is_wanted(name)) {
        let attempt = || bench().and_then(|bench| check(&bench).reason());
        match catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| Err(words(&*panic))) {
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

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_by_what_it_says_by_a_panic_and_without_a_bench() {
        let good: Check<(), Result<(), String>> = ("good", |()| Ok(()));
        let said: Check<(), Result<(), String>> = ("said", |()| Err("no".to_owned()));
        let panics: Check<(), Result<(), String>> = ("panics", |()| panic!("no"));
        let code = |checks: &[_], bench: fn() -> Result<(), String>| {
            format!("{:?}", run(&[checks], bench))
        };
        let (success, failure) =
            (format!("{:?}", ExitCode::SUCCESS), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(code(&[good], || Ok(())), success);
        assert_eq!(code(&[good, said], || Ok(())), failure);
        assert_eq!(code(&[panics, good], || Ok(())), failure);
        assert_eq!(code(&[good], || Err("no bench".to_owned())), failure);
    }
}
