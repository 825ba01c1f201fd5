use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use scan_sources::Leak;

use crate::accept::{Acceptance, Accepted};
use crate::baseline::{Baseline, InBaseline};
use crate::ignore::Ignored;

/// All that says of a finding that it is known.
pub struct Known {
    pub baseline: Option<Baseline>,
    pub ignored: Ignored,
    pub accepted: Accepted,
    pub today: Date,
}

/// What is left of findings.
#[derive(Default)]
pub struct Sifted {
    pub leaks: Vec<Leak>,
    /// How many are known.
    pub known: usize,
    /// Where something new may be hidden, or no longer is: sentences for the user.
    pub warnings: Vec<String>,
}

impl Known {
    /// Takes out what is known.
    pub fn sift(&self, leaks: Vec<Leak>) -> Sifted {
        let mut sifted = Sifted { warnings: self.ignored.warnings.clone(), ..Sifted::default() };
        // The secrets that each line of an ignore file hides.
        let mut hidden: BTreeMap<&str, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let (mut unsure, mut expired) = (0, BTreeSet::new());
        for leak in leaks {
            if let Some(line) = self.ignored.find(&leak) {
                hidden.entry(line).or_default().insert(leak.finding.secret.expose().clone());
                sifted.known += 1;
                continue;
            }
            match self.baseline.as_ref().and_then(|baseline| baseline.find(&leak)) {
                Some(same) => {
                    unsure += usize::from(same == InBaseline::SamePlace);
                    sifted.known += 1;
                    continue;
                }
                None => match self.accepted.find(&leak, self.today) {
                    Acceptance::Accepted => {
                        sifted.known += 1;
                        continue;
                    }
                    Acceptance::Expired(day) => {
                        expired.insert(format!("{} was accepted until {day}", leak.fingerprint()));
                    }
                    Acceptance::Not => {}
                },
            }
            sifted.leaks.push(leak);
        }
        for (line, secrets) in hidden.into_iter().filter(|(_, secrets)| secrets.len() > 1) {
            let number = secrets.len();
            sifted.warnings.push(format!(
                "{line} hides {number} different secrets: it names a place, so a new secret there is hidden too; \
                 accept them by their content with --accept"
            ));
        }
        if unsure > 0 {
            sifted.warnings.push(format!(
                "the baseline hides its secrets: {unsure} findings are known by their place alone, and may be new; \
                 make it anew with --redact=0, or accept them by their content with --accept"
            ));
        }
        sifted.warnings.extend(expired);
        sifted
    }
}
