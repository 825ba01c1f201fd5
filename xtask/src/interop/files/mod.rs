//! Encrypted files in both directions: what ours writes the real sops reads, and the other way
//! round, for every format, type, comment, selector, key source and key group, and each command on
//! the other's file.

mod commands;
mod corpus;
mod publish;
mod rivals;
mod samples;
mod sources;

use std::path::PathBuf;

use crate::Result;
use crate::tally::Tally;

use rivals::{Rivals, Who};

/// Whether what the first writes is what the second reads; a folder of its own for each run.
type Check = dyn Fn(&Rivals, Who, Who) -> Result<()>;

/// One line of the matrix.
struct Row {
    area: &'static str,
    name: String,
    check: Box<Check>,
}

impl Row {
    fn new(
        area: &'static str,
        name: impl Into<String>,
        check: impl Fn(&Rivals, Who, Who) -> Result<()> + 'static,
    ) -> Self {
        Self { area, name: name.into(), check: Box::new(check) }
    }
}

pub(super) fn run(binary: PathBuf) -> Result<Tally> {
    let mut tally = Tally::default();
    let rows = [samples::rows(), sources::rows()?, commands::rows(), publish::rows(&binary)?];
    println!("{:<12} {:<28} {:>14} {:>14}", "area", "what", "ours -> sops", "sops -> ours");
    let mut reasons = Vec::new();
    for Row { area, name, check } in rows.into_iter().flatten() {
        let mut cells = Vec::new();
        for (writer, reader) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
            let outcome = Rivals::new(&binary).and_then(|rivals| check(&rivals, writer, reader));
            tally.count(outcome.is_ok());
            cells.push(if outcome.is_ok() { "same" } else { "DIFFERENT" });
            if let Err(reason) = outcome {
                reasons.push(format!("{area}, {name}, {writer:?} to {reader:?}: {reason}"));
            }
        }
        println!("{area:<12} {name:<28} {:>14} {:>14}", cells[0], cells[1]);
    }
    let corpus = corpus::run(&binary)?;
    tally.passed += corpus.passed;
    tally.failed += corpus.failed;
    for reason in reasons {
        println!("\n{reason}");
    }
    Ok(tally)
}
