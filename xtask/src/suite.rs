use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, crash, interop, process, root, setup, tour};

/// How many kills are enough for every run; the full number is a command of its own.
const CRASH_ROUNDS: &str = "10";

/// Runs every test there is. A part that cannot run counts as one failure, and the others go on.
pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    setup::peers()?;
    let words = |text: &str| Options::new(text.split_whitespace().map(str::to_owned).collect());
    let mut tally = Tally::default();
    let mut add = |name: &str, part: Result<Tally>| {
        let part = part.unwrap_or_else(|message| {
            println!("{name}: {message}");
            Tally { failed: 1, ..Tally::default() }
        });
        println!("== {name}: {part}\n");
        tally += part;
    };
    add("cargo test", cargo_test());
    add("interop", interop::run(words("")));
    add("crash", crash::run(words(&format!("--rounds {CRASH_ROUNDS}"))));
    add("tour", tour::run(words("")));
    Ok(tally)
}

/// Runs the tests of all crates, shows what they print and adds up their closing lines.
fn cargo_test() -> Result<Tally> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--workspace", "--no-fail-fast"]).current_dir(root());
    let mut child = cargo
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` did not start: {error}", process::line(&cargo)))?;
    let mut tally = Tally::default();
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        let line = line.map_err(|error| format!("cannot read what cargo prints: {error}"))?;
        println!("{line}");
        if let Some(part) = Tally::from_libtest(&line) {
            tally += part;
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for cargo: {error}"))?;
    if !status.success() && tally.failed == 0 {
        // It did not get as far as running a test, or a test took the whole process with it.
        println!("`{}` ended with {status}", process::line(&cargo));
        tally.failed = 1;
    }
    Ok(tally)
}
