use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Namespace, Timestamp};

use crate::capability::{Capabilities, Capability};
use crate::constraints::Constraints;
use crate::decision::{Decision, Granted, Grounds, Refusal, Request};
use crate::explain::{RuleView, Source, Void};
use crate::identity::Identity;
use crate::index::Index;
use crate::pattern::Pattern;
use crate::policy::{PathRule, Policy};
use crate::template::Unfit;

/// All policies of a token, compiled for one identity at one instant. Make it once per distinct
/// set and share it; [`Acl::decide`] costs two or three look-ups, however many rules there are.
#[derive(Debug, Default)]
pub struct Acl {
    /// The namespaces in which, and below which, everything is granted.
    roots: Vec<Namespace>,
    /// One for each distinct pattern.
    pub(crate) rules: Vec<Rule>,
    pub(crate) index: Index,
    pub(crate) void: Vec<Void>,
    /// A rule that denies could not be filled in: nothing is granted until that is repaired.
    unfit: bool,
    valid_until: Option<Timestamp>,
}

/// What all policies together say about one pattern.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    pub(crate) capabilities: Capabilities,
    /// Boxed, since most rules have none.
    pub(crate) constraints: Option<Box<Constraints>>,
    pub(crate) sources: Vec<Source>,
}

impl Acl {
    /// Compiles policies, each with the namespace that it lives in and that its paths are relative
    /// to. `now` decides which rules have expired; see [`Acl::valid_until`].
    ///
    /// A rule whose path names a value that the identity lacks is void: it neither grants nor
    /// denies. So is a rule that would be filled with a value holding `/`, `*`, `+`, a comma or a
    /// control character; but if such a rule denies, the whole ACL grants nothing, because what it
    /// was meant to forbid is unknown.
    pub fn compile(
        policies: &[(&Namespace, &Policy)],
        identity: &Identity,
        now: Timestamp,
    ) -> Self {
        let mut acl = Self::default();
        let mut rules: BTreeMap<Pattern, Rule> = BTreeMap::new();
        for &(namespace, policy) in policies {
            if policy.is_root() {
                acl.roots.push(namespace.clone());
            }
            let name: Arc<str> = policy.name().as_str().into();
            let home: Arc<str> = namespace.as_str().into();
            for rule in &policy.rules {
                if !acl.counts(rule, now) {
                    continue;
                }
                let source = Source {
                    policy: Arc::clone(&name),
                    namespace: Arc::clone(&home),
                    line: rule.line,
                    capabilities: rule.capabilities,
                };
                match rule.template.expand(identity, namespace) {
                    Ok(path) => merge(&mut rules, Pattern::new(namespace, &path), rule, source),
                    Err(unfit) => acl.put_aside(rule, source, unfit),
                }
            }
        }
        acl.rules = rules.into_values().collect();
        acl.index = Index::new(acl.rules.iter().map(|rule| &rule.pattern));
        acl
    }

