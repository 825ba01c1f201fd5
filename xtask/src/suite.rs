use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, accuracy, crash, examples, interop, process, root, setup, tidy, tour};

/// How many kills, and how many leases below a prefix, are enough for every run; the full numbers are
/// commands of their own.
const CRASH_ROUNDS: &str = "10";
const PREFIX_LEASES: &str = "10000";

/// One part of the suite.
type Part = (&'static str, fn() -> Result<Tally>);

const LINTS: [Part; 3] = [
    ("format", || cargo("fmt --all --check")),
    ("clippy", || cargo("clippy --workspace --all-targets -- -D warnings")),
    ("tidy", || tidy::run(options(""))),
];

const TESTS: [Part; 10] = [
    ("setup", || setup::run(options(""))),
    ("cargo test", cargo_test),
    ("interop", || interop::run(options(""))),
    ("interop of files", || interop::run(options("files"))),
    ("accuracy of the scanner", || accuracy::run(options(""))),
    ("crash", || crash::run(options(&format!("--rounds {CRASH_ROUNDS}")))),
    ("crash of dynamic credentials", || crash::run(options("--dynamic --rounds 10"))),
    ("crash on the way through a prefix", || {
        crash::run(options(&format!("--prefix {PREFIX_LEASES}")))
    }),
    ("tour", || tour::run(options(""))),
    ("examples", || examples::run(options(""))),
];

/// Runs every test there is. A part that cannot run counts as one failure, and the others go on.
pub(crate) fn run(mut options: Options) -> Result<Tally> {
    let lints = options.flag("--lints");
    options.finish()?;
    let lints = LINTS.iter().filter(|_| lints);
    let mut tally = Tally::default();
    let mut summary = String::new();
    for (name, run) in lints.chain(&TESTS) {
        println!("\n== {name}");
        let start = Instant::now();
        let part = run().unwrap_or_else(|message| {
            println!("{name}: {message}");
            Tally { passed: 0, failed: 1 }
        });
        summary.push_str(&format!("{name}: {part}, {} s\n", start.elapsed().as_secs()));
        tally += part;
    }
    print!("\n{summary}");
    Ok(tally)
}

fn options(text: &str) -> Options {
    Options::new(words(text))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// A command of Cargo's that passes or fails as a whole.
fn cargo(arguments: &str) -> Result<Tally> {
    process::run(Command::new("cargo").args(words(arguments)))?;
    Ok(Tally { passed: 1, failed: 0 })
}

/// Runs the tests of all crates, shows what they print and adds up their closing lines.
fn cargo_test() -> Result<Tally> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--workspace", "--no-fail-fast"]).current_dir(root());
    // Without it, the command line is not compared with the real one; that setup failed is counted.
    if let Ok(peers) = setup::peers() {
        cargo.env("STRONGROOM_TEST_BAO", peers.bao);
    }
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
