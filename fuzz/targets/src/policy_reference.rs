use std::collections::{BTreeMap, BTreeSet};

use base_hcl::{Body, Kind};
use core_policy::Operation;

/// The rules of a policy read without cleverness: for each request all rules are looked at, letter
/// by letter, in the order that the documentation of `core-policy` gives.
pub(crate) struct Rules(BTreeMap<String, Rule>);

#[derive(Default)]
struct Rule {
    capabilities: BTreeSet<String>,
    is_constrained: bool,
}

/// What the rules say to a request.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    No,
    /// Yes, as far as parameters, wrapping and limits allow.
    Perhaps,
    Yes,
}

impl Rules {
    /// `None` for what is not modelled: templates, expiry, and a `+` that is not a whole segment.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let body = base_hcl::parse(text).ok()?;
        let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
        for block in body.fields().blocks("path", 1).ok()? {
            let path = block.label(0);
            let path = path.strip_prefix('/').unwrap_or(path);
            let is_odd = |segment: &str| segment.contains('+') && segment != "+";
            if path.contains("{{") || path.split('/').any(is_odd) {
                return None;
            }
            rules.entry(path.to_owned()).or_default().add(block.body)?;
        }
        Some(Self(rules))
    }

    pub(crate) fn judge(&self, operation: Operation, path: &str) -> Verdict {
        let path = path.trim_start_matches('/');
        let file = path.strip_suffix('/').unwrap_or(path);
        let folder = if path.is_empty() { String::new() } else { format!("{file}/") };
        let listing = matches!(operation, Operation::List | Operation::Scan);
        let spellings: &[&str] = if listing { &[&folder, file] } else { &[path] };
        let exact = spellings.iter().find_map(|path| {
            self.0.get_key_value(*path).filter(|(pattern, _)| first_wildcard(pattern).is_none())
        });
        let rule = exact.or_else(|| spellings.iter().find_map(|path| self.most_specific(path)));
        match (rule, operation.needs()) {
            (_, None) => Verdict::Yes,
            (None, _) => Verdict::No,
            (Some((_, rule)), Some(needed)) => rule.judge(needed.name()),
        }
    }

    fn most_specific(&self, path: &str) -> Option<(&String, &Rule)> {
        let fitting = self.0.iter().filter(|(pattern, _)| {
            first_wildcard(pattern).is_some() && matches(pattern.as_bytes(), path.as_bytes(), true)
        });
        fitting.max_by_key(|(pattern, _)| {
            let has_star = pattern.ends_with('*');
            let pluses = pattern.split('/').filter(|segment| *segment == "+").count();
            let text = pattern.strip_suffix('*').unwrap_or(pattern);
            (first_wildcard(pattern), !has_star, usize::MAX - pluses, text.len(), text)
        })
    }
}

impl Rule {
    fn add(&mut self, body: &Body) -> Option<()> {
        for entry in &body.entries {
            match (entry.key.text.as_str(), &entry.value.kind) {
                ("capabilities", Kind::List(values)) => {
                    let words = values.iter().map(|value| match &value.kind {
                        Kind::String(word) => Some(word.clone()),
                        _ => None,
                    });
                    self.capabilities.extend(words.collect::<Option<Vec<_>>>()?);
                }
                ("policy", Kind::String(word)) => {
                    let words: &[&str] = match word.as_str() {
                        "deny" => &["deny"],
                        "read" => &["read", "list"],
                        "sudo" => &["create", "read", "update", "delete", "list", "sudo"],
                        "write" => &["create", "read", "update", "delete", "list"],
                        _ => &[],
                    };
                    self.capabilities.extend(words.iter().map(|word| (*word).to_owned()));
                }
                ("comment" | "subscribe_event_types", _) | (_, Kind::Null) => {}
                ("expiration", _) => return None,
                _ => self.is_constrained = true,
            }
        }
        Some(())
    }

    fn judge(&self, needed: &str) -> Verdict {
        if self.capabilities.contains("deny") || !self.capabilities.contains(needed) {
            Verdict::No
        } else if self.is_constrained {
            Verdict::Perhaps
        } else {
            Verdict::Yes
        }
    }
}

/// Where the pattern stops being letters.
fn first_wildcard(pattern: &str) -> Option<usize> {
    let star = pattern.ends_with('*').then(|| pattern.len() - 1);
    let mut at = 0;
    for segment in pattern.split('/') {
        if segment == "+" {
            return Some(at);
        }
        at += segment.len() + 1;
    }
    star
}

fn matches(pattern: &[u8], path: &[u8], at_segment: bool) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'*'] => true,
        [b'+', rest @ ..] if at_segment && matches!(rest.first(), None | Some(b'/')) => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            matches(rest, &path[end..], false)
        }
        [byte, rest @ ..] => path.first() == Some(byte) && matches(rest, &path[1..], *byte == b'/'),
    }
}
