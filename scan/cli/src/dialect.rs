use scan_report::{Redaction, Tool};
use scan_sources::{GapKind, Outcome};

/// As whom the program was called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// As `gitleaks`: its commands, its defaults, its exit codes.
    Gitleaks,
    /// As `strongroom scan`.
    Strongroom,
}

/// The exit codes of ours. Findings come before what could not be scanned, as there is something to do.
const CLEAN: u8 = 0;
const FINDINGS: u8 = 1;
pub(crate) const ERROR: u8 = 2;
const INCOMPLETE: u8 = 3;

impl Dialect {
    /// What is hidden of secrets if nobody says.
    pub(crate) fn redaction(self) -> Redaction {
        match self {
            Self::Gitleaks => Redaction::NONE,
            Self::Strongroom => Redaction::FULL,
        }
    }

    /// How deep archives are opened if nobody says.
    pub(crate) fn archive_depth(self) -> usize {
        match self {
            Self::Gitleaks => 0,
            Self::Strongroom => 8,
        }
    }

    pub(crate) fn tool(self) -> Tool {
        match self {
            Self::Gitleaks => Tool::GITLEAKS,
            Self::Strongroom => Tool::STRONGROOM,
        }
    }

    /// The exit code of a scan that came to an end. `of_findings` is what the caller asked for.
    pub(crate) fn code(self, outcome: &Outcome, of_findings: Option<u8>) -> u8 {
        let broken = outcome.gaps.iter().any(|gap| gap.kind == GapKind::Fault);
        match self {
            // A scan that failed in part is an error to gitleaks, whatever it found.
            Self::Gitleaks if broken => 1,
            _ if !outcome.leaks.is_empty() => of_findings.unwrap_or(FINDINGS),
            Self::Gitleaks => CLEAN,
            Self::Strongroom if outcome.gaps.is_empty() => CLEAN,
            Self::Strongroom => INCOMPLETE,
        }
    }
}
