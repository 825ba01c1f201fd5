//! Which literals every match of an expression has, so that it is searched for only around them.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::keywords::LENGTH_MIN;

/// Every match has one of `literals` (compared without the case of ASCII letters), which begins at most
/// `lead` bytes after the match does and at least `tail` bytes before the match ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trigger {
    /// In lower case.
    pub(crate) literals: Vec<Vec<u8>>,
    /// `None` means without a bound.
    pub(crate) lead: Option<usize>,
    pub(crate) tail: Option<usize>,
}

impl Trigger {
    /// How far behind the start of a match its literal ends at most, in bytes; `None` means without a bound.
    pub(crate) fn end_of_literal(&self) -> Option<usize> {
        let longest = self.literals.iter().map(Vec::len).max();
        Some(self.lead? + longest.unwrap_or_default())
    }

    /// Whether no line break of a match comes before the end of its literal.
    pub(crate) fn is_in_first_line(&self) -> bool {
        self.lead == Some(0) && !self.literals.iter().any(|literal| literal.contains(&b'\n'))
    }
}

/// So many literals a trigger may have; more of them and shorter ones are worth less than the one that is close by.
const LITERALS_MAX: usize = 128;

/// The best trigger of an expression, if it has one.
pub(crate) fn of(hir: &Hir) -> Option<Trigger> {
    let mut trigger = best(hir)?;
    trigger.literals.sort();
    trigger.literals.dedup();
    // A literal that has another one in it says nothing more.
    let all = trigger.literals.clone();
    let within = |long: &Vec<u8>| all.iter().any(|short| short != long && long.starts_with(short));
    trigger.literals.retain(|literal| !within(literal));
    Some(trigger)
}

fn best(hir: &Hir) -> Option<Trigger> {
    if let Some(literals) = exact(hir) {
        return trigger(literals, hir);
    }
    match hir.kind() {
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition, hir),
        HirKind::Alternation(list) => alternatives(list, hir),
        HirKind::Concat(list) => sequence(list),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

fn trigger(literals: Vec<Vec<u8>>, hir: &Hir) -> Option<Trigger> {
    let usable = !literals.is_empty() && literals.iter().all(|literal| literal.len() >= LENGTH_MIN);
    usable.then(|| Trigger { literals, lead: Some(0), tail: hir.properties().maximum_len() })
}

fn repeated(repetition: &Repetition, hir: &Hir) -> Option<Trigger> {
    if repetition.min == 0 {
        return None;
    }
    let inner = best(&repetition.sub)?;
    // The literal of the first time is meant.
    Some(Trigger { tail: hir.properties().maximum_len(), ..inner })
}

fn alternatives(list: &[Hir], hir: &Hir) -> Option<Trigger> {
    let mut all =
        Trigger { literals: Vec::new(), lead: Some(0), tail: hir.properties().maximum_len() };
    for alternative in list {
        let Trigger { literals, lead, .. } = best(alternative)?;
        all.literals.extend(literals);
        all.lead = all.lead.zip(lead).map(|(a, b)| a.max(b));
    }
    (all.literals.len() <= LITERALS_MAX).then_some(all)
}

/// The best of the literals that neighbours make together and of those within single parts.
fn sequence(list: &[Hir]) -> Option<Trigger> {
    let mut candidates = Vec::new();
    let mut first = 0;
    while first < list.len() {
        let (literals, end) = run(list, first);
        let part = match literals {
            Some(literals) => trigger_of_run(literals, &list[first..end]),
            None => best(&list[first]),
        };
        if let Some(part) = part {
            let lead = bound(&list[..first]).zip(part.lead).map(|(before, lead)| before + lead);
            let tail = bound(&list[end..]).zip(part.tail).map(|(after, tail)| after + tail);
            candidates.push(Trigger { literals: part.literals, lead, tail });
        }
        first = end;
    }
    candidates.into_iter().max_by(|a, b| worth(a).total_cmp(&worth(b)))
}

fn trigger_of_run(literals: Vec<Vec<u8>>, list: &[Hir]) -> Option<Trigger> {
    let usable = literals.iter().all(|literal| literal.len() >= LENGTH_MIN);
    usable.then(|| Trigger { literals, lead: Some(0), tail: bound(list) })
}

/// All texts that the parts from `first` on make together, as far as they are few; and where that ends.
fn run(list: &[Hir], first: usize) -> (Option<Vec<Vec<u8>>>, usize) {
    let Some(mut all) = exact(&list[first]) else { return (None, first + 1) };
    let mut end = first + 1;
    while let Some(next) = list.get(end).and_then(exact) {
        if all.len() * next.len() > LITERALS_MAX {
            break;
        }
        all = product(&all, &next);
        end += 1;
    }
    // Two letters before a number are worth more with its first digit.
    if all.iter().any(|literal| literal.len() < 4)
        && let Some(HirKind::Repetition(repetition)) = list.get(end).map(Hir::kind)
        && repetition.min > 0
        && let Some(next) = exact(&repetition.sub)
        && all.len() * next.len() <= LITERALS_MAX
    {
        all = product(&all, &next);
    }
    (Some(all), end)
}

/// Every text that matches, in lower case, if these are few.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let list = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_ascii_lowercase()],
        HirKind::Class(class) => members(class)?,
        HirKind::Capture(capture) => exact(&capture.sub)?,
        HirKind::Repetition(repetition) if (repetition.min, repetition.max) == (0, Some(1)) => {
            let mut list = exact(&repetition.sub)?;
            list.push(Vec::new());
            list
        }
        HirKind::Repetition(repetition) => {
            let once = exact(&repetition.sub)?;
            let most = if once.len() == 1 { 32 } else { 8 };
            let times = repetition.max.filter(|max| *max == repetition.min && *max <= most)?;
            let mut all = vec![Vec::new()];
            for _ in 0..times {
                if all.len() * once.len() > LITERALS_MAX {
                    return None;
                }
                all = product(&all, &once);
            }
            all
        }
        HirKind::Concat(list) => {
            let mut all = vec![Vec::new()];
            for part in list {
                let next = exact(part)?;
                if all.len() * next.len() > LITERALS_MAX {
                    return None;
                }
                all = product(&all, &next);
            }
            all
        }
        HirKind::Alternation(list) => {
            let mut all = Vec::new();
            for alternative in list {
                all.extend(exact(alternative)?);
            }
            all
        }
    };
    let mut list = list;
    list.sort();
    list.dedup();
    (list.len() <= LITERALS_MAX).then_some(list)
}

