//! The project's chores, so that no shell script is needed and every machine runs the same.
//!
//! `cargo xtask` alone lists them. Each ends with one line of counts and an exit code that says
//! whether all went well: 0 yes, 1 something failed, 2 the chore itself could not be done.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to its terminal"
)]

mod accuracy;
mod bench;
mod crash;
mod examples;
mod folder;
mod http;
mod interop;
mod moto;
mod options;
mod postgres;
mod process;
mod random;
mod server;
mod setup;
mod sops;
mod suite;
mod tally;
mod tidy;
mod tour;
mod wait;

use std::path::Path;
use std::process::ExitCode;

use options::Options;
use tally::Tally;

/// Chores fail with a sentence for the person who ran them.
type Result<T, E = String> = std::result::Result<T, E>;

struct Chore {
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    run: fn(Options) -> Result<Tally>,
}

const CHORES: [Chore; 10] = [
    Chore {
        name: "accuracy",
        usage: "",
        summary: "Searches a labelled corpus by our scanner and by others, and compares how well they do.",
        run: accuracy::run,
    },
    Chore {
        name: "bench",
        usage: "[--seconds N] [--only WORKLOAD] | --leases [N] [--seconds N] | --start [--leases N] | files [--binary PATH] | scan REPOSITORY [--binary PATH]",
        summary: "Measures the release build beside OpenBao and checks the bars.",
        run: bench::run,
    },
    Chore {
        name: "crash",
        usage: "[--dynamic [--all] | --prefix [LEASES]] [--rounds N] [--seed N] [--release | --openbao]",
        summary: "Kills the server under load or at every step, and looks for what is lost or left.",
        run: crash::run,
    },
    Chore {
        name: "demo",
        usage: "dynamic [--release]",
        summary: "Shows a tour of the README as somebody would type it.",
        run: tour::demo,
    },
    Chore {
        name: "examples",
        usage: "",
        summary: "Runs the example applications against a real database.",
        run: examples::run,
    },
    Chore {
        name: "interop",
        usage: "[--self] [--release] [AREA...] | files [--binary PATH]",
        summary: "Plays tests/interop against a real OpenBao and ours and compares the answers.",
        run: interop::run,
    },
    Chore {
        name: "setup",
        usage: "",
        summary: "Installs what tests and benchmarks need, below target/peers.",
        run: setup::run,
    },
    Chore {
        name: "test",
        usage: "[--lints]",
        summary: "Runs every test there is and ends with one line of counts; --lints goes before.",
        run: suite::run,
    },
    Chore {
        name: "tidy",
        usage: "",
        summary: "Checks the rules that a compiler does not: layers, licences, wording.",
        run: tidy::run,
    },
    Chore {
        name: "tour",
        usage: "[--release]",
        summary: "Runs the commands of the README and compares what they print.",
        run: tour::run,
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        eprint!("{}", usage());
        return ExitCode::from(2);
    };
    match (chore.run)(Options::new(arguments.collect())) {
        Ok(tally) => {
            println!("{tally}");
            ExitCode::from(u8::from(tally.failed > 0))
        }
        Err(message) => {
            eprintln!("xtask {name}: {message}");
            ExitCode::from(2)
        }
    }
}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask CHORE\n\n");
    for Chore { name, usage, summary, .. } in &CHORES {
        let call = format!("{name} {usage}");
        text.push_str(&format!("  {}\n      {summary}\n", call.trim_end()));
    }
    text
}

/// The root of the checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}
