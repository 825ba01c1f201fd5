//! Which rule decided, and who may.

use base_types::Namespace;
use core_policy::{Identity, Operation, Policy, Request, who_can};

use crate::notation::{NOW, acl, policies};

#[test]
fn an_explanation_names_the_rules_in_order() {
    let acl = acl("s/* read; s/x deny | s/x list; s/+ update | n1: s/x read", &Identity::default());
    let explanation = acl.explain(&Request::new(Operation::Read, "s/x"));
    assert_eq!(
        explanation.to_string(),
        "read s/x: denied: the rule denies everything\n\
         1. path \"s/x\" [deny] in policy p1, line 2 and policy p2, line 1: equals the path; decides\n\
         2. path \"s/+\" [update] in policy p2, line 2: matches the path; would decide next\n\
         3. path \"s/*\" [read] in policy p1, line 1: matches the path; would decide next\n"
    );
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["granted"], false);
    assert_eq!(json["candidates"][0]["path"], "s/x");
    assert_eq!(json["candidates"][0]["capabilities"][0], "deny");
    assert_eq!(json["candidates"][0]["sources"][1]["policy"], "p2");
    assert_eq!(json["candidates"][2]["kind"], "prefix");
}

#[test]
fn a_listing_is_explained_with_both_spellings() {
    let acl = acl("s/x list; s/x/* deny; s/* list", &Identity::default());
    assert_eq!(
        acl.explain(&Request::new(Operation::List, "s/x")).to_string(),
        "list s/x: granted: the rule grants list\n\
         1. path \"s/x\" [list] in policy p1, line 1: equals the path without its trailing slash; decides\n\
         2. path \"s/x/*\" [deny] in policy p1, line 2: matches the path; would decide next\n\
         3. path \"s/*\" [list] in policy p1, line 3: matches the path; would decide next\n"
    );
}

#[test]
fn root_help_and_limits_are_explained() {
    let first_line = |policies: &str, operation| {
        let acl = acl(policies, &Identity::default());
        acl.explain(&Request::new(operation, "s/x")).to_string().lines().next().unwrap().to_owned()
    };
    assert_eq!(
        first_line("root", Operation::Read),
        "read s/x: granted: the policy root grants everything"
    );
    assert_eq!(
        first_line("t read", Operation::Help),
        "help s/x: granted: everybody may ask for help"
    );
    assert_eq!(first_line("t read", Operation::Read), "read s/x: denied: no rule matches the path");
    let limited = r#"path "s/x" { capabilities = ["list"] pagination_limit = 5 }"#;
    assert_eq!(
        first_line(limited, Operation::List),
        "list s/x: granted: the rule grants list, of at most 5 entries"
    );
    let wrapped = r#"path "s/x" { capabilities = ["read"] min_wrapping_ttl = "1m" }"#;
    assert_eq!(
        first_line(wrapped, Operation::Read),
        "read s/x: denied: the response must be wrapped for at least 1m0s"
    );
}

#[test]
fn the_policies_that_granted_are_known_to_audit() {
    let acl = acl("s/x read; s/x list | s/x read | s/x update | s/* read", &Identity::default());
    let granted = acl.decide(&Request::new(Operation::Read, "s/x")).into_result().unwrap();
    let names: Vec<_> = acl.granting(&granted).map(|source| source.policy.to_string()).collect();
    assert_eq!(names, ["p1", "p2"]);
    let refused = acl.decide(&Request::new(Operation::Delete, "s/x")).into_result().unwrap_err();
    assert_eq!(refused.public(), "permission denied");
    assert_eq!(refused.log().to_string(), "permission denied (the rule does not grant delete)");
}

fn holders(text: &str, operation: Operation, path: &str) -> String {
    let owned: Vec<(Namespace, Policy)> = policies(text);
    let pairs: Vec<_> = owned.iter().map(|(namespace, policy)| (namespace, policy)).collect();
    let holders = who_can(operation, path, &pairs, NOW);
    let shown = holders.iter().map(|holder| {
        let rule = holder.rule.as_ref().map_or("-", |rule| rule.path.as_str());
        let maybe = if holder.depends_on_identity { "?" } else { "" };
        format!("{}{}{maybe} {rule}", holder.namespace, holder.policy)
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn who_can_names_policy_and_rule() {
    let text =
        "s/* read | s/x deny; s/* read | s/+ read list | t read | root | n1: s/x read | s/x list";
    assert_eq!(holders(text, Operation::Read, "s/x"), "p1 s/*, p3 s/+, root -");
    assert_eq!(holders(text, Operation::List, "s/x"), "p3 s/+, root -, p7 s/x");
    assert_eq!(holders(text, Operation::Read, "n1/s/x"), "root -, n1/p6 n1/s/x");
    assert_eq!(holders(text, Operation::Delete, "elsewhere"), "root -");
    assert_eq!(holders("t read | root", Operation::Help, "s"), "p1 -, root -");
}

#[test]
fn who_can_knows_that_templates_depend_on_the_identity() {
    let own = r#"path "s/{{identity.entity.id}}/*" { capabilities = ["read", "list"] }"#;
    let part =
        r#"path "s/u-{{identity.entity.id}}-{{identity.entity.name}}" { capabilities = ["read"] }"#;
    let open = r#"path "s/{{identity.entity.id}}x*" { capabilities = ["read"] }"#;
    for (text, path, maybe) in [
        (own, "s/ada/x", true),
        (own, "s/ada/x/y", true),
        (own, "s/ada", false),
        (own, "t/ada/x", false),
        (part, "s/u-1-2", true),
        (part, "s/u-1", false),
        (part, "s/u--", false),
        (part, "s/u-1-2/x", false),
        (open, "s/axb/c", true),
        (open, "s/ab", false),
        (open, "s/x", false),
        (r#"path "s/{{time.now}}" { capabilities = ["read"] }"#, "s/1", false),
        (r#"path "s/{{identity.entity.id}}" { capabilities = ["list"] }"#, "s/1", false),
    ] {
        assert_eq!(!holders(text, Operation::Read, path).is_empty(), maybe, "{text} {path}");
    }
    assert_eq!(holders(own, Operation::Read, "s/ada/x"), "p1? s/{{identity.entity.id}}/*");
    assert_eq!(holders(own, Operation::List, "s/ada"), "p1? s/{{identity.entity.id}}/*");
}
