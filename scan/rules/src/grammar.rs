use base_types::Result;

use crate::table::Table;

/// Which program a file is written for. All of them read the same tables; they differ in what is said of a rule twice and
/// which of two rules goes before the other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grammar {
    Gitleaks,
    Betterleaks1,
    Betterleaks2,
}

/// What rules have unless they say so, as in betterleaks 1.
const SPECIFICITY: i64 = 100;

/// The keys that betterleaks 1 has besides those of gitleaks.
const KEYS_OF_1: [&str; 4] = ["filter", "specificity", "tokenEfficiency", "validate"];
/// Those that came with betterleaks 2.
const KEYS_OF_2: [&str; 5] = ["analyze", "components", "confidence", "revoke", "valueGroup"];

impl Grammar {
    pub(crate) fn of(root: &Table<'_>, rules: &[Table<'_>]) -> Result<Self> {
        let any = |keys: &[&str]| rules.iter().any(|rule| keys.iter().any(|key| rule.has(key)));
        let version = root.text("minVersion")?;
        let is_second = version.starts_with("v2.") || version.starts_with("2.");
        let has_own = ["prefilter", "filter", "betterleaksMinVersion"].iter().any(|k| root.has(k));
        Ok(if is_second || any(&KEYS_OF_2) {
            Self::Betterleaks2
        } else if has_own || any(&KEYS_OF_1) {
            Self::Betterleaks1
        } else {
            Self::Gitleaks
        })
    }

    /// How much a rule goes before others, counted as in betterleaks 1. In gitleaks one that calls itself generic goes
    /// after all others.
    pub(crate) fn specificity(self, rule: &Table<'_>, id: &str) -> Result<i64> {
        let said = rule.integer("specificity")?;
        Ok(match self {
            Self::Gitleaks if id.to_lowercase().contains("generic") => SPECIFICITY - 1,
            Self::Gitleaks => SPECIFICITY,
            Self::Betterleaks1 => said.unwrap_or(SPECIFICITY),
            Self::Betterleaks2 => said.unwrap_or(0).saturating_add(SPECIFICITY),
        })
    }
}
