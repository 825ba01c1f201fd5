//! The compiled ACL against a slow and plain evaluation of the same rules.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use base_types::{Name, Namespace};
use core_policy::{Acl, Identity, Operation, Policy, Request};
use proptest::prelude::*;

use crate::notation::NOW;

type Rules = Vec<(String, Vec<&'static str>)>;

const CAPABILITIES: [&str; 6] = ["create", "read", "update", "delete", "list", "scan"];

fn segment() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "ab", "abc", "ba"]),
        3 => Just("+"),
        1 => prop::sample::select(vec!["+a", "a+", "*a", ""]),
    ]
}

fn rule() -> impl Strategy<Value = (String, Vec<&'static str>)> {
    let end = prop::sample::select(vec!["", "*", "/*", "/"]);
    let capabilities = prop_oneof![
        1 => Just(vec!["deny"]),
        5 => prop::sample::subsequence(CAPABILITIES.to_vec(), 0..5),
    ];
    (prop::collection::vec(segment(), 1..5), end, capabilities)
        .prop_map(|(segments, end, capabilities)| {
            (format!("{}{end}", segments.join("/")), capabilities)
        })
        .prop_filter("refused when parsed", |(path, _)| !path.contains("+*"))
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "ab", "abc", "ba", "+a", "a+", "*a", "c"]);
    (prop::collection::vec(segment, 1..5), any::<bool>()).prop_map(|(segments, folder)| {
        format!("{}{}", segments.join("/"), if folder { "/" } else { "" })
    })
}

/// `None` for no rule, else the capabilities of the deciding one.
fn evaluate(policies: &[Rules], path: &str, listing: bool) -> Option<Vec<&'static str>> {
    let mut merged: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for (pattern, capabilities) in policies.iter().flatten() {
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        merged.entry(pattern).or_default().extend(capabilities);
    }
    let file = path.strip_suffix('/').unwrap_or(path);
    let tries =
        if listing { vec![format!("{file}/"), file.to_owned()] } else { vec![path.to_owned()] };
    let is_wild = |pattern: &str| {
        pattern.ends_with('*')
            || pattern == "+"
            || pattern.starts_with("+/")
            || pattern.contains("/+")
    };
    for path in &tries {
        let exact = merged.iter().find(|(pattern, _)| !is_wild(pattern) && *pattern == path);
        if let Some((_, capabilities)) = exact {
            return Some(capabilities.clone());
        }
    }
    for path in &tries {
        let matching =
            merged.iter().filter(|(pattern, _)| is_wild(pattern) && matches(pattern, path));
        if let Some((_, capabilities)) = matching.max_by_key(|(pattern, _)| specificity(pattern)) {
            return Some(capabilities.clone());
        }
    }
    None
}

fn specificity(pattern: &str) -> (usize, bool, Reverse<usize>, usize, String) {
    let bare = pattern.trim_end_matches('*');
    let is_segmented = bare == "+" || bare.starts_with("+/") || bare.contains("/+");
    let first = if is_segmented { bare.find('+').unwrap() } else { bare.len() };
    let pluses =
        if is_segmented { bare.split('/').filter(|segment| *segment == "+").count() } else { 0 };
    (first, !pattern.ends_with('*'), Reverse(pluses), bare.len(), bare.to_owned())
}

/// Letter by letter, with backtracking.
fn matches(pattern: &str, path: &str) -> bool {
    fn go(pattern: &[u8], path: &[u8], at_start: bool) -> bool {
        match pattern {
            [] => path.is_empty(),
            [b'*'] => true,
            [b'+', rest @ ..] if at_start && matches!(rest, [] | [b'/', ..]) => {
                let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
                go(rest, &path[end..], false)
            }
            [byte, rest @ ..] => path.first() == Some(byte) && go(rest, &path[1..], *byte == b'/'),
        }
    }
    go(pattern.as_bytes(), path.as_bytes(), true)
}

fn compile(policies: &[Rules]) -> Acl {
    let parsed: Vec<Policy> = policies
        .iter()
        .map(|rules| {
            let text: String = rules
                .iter()
                .map(|(path, capabilities)| {
                    format!("path {path:?} {{ capabilities = {capabilities:?} }}\n")
                })
                .collect();
            Policy::parse(&Name::parse("p").unwrap(), &format!("# rules\n{text}")).unwrap()
        })
        .collect();
    let root = Namespace::root();
    let pairs: Vec<_> = parsed.iter().map(|policy| (&root, policy)).collect();
    Acl::compile(&pairs, &Identity::default(), NOW)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_plain_search_finds(
        policies in prop::collection::vec(prop::collection::vec(rule(), 0..12), 1..4),
        paths in prop::collection::vec(path(), 8),
    ) {
        let acl = compile(&policies);
        for path in &paths {
            for operation in [Operation::Read, Operation::Update, Operation::List, Operation::Scan] {
                let request = Request::new(operation, path);
                let listing = matches!(operation, Operation::List | Operation::Scan);
                let deciding = evaluate(&policies, path, listing);
                let expected = deciding.as_ref().is_some_and(|capabilities| {
                    !capabilities.contains(&"deny") && capabilities.contains(&operation.name())
                });
                prop_assert_eq!(acl.decide(&request).is_granted(), expected, "{} {}", operation, path);

                let explained = acl.explain(&request);
                prop_assert_eq!(explained.granted, expected);
                let first = explained.candidates.first().map(|one| one.rule.capabilities.names());
                let named = deciding.map(|mut capabilities| {
                    capabilities.sort_unstable();
                    capabilities.dedup();
                    if capabilities.contains(&"deny") { vec!["deny"] } else { capabilities }
                });
                prop_assert_eq!(first, named, "{} {}", operation, path);
            }
        }
    }

    #[test]
    fn no_rules_undo_a_deny_for_exactly_this_path(
        rules in prop::collection::vec(rule(), 0..12),
        // A segment such as "+a" stands for itself but makes the rule one with wildcards.
        path in path().prop_filter("a plain path", |path| !path.contains('+')),
    ) {
        let deny: Rules = vec![(path.clone(), vec!["deny"])];
        let acl = compile(&[rules, deny]);
        prop_assert!(!acl.decide(&Request::new(Operation::Read, &path)).is_granted());
    }

    #[test]
    fn no_text_panics(text in any::<String>(), path in any::<String>()) {
        let name = Name::parse("p").unwrap();
        let quoted = format!("path {path:?} {{ capabilities = [{text:?}] }}");
        for text in [&text, &quoted] {
            if let Ok(policy) = Policy::parse(&name, text) {
                let acl = Acl::compile(&[(&Namespace::root(), &policy)], &Identity::default(), NOW);
                acl.capabilities(&path);
                acl.explain(&Request::new(Operation::List, &path)).to_string();
            }
        }
    }
}
