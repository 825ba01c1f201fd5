use std::collections::BTreeSet;

use base_types::{Error, Name, Result};
use core_identity::{Token, TokenRole};

/// The policies of a new token, sorted, each once; `default` is among them if it is to be.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Chosen(pub(super) Vec<String>);

/// What a request says about policies.
pub(super) struct Asked<'a> {
    /// `None` and an empty list mean: those of the parent.
    pub(super) policies: Option<&'a [String]>,
    pub(super) no_default_policy: bool,
    pub(super) sudo: bool,
    /// The parent lives in another namespace, where its policies mean something else.
    pub(super) from_elsewhere: bool,
}

impl Chosen {
    /// # Errors
    /// `Invalid` if the parent or the role does not allow them.
    pub(super) fn of(asked: &Asked<'_>, parent: &Token, role: Option<&TokenRole>) -> Result<Self> {
        let named = asked.policies.filter(|named| !named.is_empty());
        let requested = named.map(canonical).transpose()?;
        let policies = match role.filter(|role| has_own_rules(role)) {
            Some(role) => by_role(asked, requested, parent, role)?,
            None => by_parent(asked, requested, parent, role)?,
        };
        if !policies.contains("root") {
            return Ok(Self(policies.into_iter().collect()));
        }
        if asked.from_elsewhere {
            return Err(Error::invalid("root tokens may not be created from a parent namespace"));
        }
        if !parent.is_root() {
            return Err(Error::invalid(
                "root tokens may not be created without parent token being root",
            ));
        }
        Ok(Self(vec!["root".to_owned()]))
    }
}

/// The role decides about policies; those of the parent do not matter.
fn has_own_rules(role: &TokenRole) -> bool {
    let lists = [
        &role.allowed_policies,
        &role.allowed_policies_glob,
        &role.disallowed_policies,
        &role.disallowed_policies_glob,
    ];
    lists.iter().any(|list| !list.is_empty())
}

fn by_role(
    asked: &Asked<'_>,
    requested: Option<BTreeSet<String>>,
    parent: &Token,
    role: &TokenRole,
) -> Result<BTreeSet<String>> {
    let disallows = |policy: &str| {
        role.disallowed_policies.iter().any(|name| name == policy)
            || fits_any(&role.disallowed_policies_glob, policy)
    };
    let add_default =
        !asked.no_default_policy && !role.token_no_default_policy && !disallows("default");
    let with_default = |mut policies: BTreeSet<String>| {
        if add_default && !policies.contains("root") {
            policies.insert("default".to_owned());
        }
        policies
    };
    let bounded = !role.allowed_policies.is_empty() || !role.allowed_policies_glob.is_empty();
    let policies = match requested {
        Some(requested) => with_default(requested),
        None if bounded => with_default(canonical(&role.allowed_policies)?),
        None if asked.from_elsewhere => with_default(BTreeSet::new()),
        None => with_default(canonical(&parent.policies)?),
    };
    if bounded {
        let allowed = with_default(canonical(&role.allowed_policies)?);
        let fits = |policy: &String| {
            allowed.contains(policy) || fits_any(&role.allowed_policies_glob, policy)
        };
        if !policies.iter().filter(|policy| !add_default || *policy != "default").all(fits) {
            return Err(Error::invalid(format!(
                "token policies ({}) must be subset of the role's allowed policies ({}) or glob policies ({})",
                quoted(&policies),
                quoted(&allowed),
                quoted(&role.allowed_policies_glob)
            )));
        }
    }
    match policies.iter().find(|policy| disallows(policy)) {
        Some(policy) => {
            Err(Error::invalid(format!("token policy {policy:?} is disallowed by this role")))
        }
        None => Ok(policies),
    }
}

fn by_parent(
    asked: &Asked<'_>,
    requested: Option<BTreeSet<String>>,
    parent: &Token,
    role: Option<&TokenRole>,
) -> Result<BTreeSet<String>> {
    let no_default =
        asked.no_default_policy || role.is_some_and(|role| role.token_no_default_policy);
    let own = canonical(&parent.policies)?;
    let inherits = requested.is_none() && !asked.from_elsewhere;
    let mut policies = match requested {
        Some(requested) => requested,
        None if asked.from_elsewhere => BTreeSet::new(),
        None => own.clone(),
    };
    if inherits {
        if no_default {
            policies.remove("default");
        }
        return Ok(policies);
    }
    if !asked.sudo && !policies.is_subset(&own) {
        return Err(Error::invalid("child policies must be subset of parent"));
    }
    if !no_default && (asked.sudo || own.contains("default")) {
        policies.insert("default".to_owned());
    }
    Ok(policies)
}

/// In lower case, without space around them, each once.
pub(super) fn canonical(names: &[String]) -> Result<BTreeSet<String>> {
    let names = names.iter().filter(|name| !name.trim().is_empty());
    names.map(|name| Ok(Name::parse(name)?.to_string())).collect()
}

/// As Go prints a list of strings: `["a" "b"]`.
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("{name:?}")).collect();
    format!("[{}]", names.join(" "))
}

pub(super) fn fits_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern, text))
}

/// `*` stands for any text, wherever it is.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expect) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "ab", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*c", "abc", true),
            ("a*c*", "abcb", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(pattern, text), expect, "{pattern} on {text}");
        }
    }
}
