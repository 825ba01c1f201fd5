use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, crash, interop, process, root, setup, tour};

/// How many kills are enough for every run; the full number is a command of its own.
const CRASH_ROUNDS: &str = "10";

/// Runs every test there is. A part that cannot run counts as one failure, and the others go on.
pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    let words = |text: &str| Options::new(text.split_whitespace().map(str::to_owned).collect());
    let parts: [(&str, &dyn Fn() -> Result<Tally>); 5] = [
        ("setup", &|| setup::run(words(""))),
        ("cargo test", &cargo_test),
        ("interop", &|| interop::run(words(""))),
        ("crash", &|| crash::run(words(&format!("--rounds {CRASH_ROUNDS}")))),
        ("tour", &|| tour::run(words(""))),
    ];
    let mut tally = Tally::default();
    let mut summary = String::new();
    for (name, run) in parts {
        println!("\n== {name}");
        let start = Instant::now();
        let part = run().unwrap_or_else(|message| {
            println!("{name}: {message}");
            Tally::BROKEN
        });
        summary.push_str(&format!("{name}: {part}, {} s\n", start.elapsed().as_secs()));
        tally += part;
    }
    print!("\n{summary}");
    Ok(tally)
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
