use std::collections::HashMap;

use crate::pattern::{Pattern, Shape};

/// Finds the rule for a path without looking at all rules. It answers the rule's number, which is
/// its place in the list that the index was built from.
#[derive(Debug, Default)]
pub(crate) struct Index {
    exact: HashMap<Box<str>, usize>,
    prefixes: Vec<Prefix>,
    /// The most specific first.
    segments: Vec<Segments>,
}

/// Prefixes are sorted, so that all which extend one of them directly follow it.
#[derive(Debug)]
struct Prefix {
    text: Box<str>,
    /// The longest other prefix of this text, by its place in the list.
    parent: Option<usize>,
    rank: usize,
    rule: usize,
}

/// A pattern with `+`, as the texts around them: `a/+/b*` is `a/` and `/b`, open at the end.
#[derive(Debug)]
struct Segments {
    literals: Vec<Box<str>>,
    is_open: bool,
    rank: usize,
    rule: usize,
}

impl Index {
    /// No two patterns may be equal.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Self {
        let mut index = Self::default();
        let mut wild: Vec<(usize, &Pattern)> = Vec::new();
        for (rule, pattern) in patterns.enumerate() {
            match pattern.shape() {
                Shape::Exact => {
                    index.exact.insert(pattern.text().into(), rule);
                }
                Shape::Prefix | Shape::Segments | Shape::SegmentsPrefix => {
                    wild.push((rule, pattern))
                }
            }
        }
        wild.sort_by(|(_, a), (_, b)| a.priority().cmp(&b.priority()));
        for (rank, (rule, pattern)) in wild.into_iter().enumerate() {
            if pattern.shape() == Shape::Prefix {
                let text = pattern.text().into();
                index.prefixes.push(Prefix { text, parent: None, rank, rule });
            } else {
                index.segments.push(Segments::new(pattern, rank, rule));
            }
        }
        index.segments.reverse();
        index.link_prefixes();
        index
    }

    fn link_prefixes(&mut self) {
        self.prefixes.sort_by(|a, b| a.text.cmp(&b.text));
        for at in 1..self.prefixes.len() {
            let mut parent = Some(at - 1);
            while let Some(above) = parent {
                if self.prefixes[at].text.starts_with(&*self.prefixes[above].text) {
                    break;
                }
                parent = self.prefixes[above].parent;
            }
            self.prefixes[at].parent = parent;
        }
    }

    /// The rule whose path is this one, letter by letter.
    pub(crate) fn exact(&self, path: &str) -> Option<usize> {
        self.exact.get(path).copied()
    }

    /// The most specific rule with a wildcard that matches.
    pub(crate) fn wild(&self, path: &str) -> Option<usize> {
        let prefix = self.longest_prefix(path);
        let rank = prefix.map_or(0, |prefix| prefix.rank);
        let candidates = self.segments.iter().take_while(|segments| segments.rank >= rank);
        let segments = candidates.into_iter().find(|segments| segments.matches(path));
        segments.map(|segments| segments.rule).or(prefix.map(|prefix| prefix.rule))
    }

    /// Of the prefixes that sort before the path, the last one either is a prefix of it or shares
    /// with it the longest one that is, which is then among its parents.
    fn longest_prefix(&self, path: &str) -> Option<&Prefix> {
        let last = self.prefixes.partition_point(|prefix| &*prefix.text <= path).checked_sub(1)?;
        let mut prefix = &self.prefixes[last];
        let shared = shared_length(&prefix.text, path);
        while prefix.text.len() > shared {
            prefix = &self.prefixes[prefix.parent?];
        }
        Some(prefix)
    }
}

impl Segments {
    fn new(pattern: &Pattern, rank: usize, rule: usize) -> Self {
        let mut literals = vec![String::new()];
        for (number, segment) in pattern.text().split('/').enumerate() {
            let literal = literals.last_mut().expect("there is always a last literal");
            if number > 0 {
                literal.push('/');
            }
            if segment == "+" {
                literals.push(String::new());
            } else {
                literal.push_str(segment);
            }
        }
        let literals = literals.into_iter().map(String::into_boxed_str).collect();
        Self { literals, is_open: pattern.shape() == Shape::SegmentsPrefix, rank, rule }
    }

    fn matches(&self, path: &str) -> bool {
        let mut rest = path;
        for (number, literal) in self.literals.iter().enumerate() {
            if number > 0 {
                let end = rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
                rest = &rest[end..];
            }
            match rest.strip_prefix(&**literal) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        self.is_open || rest.is_empty()
    }
}

fn shared_length(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count()
}
