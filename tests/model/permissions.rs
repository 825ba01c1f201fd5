//! Policies: a name stands for rules, and a rule for what may be done at a path.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::Dice;
use crate::kv::KEYS;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Power {
    Delete,
    Deny,
    List,
    Read,
    Write,
}

const POWERS: [Power; 5] = [Power::Delete, Power::Deny, Power::List, Power::Read, Power::Write];

impl Power {
    fn text(self) -> &'static str {
        match self {
            Self::Delete => "\"delete\"",
            Self::Deny => "\"deny\"",
            Self::List => "\"list\"",
            Self::Read => "\"read\"",
            Self::Write => "\"create\", \"update\"",
        }
    }
}

/// The rules of one policy, by path; a `*` at the end stands for any rest.
pub(crate) type Rules = BTreeMap<String, BTreeSet<Power>>;

#[derive(Default)]
pub(crate) struct Policies(BTreeMap<String, Rules>);

/// The policy that every run has from its start.
pub(crate) const MAKER: &str = "maker";
/// Those that come, change and go.
pub(crate) const NAMES: [&str; 4] = ["p0", "p1", "p2", "p3"];

impl Policies {
    pub(crate) fn set(&mut self, name: &str, rules: Rules) {
        self.0.insert(name.to_owned(), rules);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The longest matching path decides; what several policies say about it is united, and a deny
    /// overrules.
    pub(crate) fn allow(&self, names: &BTreeSet<String>, path: &str, power: Power) -> bool {
        let rules = || names.iter().filter_map(|name| self.0.get(name)).flatten();
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => pattern == path,
        };
        let rank = |pattern: &str| (!pattern.ends_with('*'), pattern.len());
        let best = rules()
            .map(|(pattern, _)| pattern)
            .filter(|pattern| fits(pattern))
            .max_by_key(|p| rank(p));
        let Some(best) = best else { return false };
        let powers: BTreeSet<Power> = rules()
            .filter(|(pattern, _)| *pattern == best)
            .flat_map(|(_, powers)| powers.iter().copied())
            .collect();
        powers.contains(&power) && !powers.contains(&Power::Deny)
    }
}

pub(crate) fn maker() -> Rules {
    Rules::from([("auth/token/create".to_owned(), [Power::Write].into())])
}

pub(crate) fn draw(dice: &Dice) -> Rules {
    let mut rules = Rules::new();
    for _ in 0..1 + dice.roll(4) {
        let area = ["data", "metadata", "delete", "undelete", "destroy"][dice.roll(5)];
        let pattern = match dice.roll(5) {
            0 => "secret/*".to_owned(),
            1 => format!("secret/{area}/*"),
            2 => "auth/token/create".to_owned(),
            _ => format!("secret/{area}/{}", KEYS[dice.roll(KEYS.len())]),
        };
        let powers = (0..1 + dice.roll(4)).map(|_| POWERS[dice.roll(POWERS.len())]);
        // A deny is rarer than it would be by chance, or nothing would ever be allowed.
        let powers = powers.filter(|power| *power != Power::Deny || dice.once_in(3)).collect();
        rules.insert(pattern, powers);
    }
    rules.retain(|_, powers: &mut BTreeSet<Power>| !powers.is_empty());
    rules
}

/// The rules in the language of policies.
pub(crate) fn text(rules: &Rules) -> String {
    let mut text = String::from("# A policy.\n");
    for (pattern, powers) in rules {
        let powers: Vec<&str> = powers.iter().map(|power| power.text()).collect();
        writeln!(text, "path \"{pattern}\" {{ capabilities = [{}] }}", powers.join(", ")).unwrap();
    }
    text
}