/// The few members of a class. Letters beyond ASCII that fold to one of it, such as the sign of Kelvin, are left out:
/// keywords are compared by ASCII too.
fn members(class: &Class) -> Option<Vec<Vec<u8>>> {
    const MEMBERS_MAX: usize = 16;
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().map(|r| (u32::from(r.start()), u32::from(r.end()))).collect()
        }
        Class::Bytes(class) => {
            class.iter().map(|r| (u32::from(r.start()), u32::from(r.end()))).collect()
        }
    };
    let folded = [0x17F, 0x212A];
    let mut list: Vec<Vec<u8>> = Vec::new();
    for (low, high) in ranges {
        if low == high && folded.contains(&low) {
            continue;
        }
        if high > 0x7F || list.len() + (high - low) as usize > 2 * MEMBERS_MAX {
            return None;
        }
        list.extend(
            (low..=high).filter_map(|c| u8::try_from(c).ok()).map(|b| vec![b.to_ascii_lowercase()]),
        );
    }
    list.sort();
    list.dedup();
    (!list.is_empty() && list.len() <= MEMBERS_MAX).then_some(list)
}

fn product(all: &[Vec<u8>], next: &[Vec<u8>]) -> Vec<Vec<u8>> {
    all.iter().flat_map(|a| next.iter().map(|b| [a.as_slice(), b].concat())).collect()
}

fn bound(list: &[Hir]) -> Option<usize> {
    list.iter().map(|hir| hir.properties().maximum_len()).sum()
}

/// How much it helps to look for a trigger: how seldom its most frequent literal is, less what many
/// literals and far ends cost.
fn worth(trigger: &Trigger) -> f64 {
    let rarest =
        trigger.literals.iter().map(|literal| rarity(literal)).fold(f64::INFINITY, f64::min);
    let far = match (trigger.lead, trigger.tail) {
        (Some(0), Some(tail)) if tail <= 4096 => 0.0,
        (Some(lead), Some(tail)) if lead + tail <= 4096 => 2.0,
        (Some(0), Some(_)) => 4.0,
        (Some(_), Some(_)) => 8.0,
        (Some(_), None) => 10.0,
        (None, _) => 12.0,
    };
    rarest.min(24.0) - (trigger.literals.len() as f64).log2() / 2.0 - far
}

/// About how many bits it takes to name a literal in source code.
fn rarity(literal: &[u8]) -> f64 {
    literal
        .iter()
        .map(|byte| match byte {
            b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 3.0,
            b'a'..=b'z' => 4.5,
            b'0'..=b'9'
            | b'.'
            | b','
            | b'"'
            | b'\''
            | b'='
            | b':'
            | b'('
            | b')'
            | b'\n'
            | b'/'
            | b'_'
            | b'-' => 5.0,
            _ => 7.0,
        })
        .sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use scan_rules::Pattern;

    fn check(source: &str, literals: &[&str], lead: Option<usize>, tail: Option<usize>) {
        let found = of(Pattern::new(source).unwrap().hir())
            .unwrap_or_else(|| panic!("{source}: no trigger"));
        let literals: Vec<Vec<u8>> = literals.iter().map(|l| l.as_bytes().to_vec()).collect();
        assert_eq!(found, Trigger { literals, lead, tail }, "{source}");
    }

    #[test]
    fn prefixes_of_tokens_are_found() {
        check(r"ghp_[0-9a-zA-Z]{36}", &["ghp_"], Some(0), Some(40));
        check(
            r"\bgh[pousr]_\w{36}\b",
            &["gho_", "ghp_", "ghr_", "ghs_", "ghu_"],
            Some(0),
            Some(40),
        );
        check(r"\b(sk_(?:live|test)_[a-z]{10,99})", &["sk_live_", "sk_test_"], Some(0), Some(107));
        check(
            r"(?:A3T[A-Z0-9]|AKIA|ASIA)[A-Z2-7]{16}",
            &["a3t", "akia", "asia"],
            Some(0),
            Some(20),
        );
    }

    #[test]
    fn literals_within_have_what_goes_before_as_their_lead() {
        check(
            r"(?i)[\w.-]{0,50}?(?:adafruit)(?:[ \t\w.-]{0,20})=([a-z0-9_-]{32})",
            &["adafruit"],
            Some(150),
            Some(8 + 20 * 3 + 1 + 32 * 3),
        );
    }

    #[test]
    fn what_may_be_missing_is_no_trigger() {
        for source in ["[a-f0-9]{32}", "(?:secret)?[0-9]+", "(?:secret|[0-9]+)", "a|bb", "(?s:.)*"]
        {
            assert_eq!(of(Pattern::new(source).unwrap().hir()), None, "{source}");
        }
    }

    #[test]
    fn without_bounds_there_is_still_a_trigger() {
        check(r"-----BEGIN[ A-Z]+KEY-----[\s\S]*?-----END", &["-----begin"], Some(0), None);
    }
}
