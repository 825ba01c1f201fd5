//! The text of policies: what is accepted, what is refused with which words, what is warned of.

use base_types::{Name, Namespace, Timestamp};
use core_policy::{
    Acl, DEFAULT_TEXT, Identity, Operation, Policy, RESPONSE_WRAPPING_TEXT, Request, check_delete,
    check_write,
};

use crate::notation::NOW;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn parse(text: &str) -> base_types::Result<Policy> {
    Policy::parse(&name("dev"), text)
}

fn refuse(text: &str, message: &str) {
    match parse(text) {
        Ok(_) => panic!("accepted {text}"),
        Err(error) => assert_eq!(error.public(), message, "{text}"),
    }
}

fn rule(inner: &str) -> String {
    format!("path \"s\" {{\n  capabilities = [\"read\"]\n  {inner}\n}}")
}

#[test]
fn hcl_and_json_say_the_same() {
    for text in [
        "path \"s/*\" { capabilities = [\"read\"] }",
        "name = \"x\"\npath \"s/*\" {\n  comment = \"why\"\n  capabilities = [\"read\",]\n}",
        r#"{"path": {"s/*": {"capabilities": ["read"]}}}"#,
        r#"{"path": [{"s/*": {"capabilities": ["read"], "allowed_parameters": null}}]}"#,
    ] {
        let policy = parse(text).unwrap();
        let acl = Acl::compile(&[(&Namespace::root(), &policy)], &Identity::default(), NOW);
        assert_eq!(acl.capabilities("s/x"), ["read"], "{text}");
        assert!(policy.warnings().is_empty() && !policy.is_templated());
    }
    for text in ["# nothing", "name = \"x\"", r#"{"path": {}}"#, "{}"] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn refusals_name_line_and_remedy() {
    refuse("", "'policy' parameter not supplied or empty");
    refuse(" \n", "'policy' parameter not supplied or empty");
    refuse(
        "path \"s\" {",
        "failed to parse policy: line 1, column 10: the block never ends: add }",
    );
    refuse(
        "path \"s\" {\n  capabilities = [\"raed\"]\n}",
        "failed to parse policy: line 2, column 19: invalid capability \"raed\"; did you mean \"read\"?",
    );
    refuse(
        "path \"s\" { capabilities = [\"READ\"] }",
        "failed to parse policy: line 1, column 28: invalid capability \"READ\"; did you mean \"read\"?",
    );
    refuse(
        "path \"s\" { capabilities = [\"root\"] }",
        "failed to parse policy: line 1, column 28: invalid capability \"root\"; known are create, delete, deny, list, \
         patch, read, recover, scan, sudo, update",
    );
    refuse(
        "path \"s\" { capabilities = [\"deny\", \"everything\"] }",
        "failed to parse policy: line 1, column 36: invalid capability \"everything\"; known are create, delete, deny, \
         list, patch, read, recover, scan, sudo, update",
    );
    refuse(
        "path \"s\" {\n  capabilites = [\"read\"]\n}",
        "failed to parse policy: unknown key \"capabilites\" at line 2, column 3; did you mean \"capabilities\"?",
    );
    refuse(
        "pth \"s\" { }",
        "failed to parse policy: unknown key \"pth\" at line 1, column 1; did you mean \"path\"?",
    );
    refuse(
        "path \"s\" { capabilities = \"read\" }",
        "failed to parse policy: line 1, column 27: \"capabilities\" must be a list of strings, not a string",
    );
    refuse(
        "path \"s\" { capabilities = [1] }",
        "failed to parse policy: line 1, column 28: \"capabilities\" must hold strings, not a number",
    );
    refuse(
        "path \"s\" { policy = \"reed\" }",
        "failed to parse policy: line 1, column 21: invalid policy: use capabilities, or read, write, sudo or deny",
    );
    refuse(
        "path \"s/+*\" { capabilities = [\"read\"] }",
        "failed to parse policy: line 1, column 6: path \"s/+*\": invalid use of wildcards ('+*' is forbidden)",
    );
    refuse(
        "path \"s/{{x\" { capabilities = [\"read\"] }",
        "failed to parse policy: line 1, column 6: path \"s/{{x\": unbalanced templating characters: each {{ needs its }}",
    );
    refuse(
        &rule("min_wrapping_ttl = \"5m\" max_wrapping_ttl = \"1m\""),
        "failed to parse policy: line 3, column 27: max_wrapping_ttl cannot be less than min_wrapping_ttl",
    );
    refuse(
        &rule("min_wrapping_ttl = \"500ms\""),
        "failed to parse policy: line 3, column 3: \"min_wrapping_ttl\" must be at least one second",
    );
    refuse(
        &rule("allowed_parameters = { a = \"x\" }"),
        "failed to parse policy: line 3, column 30: \"a\" must be a list of values, not a string",
    );
    refuse(
        &rule("allowed_parameters = { a = [], A = [] }"),
        "failed to parse policy: line 3, column 34: \"A\" is set for the second time",
    );
    refuse(
        &rule("control_group = { factor \"x\" { } }"),
        "failed to parse policy: line 3, column 3: control_group is not supported: remove it, or the rule",
    );
    refuse(
        &rule("mfa_methods = [\"totp\"]"),
        "failed to parse policy: line 3, column 3: mfa_methods is not supported: remove it, or the rule",
    );
    refuse(
        &rule("capabilities = [\"list\"]"),
        "failed to parse policy: line 3, column 3: \"capabilities\" is set for the second time; the first is at line 2, column 3",
    );
    refuse(
        &rule("pagination_limit = -1"),
        "failed to parse policy: line 3, column 22: \"pagination_limit\" must be a whole number from 0 to 4294967295, not -1",
    );
    refuse(
        &rule("expiration = \"tomorrow\""),
        "failed to parse policy: line 3, column 3: \"expiration\": not an RFC 3339 time, for example 2026-01-31T12:00:00Z",
    );
    assert!(parse("path \"a\" \"b\" { capabilities = [\"read\"] }").is_err());
    assert!(parse("path { capabilities = [\"read\"] }").is_err());
}

#[test]
fn warnings_name_what_has_no_effect() {
    let text = "path \"a\" { capabilities = [\"read\", \"subscribe\"] subscribe_event_types = [\"*\"] }\n\
                path \"a*b\" { capabilities = [\"read\"] }\n\
                path \"a/+b\" { capabilities = [\"read\"] }\n\
                path \"a/{{time.now}}\" { capabilities = [\"read\"] }\n\
                path \"b\" { }\n\
                path \"c\" { capabilities = [\"read\"] allowed_parameters = { \"*\" = [\"x\"] } }";
    assert_eq!(
        parse(text).unwrap().warnings(),
        [
            "line 1: subscribe_event_types has no effect: events are not supported",
            "line 1: the capability subscribe has no effect: events are not supported",
            "line 2: a * that is not at the end of the path stands for itself",
            "line 3: a + that is not a whole segment stands for itself",
            "line 4: {{time.now}} is not known, so this rule never applies",
            "line 5: this rule has no capabilities: it grants nothing and hides less specific rules",
            "line 6: the values of \"*\" have no effect: all values of other parameters are allowed",
        ]
    );
}

#[test]
fn expired_rules_do_not_count() {
    let at = |seconds| Timestamp::from_seconds(seconds);
    for expiration in ["\"2023-11-14T22:13:20Z\"", "1700000000", "\"1700000000\""] {
        let text = format!(
            "path \"s\" {{ capabilities = [\"read\"] expiration = {expiration} }}\n\
             path \"s\" {{ capabilities = [\"list\"] }}\n\
             path \"t\" {{ capabilities = [\"read\"] expiration = \"2030-01-01T00:00:00Z\" }}"
        );
        let policy = parse(&text).unwrap();
        let compile =
            |now| Acl::compile(&[(&Namespace::root(), &policy)], &Identity::default(), now);
        assert_eq!(compile(at(1_700_000_000)).capabilities("s"), ["list", "read"]);
        assert_eq!(compile(at(1_700_000_000)).valid_until(), Some(at(1_700_000_000)));
        assert_eq!(compile(at(1_700_000_001)).capabilities("s"), ["list"]);
        assert_eq!(compile(at(1_700_000_001)).valid_until(), Some(at(1_893_456_000)));
        assert_eq!(compile(at(1_900_000_000)).valid_until(), None);
    }
}

#[test]
fn reserved_names() {
    let message =
        |outcome: base_types::Result<()>| outcome.err().map(|error| error.public().to_owned());
    for spelling in ["root", "ROOT", " Root "] {
        assert_eq!(message(check_write(&name(spelling))).unwrap(), "cannot update \"root\" policy");
        assert_eq!(
            message(check_delete(&name(spelling))).unwrap(),
            "cannot delete \"root\" policy"
        );
        assert!(
            Policy::parse(&name(spelling), "path \"s\" { capabilities = [\"read\"] }").is_err()
        );
    }
    assert_eq!(message(check_delete(&name("Default"))).unwrap(), "cannot delete default policy");
    assert_eq!(
        message(check_write(&name("response-wrapping"))).unwrap(),
        "cannot update \"response-wrapping\" policy"
    );
    assert!(check_write(&name("default")).is_ok());
    assert!(check_write(&name("dev")).is_ok() && check_delete(&name("dev")).is_ok());
}

#[test]
fn built_in_policies_grant_what_vaults_do() {
    let default = Policy::parse(&name("default"), DEFAULT_TEXT).unwrap();
    let wrapping = Policy::parse(&name("response-wrapping"), RESPONSE_WRAPPING_TEXT).unwrap();
    assert!(default.warnings().is_empty() && default.is_templated());
    assert!(wrapping.warnings().is_empty() && !wrapping.is_templated());

    let entity = core_policy::Entity { id: "e1".into(), name: "ada".into(), ..Default::default() };
    let identity = Identity { entity: Some(entity), groups: Vec::new() };
    let acl = Acl::compile(&[(&Namespace::root(), &default)], &identity, NOW);
    for (path, capabilities) in [
        ("auth/token/lookup-self", "read"),
        ("auth/token/renew-self", "update"),
        ("auth/token/revoke-self", "update"),
        ("sys/capabilities-self", "update"),
        ("sys/internal/ui/resultant-acl", "read"),
        ("identity/entity/id/e1", "read"),
        ("identity/entity/id/e2", "deny"),
        ("identity/entity/name/ada", "read"),
        ("sys/leases/renew", "update"),
        ("sys/leases/lookup", "update"),
        ("sys/leases/revoke", "deny"),
        ("cubbyhole/x", "create delete list read update"),
        ("sys/wrapping/wrap", "update"),
        ("sys/wrapping/lookup", "update"),
        ("sys/wrapping/unwrap", "update"),
        ("sys/tools/hash", "update"),
        ("sys/tools/hash/sha2-256", "update"),
        ("sys/tools/random", "deny"),
        ("identity/oidc/provider/x/authorize", "read update"),
        ("auth/token/create", "deny"),
        ("sys/mounts", "deny"),
        ("secret/x", "deny"),
    ] {
        assert_eq!(acl.capabilities(path).join(" "), capabilities, "{path}");
    }
    let acl = Acl::compile(&[(&Namespace::root(), &wrapping)], &Identity::default(), NOW);
    assert!(acl.decide(&Request::new(Operation::Read, "cubbyhole/response")).is_granted());
    assert!(acl.decide(&Request::new(Operation::Update, "sys/wrapping/unwrap")).is_granted());
    assert!(!acl.decide(&Request::new(Operation::Read, "cubbyhole/other")).is_granted());
}
