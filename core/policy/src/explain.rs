use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base_types::{Namespace, Timestamp};
use serde::{Serialize, Serializer};

use crate::acl::{Acl, Rule, folder_and_file};
use crate::capability::{Capabilities, Operation};
use crate::decision::{Grounds, Request};
use crate::identity::Identity;
use crate::pattern::{Pattern, Shape};
use crate::policy::{PathRule, Policy};

/// How a decision came about, as text by `Display` and as JSON by `Serialize`.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub operation: &'static str,
    pub path: String,
    pub granted: bool,
    pub reason: String,
    /// The rules that match, in the order in which they are considered. The first one decides,
    /// alone; nothing is taken from the others.
    pub candidates: Vec<Candidate>,
    /// The rules that do not count for this identity.
    pub void: Vec<Void>,
}

/// A rule that matches the path.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    #[serde(flatten)]
    pub rule: RuleView,
    pub how: &'static str,
}

/// One path of an ACL with what all policies together say about it.
#[derive(Clone, Debug, Serialize)]
pub struct RuleView {
    /// As a policy in the root namespace would write it.
    pub path: String,
    /// `exact`, `prefix` for a `*` at the end, or `segments` for a `+`, with or without `*`.
    pub kind: &'static str,
    pub capabilities: Capabilities,
    /// It also restricts parameters, wrapping or the length of listings.
    pub constrained: bool,
    pub sources: Vec<Source>,
}

/// Where a rule is written, and what it grants there.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    pub policy: Arc<str>,
    /// With a trailing slash; empty for the root namespace.
    pub namespace: Arc<str>,
    pub line: u32,
    pub capabilities: Capabilities,
}

/// A rule that could not be filled in for an identity.
#[derive(Clone, Debug, Serialize)]
pub struct Void {
    pub path: String,
    pub source: Source,
    pub reason: String,
}

/// A policy that lets its holder do something.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    pub policy: String,
    pub namespace: String,
    /// The rule that decides; `None` where none is needed: for the policy root, and for help.
    pub rule: Option<RuleView>,
    /// The rule is filled in for each identity, and whether it fits depends on who asks.
    pub depends_on_identity: bool,
}

impl Acl {
    /// Says which rule of which policy decides about a request, and why. It looks at all rules, and
    /// so is for people, not for requests.
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        let (granted, reason) = match self.judge(request) {
            Err(refusal) => (false, refusal.to_string()),
            Ok((Grounds::Root, _)) => (true, "the policy root grants everything".to_owned()),
            Ok((Grounds::Free | Grounds::Open, _)) => {
                (true, "everybody may ask for help".to_owned())
            }
            Ok((Grounds::Rule(_), None)) => {
                (true, format!("the rule grants {}", request.operation))
            }
            Ok((Grounds::Rule(_), Some(limit))) => {
                (true, format!("the rule grants {}, of at most {limit} entries", request.operation))
            }
        };
        let path = request.path.trim_start_matches('/');
        Explanation {
            operation: request.operation.name(),
            path: path.to_owned(),
            granted,
            reason,
            candidates: self.candidates(path, request.operation.is_listing()),
            void: self.void.clone(),
        }
    }

    /// Every rule that matches, in order of preference, found without the index.
    fn candidates(&self, path: &str, listing: bool) -> Vec<Candidate> {
        let (folder, file) = folder_and_file(path);
        let ways: &[(&str, bool, &'static str)] = if listing {
            &[
                (&folder, false, "equals the path"),
                (file, false, "equals the path without its trailing slash"),
                (&folder, true, "matches the path"),
                (file, true, "matches the path without its trailing slash"),
            ]
        } else {
            &[(path, false, "equals the path"), (path, true, "matches the path")]
        };
        let mut seen = HashSet::new();
        let mut candidates = Vec::new();
        for &(path, wild, how) in ways {
            let fits = |rule: &&Rule| {
                (rule.pattern.shape() != Shape::Exact) == wild && rule.pattern.matches(path)
            };
            let mut matching: Vec<&Rule> = self.rules.iter().filter(fits).collect();
            matching.sort_by(|a, b| b.pattern.priority().cmp(&a.pattern.priority()));
            matching.retain(|rule| seen.insert(&rule.pattern));
            candidates.extend(
                matching.into_iter().map(|rule| Candidate { rule: RuleView::of(rule), how }),
            );
        }
        candidates
    }
}

impl RuleView {
    pub(crate) fn of(rule: &Rule) -> Self {
        Self {
            path: rule.pattern.to_string(),
            kind: match rule.pattern.shape() {
                Shape::Exact => "exact",
                Shape::Prefix => "prefix",
                Shape::Segments | Shape::SegmentsPrefix => "segments",
            },
            capabilities: rule.capabilities,
            constrained: rule.constraints.is_some(),
            sources: rule.sources.clone(),
        }
    }
}

