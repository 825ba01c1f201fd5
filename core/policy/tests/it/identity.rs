//! Rules that are filled in with the identity of whoever asks.

use base_types::Namespace;
use core_policy::{Entity, Group, Identity};

use crate::notation::{acl, outcome};

fn named(name: &str) -> Identity {
    let entity = Entity { id: "e1".into(), name: name.into(), ..Entity::default() };
    Identity { entity: Some(entity), groups: Vec::new() }
}

fn check(policies: &str, identity: &Identity, request: &str, expected: &str) {
    assert_eq!(outcome(&acl(policies, identity), request), expected, "{policies} {request}");
}

const OWN: &str = r#"path "s/{{identity.entity.name}}/*" { capabilities = ["read"] }"#;

#[test]
fn a_rule_is_filled_in() {
    check(OWN, &named("ada"), "read s/ada/x", "ok");
    check(OWN, &named("ada"), "read s/bob/x", "none");
    check(OWN, &named("ada"), "read s/{{identity.entity.name}}/x", "none");
    check(OWN, &Identity::default(), "read s//x", "none");
    check(OWN, &Identity::default(), "read s/{{identity.entity.name}}/x", "none");
}

/// Values with wildcards or slashes have widened such rules in other servers.
#[test]
fn no_name_reaches_beyond_its_folder() {
    let rules = [
        OWN,
        r#"path "s/{{identity.entity.name}}" { capabilities = ["read"] }"#,
        r#"path "s/{{identity.entity.name}}*" { capabilities = ["read"] }"#,
        r#"path "{{identity.entity.name}}" { capabilities = ["read"] }"#,
    ];
    for rule in rules {
        for name in ["*", "+", "+/+", "a*", "*a", "a/+", "../x", "/", "", "a,b", "a\n", "\u{0}"] {
            for path in ["s/bob/x", "s/bob", "s/", "x", "s/a/x", "s/*/x", "s/+/x", "+", "*"] {
                check(rule, &named(name), &format!("read {path}"), "none");
            }
        }
    }
}

#[test]
fn a_rule_that_denies_is_never_lost() {
    let rules = r#"path "s/{{identity.entity.name}}/*" { capabilities = ["deny"] } path "s/*" { capabilities = ["read"] }"#;
    check(rules, &named("ada"), "read s/ada/x", "deny");
    check(rules, &named("ada"), "read s/bob/x", "ok");
    check(rules, &named("a/b"), "read s/a/b/x", "unfit");
    check(rules, &named("*"), "read s/bob/x", "unfit");
    check(rules, &named("*"), "help s/bob/x", "ok");
    assert_eq!(acl(rules, &named("*")).capabilities("s/bob/x"), ["deny"]);
    assert!(!acl(rules, &named("*")).reaches("s/"));
    // Somebody without a name has no folder that could be forbidden.
    check(rules, &Identity::default(), "read s/bob/x", "ok");
}

#[test]
fn groups_by_name_are_those_of_the_policys_namespace() {
    let group = |id: &str, namespace: &str| Group {
        id: id.into(),
        name: "dev".into(),
        namespace: Namespace::parse(namespace).unwrap(),
        ..Group::default()
    };
    let identity = Identity { entity: None, groups: vec![group("g1", "n1"), group("g0", "")] };
    let policy = r#"path "s/{{identity.groups.names.dev.id}}" { capabilities = ["read"] }"#;
    check(policy, &identity, "read s/g0", "ok");
    check(policy, &identity, "read s/g1", "none");
    let policy = r#"path "s/{{identity.groups.ids.g1.name}}" { capabilities = ["read"] }"#;
    check(policy, &identity, "read s/dev", "ok");
}

#[test]
fn void_rules_are_explained() {
    let acl = acl(OWN, &named("a*"));
    let request = core_policy::Request::new(core_policy::Operation::Read, "s/a/x");
    assert_eq!(
        acl.explain(&request).to_string(),
        "read s/a/x: denied: no rule matches the path\n\
         void: path \"s/{{identity.entity.name}}/*\" in policy p1, line 1: identity.entity.name holds /, *, +, a comma \
         or a control character\n"
    );
}