    /// Judges a request.
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        match self.judge(request) {
            Ok((grounds, list_limit)) => {
                Decision::Granted(Granted { grounds, operation: request.operation, list_limit })
            }
            Err(refusal) => Decision::Denied(refusal),
        }
    }

    /// What `sys/capabilities` answers for a path: `["root"]`, `["deny"]`, or the names in
    /// alphabetical order. A trailing slash asks as a listing would.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        let path = path.trim_start_matches('/');
        if self.is_root_of(path) {
            return vec!["root"];
        }
        let rule = self.lookup(path, path.ends_with('/')).map(|rule| &self.rules[rule]);
        match rule {
            Some(rule) if !self.unfit && !rule.capabilities.is_empty() => rule.capabilities.names(),
            _ => Capabilities::DENY.names(),
        }
    }

    /// Something at or below `folder`, which ends in a slash, could be granted: whoever may see a
    /// mount in a list may do something in it.
    pub fn reaches(&self, folder: &str) -> bool {
        let grants = |rule: &Rule| !rule.capabilities.denies() && !rule.capabilities.is_empty();
        self.is_root_of(folder)
            || !self.unfit
                && self.rules.iter().any(|rule| grants(rule) && rule.pattern.reaches(folder))
    }

    /// A policy called root is among these, for the whole of this namespace.
    pub fn is_root(&self, namespace: &Namespace) -> bool {
        self.roots.iter().any(|root| root.contains(namespace))
    }

    /// The last instant at which this ACL is right, if some rule of it expires. After that, compile
    /// again.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }

    /// Every rule, sorted by path, for `sys/internal/ui/resultant-acl`.
    pub fn rules(&self) -> impl Iterator<Item = RuleView> {
        self.rules.iter().map(RuleView::of)
    }

    /// The policies that gave a request its capability, for the audit log. The grant must come from
    /// this ACL. Empty for root.
    pub fn granting<'a>(&'a self, granted: &Granted) -> impl Iterator<Item = &'a Source> + use<'a> {
        let needed = granted.operation.needs();
        let sources = match granted.grounds {
            Grounds::Rule(rule) => self.rules.get(rule).map_or(&[][..], |rule| &rule.sources),
            Grounds::Free | Grounds::Open | Grounds::Root => &[],
        };
        let gave =
            move |source: &&Source| needed.is_some_and(|one| source.capabilities.contains(one));
        sources.iter().filter(gave)
    }

    /// Why a request is granted or refused.
    pub(crate) fn judge(&self, request: &Request<'_>) -> Result<(Grounds, Option<u32>), Refusal> {
        let path = request.path.trim_start_matches('/');
        if self.is_root_of(path) {
            return Ok((Grounds::Root, None));
        }
        let Some(needed) = request.operation.needs() else { return Ok((Grounds::Free, None)) };
        if self.unfit {
            return Err(Refusal::Unfit);
        }
        let number = self.lookup(path, request.operation.is_listing()).ok_or(Refusal::NoRule)?;
        let rule = &self.rules[number];
        if rule.capabilities.denies() {
            return Err(Refusal::Deny);
        }
        if !rule.capabilities.contains(needed) {
            return Err(Refusal::Capability(needed));
        }
        if request.sudo_required && !rule.capabilities.contains(Capability::Sudo) {
            return Err(Refusal::Capability(Capability::Sudo));
        }
        let list_limit = match &rule.constraints {
            Some(constraints) => constraints.check(request)?,
            None => None,
        };
        Ok((Grounds::Rule(number), list_limit))
    }

    /// The number of the one rule that decides about a path.
    pub(crate) fn lookup(&self, path: &str, listing: bool) -> Option<usize> {
        if !listing {
            return self.index.exact(path).or_else(|| self.index.wild(path));
        }
        // A rule that denies `secret/*` must also hold for a listing of `secret/`, so the path is
        // tried as a folder first.
        let (folder, file) = folder_and_file(path);
        self.index
            .exact(&folder)
            .or_else(|| self.index.exact(file))
            .or_else(|| self.index.wild(&folder))
            .or_else(|| self.index.wild(file))
    }

    pub(crate) fn is_root_of(&self, path: &str) -> bool {
        self.roots.iter().any(|root| path.starts_with(root.as_str()))
    }

    /// The rule has not expired. Remembers when it will.
    fn counts(&mut self, rule: &PathRule, now: Timestamp) -> bool {
        if let Some(expiration) = rule.expiration.filter(|_| !rule.has_expired(now)) {
            self.valid_until =
                Some(self.valid_until.map_or(expiration, |until| until.min(expiration)));
        }
        !rule.has_expired(now)
    }

    fn put_aside(&mut self, rule: &PathRule, source: Source, unfit: Unfit) {
        let reason = match unfit {
            Unfit::Missing { directive } => format!("the identity has no {directive}"),
            Unfit::Unsafe { directive } => {
                self.unfit |= rule.capabilities.denies();
                format!("{directive} holds /, *, +, a comma or a control character")
            }
        };
        self.void.push(Void { path: rule.path.clone(), source, reason });
    }
}

/// The path with and without its trailing slash.
pub(crate) fn folder_and_file(path: &str) -> (Cow<'_, str>, &str) {
    match path.strip_suffix('/') {
        Some(file) => (Cow::Borrowed(path), file),
        None if path.is_empty() => (Cow::Borrowed(path), path),
        None => (Cow::Owned(format!("{path}/")), path),
    }
}

fn merge(rules: &mut BTreeMap<Pattern, Rule>, pattern: Pattern, rule: &PathRule, source: Source) {
    let merged = rules.entry(pattern.clone()).or_insert_with(|| Rule {
        pattern,
        capabilities: Capabilities::default(),
        constraints: None,
        sources: Vec::new(),
    });
    merged.sources.push(source);
    merged.capabilities = merged.capabilities.union(rule.capabilities);
    if rule.constraints != Constraints::default() {
        merged.constraints.get_or_insert_default().merge(&rule.constraints);
    }
}