/// Which of these policies, each taken alone, let their holder do `operation` at `path`.
///
/// Constraints on parameters, wrapping and sudo are left out of account: the rule is in the answer,
/// and [`RuleView::constrained`] says that there are some.
pub fn who_can(
    operation: Operation,
    path: &str,
    policies: &[(&Namespace, &Policy)],
    now: Timestamp,
) -> Vec<Holder> {
    let path = path.trim_start_matches('/');
    let holder = |&(namespace, policy): &(&Namespace, &Policy)| {
        let acl = Acl::compile(&[(namespace, policy)], &Identity::default(), now);
        let (rule, depends_on_identity) = if acl.is_root_of(path) || operation.needs().is_none() {
            (None, false)
        } else if let Some(rule) = acl.granting_rule(operation, path) {
            (Some(RuleView::of(rule)), false)
        } else {
            let mut rules = policy.rules.iter().filter(|rule| !rule.has_expired(now));
            let rule = rules.find(|rule| might_grant(rule, namespace, operation, path))?;
            (Some(RuleView::unfilled(rule, namespace, policy)), true)
        };
        let (policy, namespace) = (policy.name().to_string(), namespace.to_string());
        Some(Holder { policy, namespace, rule, depends_on_identity })
    };
    policies.iter().filter_map(holder).collect()
}

impl Acl {
    fn granting_rule(&self, operation: Operation, path: &str) -> Option<&Rule> {
        let needed = operation.needs()?;
        let rule = &self.rules[self.lookup(path, operation.is_listing())?];
        rule.capabilities.contains(needed).then_some(rule)
    }
}

impl RuleView {
    fn unfilled(rule: &PathRule, namespace: &Namespace, policy: &Policy) -> Self {
        let source = Source {
            policy: policy.name().as_str().into(),
            namespace: namespace.as_str().into(),
            line: rule.line,
            capabilities: rule.capabilities,
        };
        Self {
            path: format!("{namespace}{}", rule.path),
            kind: "template",
            capabilities: rule.capabilities,
            constrained: rule.constraints != Default::default(),
            sources: vec![source],
        }
    }
}

/// Some identity could fill the rule so that it matches.
fn might_grant(rule: &PathRule, namespace: &Namespace, operation: Operation, path: &str) -> bool {
    let grants = operation.needs().is_some_and(|needed| rule.capabilities.contains(needed));
    if !grants || !rule.template.has_directives() {
        return false;
    }
    // No path holds this character.
    const ANYTHING: &str = "\0";
    let Some(filled) = rule.template.with_placeholder(ANYTHING) else { return false };
    let pattern = Pattern::new(namespace, &filled);
    let fits = |want: &str, have: &str, is_open_end: bool| {
        want == "+" || fits_around(want.split(ANYTHING), have, is_open_end)
    };
    let (folder, file) = folder_and_file(path);
    let matches = |path: &str| pattern.walk(path, fits);
    if operation.is_listing() { matches(&folder) || matches(file) } else { matches(path) }
}

/// `have` consists of the pieces with at least one character between each two.
fn fits_around<'a>(
    mut pieces: impl Iterator<Item = &'a str>,
    have: &str,
    is_open_end: bool,
) -> bool {
    let Some(mut rest) = pieces.next().and_then(|first| have.strip_prefix(first)) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty() || is_open_end;
    }
    while let Some(piece) = pieces.next() {
        let Some(first) = rest.chars().next() else { return false };
        let after = &rest[first.len_utf8()..];
        if pieces.peek().is_none() && !is_open_end {
            return after.ends_with(piece);
        }
        let Some(at) = after.find(piece) else { return false };
        rest = &after[at + piece.len()..];
    }
    true
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, path, granted, reason, candidates, void } = self;
        let outcome = if *granted { "granted" } else { "denied" };
        writeln!(f, "{operation} {path}: {outcome}: {reason}")?;
        for (number, Candidate { rule, how }) in candidates.iter().enumerate() {
            let role = if number == 0 { "decides" } else { "would decide next" };
            writeln!(f, "{}. {rule}: {how}; {role}", number + 1)?;
        }
        for Void { path, source, reason } in void {
            writeln!(f, "void: path {path:?} in {source}: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for RuleView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = if self.constrained { " with constraints" } else { "" };
        write!(f, "path {:?} [{}]{limits} in ", self.path, self.capabilities.names().join(", "))?;
        for (number, source) in self.sources.iter().enumerate() {
            write!(f, "{}{source}", if number == 0 { "" } else { " and " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, namespace, line, capabilities: _ } = self;
        write!(f, "policy {policy}, line {line}")?;
        if namespace.is_empty() { Ok(()) } else { write!(f, ", namespace {namespace}") }
    }
}
