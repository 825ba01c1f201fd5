//! A shorthand in which a case fits on one line.
//!
//! Policies: `s/* read list; s/x deny | ns1: s/y read` is two policies, `p1` with two rules and
//! `p2` in the namespace `ns1` with one. A policy that holds a brace is taken as HCL.
//!
//! Request: `update s/x {"a": 1} wrap=60 sudo`, of which only the first two words must be there.
//!
//! Outcome: `ok`, `root`, `limit 5`, or why not: `none`, `deny`, `lacks read`, `wrap`, `param a`,
//! `missing a`, `limit`, `unreadable`, `unfit`.

use base_types::{Name, Namespace, Timestamp, Ttl};
use core_policy::{Acl, Decision, Identity, Operation, Parameters, Policy, Refusal, Request};

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

pub(crate) fn policies(text: &str) -> Vec<(Namespace, Policy)> {
    let policy = |(number, text): (usize, &str)| {
        let (namespace, text) = match text.split_once(": ") {
            Some((namespace, text)) if !text.contains('{') => (namespace.trim(), text),
            _ => ("", text),
        };
        let namespace = Namespace::parse(namespace).unwrap();
        if text.trim() == "root" {
            return (namespace, Policy::root());
        }
        let hcl = if text.contains('{') { text.to_owned() } else { hcl(text) };
        let name = Name::parse(&format!("p{}", number + 1)).unwrap();
        (namespace, Policy::parse(&name, &hcl).unwrap_or_else(|error| panic!("{hcl}: {error:?}")))
    };
    text.split(" | ").enumerate().map(policy).collect()
}

fn hcl(rules: &str) -> String {
    let rule = |rule: &str| {
        let mut words = rule.split_whitespace();
        let path = words.next().unwrap_or_default();
        let capabilities: Vec<_> = words.map(|word| format!("{word:?}")).collect();
        format!("path {path:?} {{ capabilities = [{}] }}\n", capabilities.join(", "))
    };
    rules.split(';').map(rule).collect()
}

pub(crate) fn acl(text: &str, identity: &Identity) -> Acl {
    let policies = policies(text);
    let borrowed: Vec<_> = policies.iter().map(|(namespace, policy)| (namespace, policy)).collect();
    Acl::compile(&borrowed, identity, NOW)
}

pub(crate) fn outcome(acl: &Acl, request: &str) -> String {
    let (words, body) = match (request.find('{'), request.rfind('}')) {
        (Some(from), Some(to)) => {
            (format!("{}{}", &request[..from], &request[to + 1..]), request[from..=to].to_owned())
        }
        _ => (request.to_owned(), String::new()),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let parameters = || Parameters::from_json(body.as_bytes());
    let wrap = words.iter().find_map(|word| word.strip_prefix("wrap="));
    let request = Request {
        operation: Operation::parse(words[0]).unwrap(),
        path: words.get(1).copied().unwrap_or_default(),
        parameters: &parameters,
        wrap_ttl: wrap.map(|seconds| Ttl::from_seconds(seconds.parse().unwrap())),
        sudo_required: words.contains(&"sudo"),
    };
    match acl.decide(&request) {
        Decision::Granted(granted) if granted.is_root() => "root".to_owned(),
        Decision::Granted(granted) => match granted.list_limit() {
            Some(limit) => format!("limit {limit}"),
            None => "ok".to_owned(),
        },
        Decision::Denied(refusal) => match refusal {
            Refusal::Capability(capability) => format!("lacks {}", capability.name()),
            Refusal::Deny => "deny".to_owned(),
            Refusal::Limit { .. } => "limit".to_owned(),
            Refusal::NoRule => "none".to_owned(),
            Refusal::ParameterDenied(key) => format!("param {key}"),
            Refusal::ParameterMissing(key) => format!("missing {key}"),
            Refusal::Unfit => "unfit".to_owned(),
            Refusal::Unreadable => "unreadable".to_owned(),
            Refusal::Wrapping { .. } => "wrap".to_owned(),
        },
    }
}

/// Each row is policies, request, outcome.
pub(crate) fn check(rows: &[(&str, &str, &str)]) {
    let wrong: Vec<_> = rows
        .iter()
        .map(|(policies, request, expected)| {
            let found = outcome(&acl(policies, &Identity::default()), request);
            (policies, request, expected, found)
        })
        .filter(|(_, _, expected, found)| *expected != found)
        .collect();
    assert!(wrong.is_empty(), "policies, request, expected, found: {wrong:#?}");
}
