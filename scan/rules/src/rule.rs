use std::sync::Arc;

use crate::{Allowlist, Filter, Near, Pattern};

/// One kind of secret: how it looks, where it counts, what is excused.
#[derive(Clone, Default)]
pub struct Rule {
    /// The name that reports, ignore files and other rules use.
    pub id: String,
    pub description: String,
    /// What is searched for. Without it the rule looks at paths alone.
    pub regex: Option<Pattern>,
    /// The rule counts in files whose path matches.
    pub path: Option<Pattern>,
    /// The group of `regex` that is the secret; 0 means the first that is not empty, or all of the
    /// match where there are no groups.
    pub secret_group: usize,
    /// A secret with at most so many bits of Shannon entropy a character is none; 0 switches it off.
    pub entropy: f64,
    /// In lower case. The rule counts in a text that has one of them, anywhere; none means always.
    pub keywords: Vec<String>,
    pub tags: Vec<String>,
    pub allowlists: Vec<Allowlist>,
    /// Where this is true of a match, it is none.
    pub filter: Option<Arc<Filter>>,
    /// A secret that falls into few tokens of a language model is none.
    pub token_efficiency: bool,
    /// Of two rules that find the same secret in a line, the one with less gives way.
    pub specificity: i64,
    /// Other rules that must have found something near by.
    pub required: Vec<Required>,
    /// The rule is a part of others and reports nothing itself.
    pub skip_report: bool,
    /// A secret made of words is none. An extension of ours.
    pub random: bool,
}

/// Another rule's finding that belongs to a rule's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Required {
    pub id: String,
    pub near: Near,
    /// The rule's own finding counts without it.
    pub optional: bool,
}
