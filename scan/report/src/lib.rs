//! What was found, as people and programs read it, and what of it is already known.
//!
//! Reports are those of gitleaks, field by field: [`Format`]. What is known comes from an earlier report
//! ([`Baseline`]), from the files of gitleaks that name places ([`Ignored`]), or from our own, which names contents
//! ([`Accepted`]); [`Known`] asks all three.

mod accept;
mod baseline;
mod csv;
mod human;
mod ignore;
mod json;
mod junit;
mod known;
mod redact;
mod row;
mod sarif;
mod tool;

use std::io::{self, Write};

use scan_rules::Rule;
use scan_sources::Leak;

pub use accept::{Acceptance, Accepted};
pub use baseline::{Baseline, InBaseline};
pub use human::{write_gaps, write_human, write_verbose};
pub use ignore::Ignored;
pub use known::{Known, Sifted};
pub use redact::Redaction;
pub use tool::Tool;

use row::Row;

/// A report that programs read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    Csv,
    Json,
    Junit,
    Sarif,
}

impl Format {
    /// All of them, by their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("json", Self::Json), ("csv", Self::Csv), ("junit", Self::Junit), ("sarif", Self::Sarif)];

    pub fn by_name(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    /// Writes a report.
    ///
    /// # Errors
    ///
    /// Those of `output`.
    pub fn write(
        self,
        leaks: &[Leak],
        rules: &[Rule],
        redaction: Redaction,
        tool: &Tool,
        output: &mut dyn Write,
    ) -> io::Result<()> {
        let rows: Vec<Row> = leaks.iter().map(|leak| Row::of(leak, redaction)).collect();
        match self {
            Self::Csv => csv::write(&rows, output),
            Self::Json => {
                json::write(&rows, b" ", output)?;
                writeln!(output)
            }
            Self::Junit => junit::write(&rows, tool.name, output),
            Self::Sarif => sarif::write(&rows, rules, tool, output),
        }
    }
}
