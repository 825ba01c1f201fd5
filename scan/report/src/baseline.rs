use std::collections::HashMap;
use std::path::Path;

use base_types::{Error, Result};
use scan_sources::Leak;
use serde::Deserialize;

use crate::redact::{HIDDEN, Redaction};

/// An earlier report in JSON, whose findings are known.
#[derive(Default)]
pub struct Baseline {
    known: HashMap<Place, Vec<Known>>,
}

/// What a finding of the baseline says of one of now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InBaseline {
    /// It is the same, also by its secret.
    Same,
    /// It is at the same place, but the baseline hides its secret, so that it may be another one.
    SamePlace,
}

#[derive(Eq, Hash, PartialEq)]
struct Place {
    rule: String,
    file: String,
    commit: String,
    /// First and last line, first and last column.
    span: [usize; 4],
}

struct Known {
    matched: String,
    secret: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Entry {
    #[serde(rename = "RuleID")]
    rule_id: String,
    start_line: usize,
    end_line: usize,
    start_column: usize,
    end_column: usize,
    #[serde(rename = "Match")]
    matched: String,
    secret: String,
    file: String,
    commit: String,
}

impl Baseline {
    /// Reads a report of gitleaks or of ours.
    ///
    /// # Errors
    ///
    /// `Invalid` if it cannot be read or is no such report.
    pub fn open(path: &Path) -> Result<Self> {
        let fault = |e: &dyn std::fmt::Display| {
            Error::invalid(format!("the baseline {} is no report in JSON: {e}", path.display()))
        };
        let text = std::fs::read(path).map_err(|e| fault(&e))?;
        let entries: Vec<Entry> = serde_json::from_slice(&text).map_err(|e| fault(&e))?;
        let mut known: HashMap<Place, Vec<Known>> = HashMap::new();
        for entry in entries {
            let span = [entry.start_line, entry.end_line, entry.start_column, entry.end_column];
            let place = Place { rule: entry.rule_id, file: entry.file, commit: entry.commit, span };
            known
                .entry(place)
                .or_default()
                .push(Known { matched: entry.matched, secret: entry.secret });
        }
        Ok(Self { known })
    }

    /// Whether the baseline has a finding.
    pub fn find(&self, leak: &Leak) -> Option<InBaseline> {
        let finding = &leak.finding;
        let place = Place {
            rule: finding.rule_id.clone(),
            file: leak.file.clone(),
            commit: leak.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default(),
            span: [finding.start_line, finding.end_line, finding.start_column, finding.end_column],
        };
        let at_place = self.known.get(&place)?;
        let (matched, secret) = (finding.matched.expose(), finding.secret.expose());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if at_place
            .iter()
            .any(|known| known.secret == text(secret) && known.matched == text(matched))
        {
            return Some(InBaseline::Same);
        }
        at_place.iter().any(|known| known.may_be(matched, secret)).then_some(InBaseline::SamePlace)
    }
}

impl Known {
    /// Whether a secret that the baseline hides may be this one.
    fn may_be(&self, matched: &[u8], secret: &[u8]) -> bool {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if self.secret == HIDDEN {
            return self.matched == text(&Redaction::FULL.within(matched, secret));
        }
        self.secret.strip_suffix("...").is_some_and(|start| text(secret).starts_with(start))
    }
}
