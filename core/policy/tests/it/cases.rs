//! Documented behaviour of Vault's policies, one case a line.
//!
//! <https://developer.hashicorp.com/vault/docs/concepts/policies>,
//! <https://openbao.org/docs/concepts/policies/>

use core_policy::Identity;

use crate::notation::{acl, check};

#[test]
fn each_operation_needs_its_capability() {
    check(&[
        ("s/x create", "create s/x", "ok"),
        ("s/x read", "read s/x", "ok"),
        ("s/x update", "update s/x", "ok"),
        ("s/x delete", "delete s/x", "ok"),
        ("s/x list", "list s/x", "ok"),
        ("s/x patch", "patch s/x", "ok"),
        ("s/x scan", "scan s/x", "ok"),
        ("s/x recover", "recover s/x", "ok"),
        ("s/x update", "renew s/x", "ok"),
        ("s/x update", "revoke s/x", "ok"),
        ("s/x update", "rollback s/x", "ok"),
        ("s/x read", "create s/x", "lacks create"),
        ("s/x create", "read s/x", "lacks read"),
        ("s/x create", "update s/x", "lacks update"),
        ("s/x read update", "delete s/x", "lacks delete"),
        ("s/x read", "list s/x", "lacks list"),
        ("s/x update", "patch s/x", "lacks patch"),
        ("s/x list", "scan s/x", "lacks scan"),
        ("s/x create update", "recover s/x", "lacks recover"),
        ("s/x read", "renew s/x", "lacks update"),
        ("s/x sudo", "read s/x", "lacks read"),
        ("s/x", "read s/x", "lacks read"),
        ("s/x read", "read s/y", "none"),
        ("s/x deny", "help s/x", "ok"),
        ("s/x read", "help elsewhere", "ok"),
    ]);
}

#[test]
fn sudo_is_needed_on_top() {
    check(&[
        ("sys/audit read", "read sys/audit sudo", "lacks sudo"),
        ("sys/audit read sudo", "read sys/audit sudo", "ok"),
        ("sys/audit sudo", "read sys/audit sudo", "lacks read"),
        ("sys/* read sudo; sys/audit read", "read sys/audit sudo", "lacks sudo"),
        ("sys/audit read | sys/audit sudo", "read sys/audit sudo", "ok"),
        ("sys/audit read sudo | sys/audit deny", "read sys/audit sudo", "deny"),
        ("root", "read sys/audit sudo", "root"),
    ]);
}

#[test]
fn paths_are_compared_letter_by_letter() {
    check(&[
        ("s/x read", "read s/x", "ok"),
        ("/s/x read", "read s/x", "ok"),
        ("s/x read", "read /s/x", "ok"),
        ("//s/x read", "read s/x", "none"),
        ("s/x read", "read s/X", "none"),
        ("s/x read", "read s/x/", "none"),
        ("s/x/ read", "read s/x", "none"),
        ("s/x read", "read s/x/y", "none"),
        ("s/x read", "read s", "none"),
        ("s/ä read", "read s/ä", "ok"),
        ("s/a.b read", "read s/a.b", "ok"),
        ("s/a.b read", "read s/aXb", "none"),
        ("s/[ab] read", "read s/a", "none"),
        ("s/a? read", "read s/ab", "none"),
    ]);
}

#[test]
fn a_star_at_the_end_is_a_prefix() {
    check(&[
        ("s/* read", "read s/x", "ok"),
        ("s/* read", "read s/x/y/z", "ok"),
        ("s/* read", "read s/", "ok"),
        ("s/* read", "read s", "none"),
        ("s* read", "read s", "ok"),
        ("s* read", "read sx/y", "ok"),
        ("s/a* read", "read s/abc", "ok"),
        ("s/a* read", "read s/b", "none"),
        ("* read", "read anything/at/all", "ok"),
        ("* read", "read x", "ok"),
        ("s/*/x read", "read s/a/x", "none"),
        ("s/*/x read", "read s/*/x", "ok"),
        ("s/*x read", "read s/ax", "none"),
        ("s/** read", "read s/*a", "ok"),
        ("s/** read", "read s/a", "none"),
    ]);
}

#[test]
fn a_plus_is_one_segment() {
    check(&[
        ("s/+/x read", "read s/a/x", "ok"),
        ("s/+/x read", "read s/a/b/x", "none"),
        ("s/+/x read", "read s/x", "none"),
        ("s/+/x read", "read s/a/y", "none"),
        ("s/+ read", "read s/a", "ok"),
        ("s/+ read", "read s/a/b", "none"),
        ("s/+ read", "read s/", "ok"),
        ("+/x read", "read s/x", "ok"),
        ("+ read", "read s", "ok"),
        ("+ read", "read s/x", "none"),
        ("s/+/+/x read", "read s/a/b/x", "ok"),
        ("s/+/x* read", "read s/a/xyz/1", "ok"),
        ("s/+/x* read", "read s/a/y", "none"),
        ("s/+/* read", "read s/a/b/c", "ok"),
        ("s/+/* read", "read s/a/", "ok"),
        ("s/+/* read", "read s/a", "none"),
        ("s/a+/x read", "read s/ab/x", "none"),
        ("s/a+/x read", "read s/a+/x", "ok"),
        ("s/+a/x read", "read s/ba/x", "none"),
        ("s/+a/x read", "read s/+a/x", "ok"),
    ]);
}

#[test]
fn the_most_specific_rule_decides_alone() {
    check(&[
        // An exact path beats everything, whatever it grants.
        ("s/* read; s/x deny", "read s/x", "deny"),
        ("s/* deny; s/x read", "read s/x", "ok"),
        ("s/* read; s/x list", "read s/x", "lacks read"),
        ("s/* read; s/x", "read s/x", "lacks read"),
        ("s/+ deny; s/x read", "read s/x", "ok"),
        ("+/x deny; s/+ deny; s/x read", "read s/x", "ok"),
        // The longer prefix.
        ("s/* deny; s/a* read", "read s/ab", "ok"),
        ("s/* read; s/a* deny", "read s/ab", "deny"),
        ("s/* read; s/a* deny", "read s/b", "ok"),
        ("* read; s/* deny", "read s/x", "deny"),
        ("s/a/* deny; s/* read", "read s/a", "ok"),
        ("s/ab* deny; s/abd* read; s/* read", "read s/abc", "deny"),
        ("s/ab* deny; s/abd* read; s/* read", "read s/aa", "ok"),
        // 1. The later first wildcard.
        ("s/+ deny; s/a* read", "read s/ab", "ok"),
        ("s/a* deny; s/+ read", "read s/ab", "deny"),
        ("s/+/b/x deny; s/a/+/x read", "read s/a/b/x", "ok"),
        ("s/a/+/x deny; s/+/b/x read", "read s/a/b/x", "deny"),
        ("s/+/b* deny; s/a/* read", "read s/a/b", "ok"),
        ("+/a/b deny; s/* read", "read s/a/b", "ok"),
        ("*  deny; +/a read", "read s/a", "ok"),
        // 2. The one without a star.
        ("s/* deny; s/+ read", "read s/a", "ok"),
        ("s/+ deny; s/* read", "read s/a", "deny"),
        ("s/+/ba* deny; s/+/bar read", "read s/a/bar", "ok"),
        ("s/+/+ deny; s/+/b* read", "read s/a/b", "deny"),
        // 3. The fewer plus signs.
        ("s/+/+/x deny; s/+/b/x read", "read s/a/b/x", "ok"),
        ("s/+/b/x deny; s/+/+/x read", "read s/a/b/x", "deny"),
        ("s/+/+/* deny; s/+/* read", "read s/a/b/c", "ok"),
        ("s/+/* deny; s/* read", "read s/a/b", "ok"),
        // 4. The longer one.
        ("s/+/b* deny; s/+/ba* read", "read s/a/bar", "ok"),
        ("s/+/ba* deny; s/+/b* read", "read s/a/bar", "deny"),
        // 5. The one that sorts later.
        ("s/+/a/+ deny; s/+/+/b read", "read s/x/a/b", "deny"),
        ("s/+/a/+ read; s/+/+/b deny", "read s/x/a/b", "ok"),
        // A rule that does not match is no hindrance.
        ("s/+/y deny; s/* read", "read s/a/x", "ok"),
        ("s/a/b/c* deny; s/a/* read", "read s/a/b/d", "ok"),
    ]);
}

#[test]
fn rules_for_one_path_add_up_and_deny_wins() {
    check(&[
        ("s/x read | s/x list", "read s/x", "ok"),
        ("s/x read | s/x list", "list s/x", "ok"),
        ("s/x read; s/x update", "update s/x", "ok"),
        ("s/x read | s/x deny", "read s/x", "deny"),
        ("s/x deny | s/x read", "read s/x", "deny"),
        ("s/x deny; s/x read", "read s/x", "deny"),
        ("s/x read deny", "read s/x", "deny"),
        ("s/* read | s/* deny", "read s/x", "deny"),
        ("s/+ read | s/+ deny", "read s/x", "deny"),
        ("s/+ read | s/+ update", "update s/x", "ok"),
        ("/s/x read | s/x deny", "read s/x", "deny"),
        // Different paths do not add up.
        ("s/* read | s/x update", "read s/x", "lacks read"),
        ("s/* read | s/+ update", "read s/x", "lacks read"),
        ("s/x* read | s/x deny", "read s/xy", "ok"),
    ]);
}

#[test]
fn a_listing_tries_the_folder_and_then_the_file() {
    check(&[
        ("s/x list", "list s/x/", "ok"),
        ("s/x list", "list s/x", "ok"),
        ("s/x/ list", "list s/x/", "ok"),
        ("s/x/ list", "list s/x", "ok"),
        ("s/x deny; s/x/ list", "list s/x/", "ok"),
        ("s/x list; s/x/ deny", "list s/x/", "deny"),
        ("s/x list; s/x/ deny", "list s/x", "deny"),
        ("s/x/* list", "list s/x/", "ok"),
        ("s/x/* list", "list s/x", "ok"),
        ("s/x/* deny; s/* list", "list s/x/", "deny"),
        ("s/x/* deny; s/* list", "list s/x", "deny"),
        ("s/x/* deny; s/* read", "read s/x", "ok"),
        ("s/x list; s/x/* deny", "list s/x/", "ok"),
        ("s/+ list", "list s/x/", "ok"),
        ("s/+/ list", "list s/x/", "ok"),
        ("s/+/ deny; s/+ list", "list s/x/", "deny"),
        ("s/+ list", "list s/", "ok"),
        ("s/+/* deny; s/+ list", "list s/x/", "deny"),
        ("s/+/* deny; s* list", "list s/x/", "deny"),
        ("s/x* list", "list s/x/", "ok"),
        ("s list", "list s/", "ok"),
        ("s/x scan", "scan s/x/", "ok"),
        ("s/x/* deny; s/* scan", "scan s/x/", "deny"),
        ("s/x read", "read s/x/", "none"),
        ("s/x list", "list s/x/y/", "none"),
    ]);
}

#[test]
fn old_words_for_capabilities() {
    check(&[
        (r#"path "s" { policy = "read" }"#, "read s", "ok"),
        (r#"path "s" { policy = "read" }"#, "list s", "ok"),
        (r#"path "s" { policy = "read" }"#, "update s", "lacks update"),
        (r#"path "s" { policy = "write" }"#, "create s", "ok"),
        (r#"path "s" { policy = "write" }"#, "read s", "ok"),
        (r#"path "s" { policy = "write" }"#, "update s", "ok"),
        (r#"path "s" { policy = "write" }"#, "delete s", "ok"),
        (r#"path "s" { policy = "write" }"#, "list s", "ok"),
        (r#"path "s" { policy = "write" }"#, "patch s", "lacks patch"),
        (r#"path "s" { policy = "write" }"#, "read s sudo", "lacks sudo"),
        (r#"path "s" { policy = "sudo" }"#, "read s sudo", "ok"),
        (r#"path "s" { policy = "deny" }"#, "read s", "deny"),
        (r#"path "s" { policy = "read" capabilities = ["update"] }"#, "update s", "ok"),
        (r#"path "s" { policy = "deny" capabilities = ["read"] }"#, "read s", "deny"),
        (r#"path "s" { policy = "read" capabilities = ["deny"] }"#, "read s", "deny"),
    ]);
}

/// A rule for `s` with everything granted and one constraint.
fn with(constraint: &str) -> String {
    let all = r#"["create", "read", "update", "delete", "list", "patch", "scan", "recover"]"#;
    format!("path \"s\" {{ capabilities = {all}\n{constraint} }}")
}

fn check_constraint(rows: &[(&str, &str, &str)]) {
    let rows: Vec<_> =
        rows.iter().map(|(text, request, outcome)| (with(text), request, outcome)).collect();
    let rows: Vec<_> =
        rows.iter().map(|(text, request, outcome)| (text.as_str(), **request, **outcome)).collect();
    check(&rows);
}

#[test]
fn allowed_parameters() {
    check_constraint(&[
        (r#"allowed_parameters = { "a" = [] }"#, r#"update s {"a": "x"}"#, "ok"),
        (r#"allowed_parameters = { "a" = [] }"#, r#"update s {"a": {"b": 1}}"#, "ok"),
        (r#"allowed_parameters = { "a" = [] }"#, r#"update s {"b": "x"}"#, "param b"),
        (r#"allowed_parameters = { "a" = [] }"#, r#"update s {"a": 1, "b": "x"}"#, "param b"),
        (r#"allowed_parameters = { "a" = [] }"#, "update s {}", "ok"),
        (r#"allowed_parameters = { "a" = [] }"#, "update s", "ok"),
        (r#"allowed_parameters = { "a" = [] }"#, r#"update s {"A": "x"}"#, "ok"),
        (r#"allowed_parameters = { "A" = [] }"#, r#"update s {"a": "x"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x", "y"] }"#, r#"update s {"a": "y"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x", "y"] }"#, r#"update s {"a": "z"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["x"] }"#, r#"update s {"a": "X"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["x"] }"#, r#"update s {"a": null}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["x"] }"#, r#"update s {"a": ["x"]}"#, "param a"),
        (r#"allowed_parameters = { "a" = [["x"]] }"#, r#"update s {"a": ["x"]}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x*"] }"#, r#"update s {"a": "xyz"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x*"] }"#, r#"update s {"a": "ax"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["*x"] }"#, r#"update s {"a": "ax"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["*x"] }"#, r#"update s {"a": "xa"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["*x*"] }"#, r#"update s {"a": "axa"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["*x*"] }"#, r#"update s {"a": "aya"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["x*z"] }"#, r#"update s {"a": "xyz"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["*"] }"#, r#"update s {"a": "x"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["*"] }"#, r#"update s {"a": "*"}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["**"] }"#, r#"update s {"a": "x"}"#, "ok"),
        (r#"allowed_parameters = { "a" = [""] }"#, r#"update s {"a": ""}"#, "ok"),
        (r#"allowed_parameters = { "a" = [""] }"#, r#"update s {"a": "x"}"#, "param a"),
        (r#"allowed_parameters = { "a" = [true] }"#, r#"update s {"a": true}"#, "ok"),
        (r#"allowed_parameters = { "a" = [true] }"#, r#"update s {"a": "true"}"#, "param a"),
        (r#"allowed_parameters = { "a" = [1] }"#, r#"update s {"a": 1}"#, "ok"),
        (r#"allowed_parameters = { "a" = [1] }"#, r#"update s {"a": 1.0}"#, "ok"),
        (r#"allowed_parameters = { "a" = [1.5] }"#, r#"update s {"a": 1.5}"#, "ok"),
        (r#"allowed_parameters = { "a" = [1] }"#, r#"update s {"a": "1"}"#, "param a"),
        (r#"allowed_parameters = { "a" = [1] }"#, r#"update s {"a": 2}"#, "param a"),
        (r#"allowed_parameters = { "*" = [] }"#, r#"update s {"a": 1, "b": 2}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x"], "*" = [] }"#, r#"update s {"b": 2}"#, "ok"),
        (r#"allowed_parameters = { "a" = ["x"], "*" = [] }"#, r#"update s {"a": "y"}"#, "param a"),
        (r#"allowed_parameters = { "a" = ["x"], "*" = ["y"] }"#, r#"update s {"b": "z"}"#, "ok"),
        (r#"allowed_parameters = { }"#, r#"update s {"a": 1}"#, "ok"),
    ]);
}

#[test]
fn denied_and_required_parameters() {
    check_constraint(&[
        (r#"denied_parameters = { "a" = [] }"#, r#"update s {"a": "x"}"#, "param a"),
        (r#"denied_parameters = { "a" = [] }"#, r#"update s {"A": "x"}"#, "param A"),
        (r#"denied_parameters = { "a" = [] }"#, r#"update s {"b": "x"}"#, "ok"),
        (r#"denied_parameters = { "a" = [] }"#, "update s", "ok"),
        (r#"denied_parameters = { "a" = ["x*"] }"#, r#"update s {"a": "xy"}"#, "param a"),
        (r#"denied_parameters = { "a" = ["x*"] }"#, r#"update s {"a": "y"}"#, "ok"),
        (r#"denied_parameters = { "a" = [1] }"#, r#"update s {"a": 1}"#, "param a"),
        (r#"denied_parameters = { "*" = [] }"#, r#"update s {"a": 1}"#, "param a"),
        (r#"denied_parameters = { "*" = [] }"#, "update s {}", "ok"),
        (r#"denied_parameters = { "*" = ["x"] }"#, r#"update s {"a": "y"}"#, "param a"),
        // What is denied stays denied when everything is allowed.
        (
            r#"denied_parameters = { "a" = [] } allowed_parameters = { "*" = [] }"#,
            r#"update s {"a": 1}"#,
            "param a",
        ),
        (
            r#"denied_parameters = { "a" = [] } allowed_parameters = { "a" = [] }"#,
            r#"update s {"a": 1}"#,
            "param a",
        ),
        (
            r#"denied_parameters = { "a" = ["x"] } allowed_parameters = { "a" = [] }"#,
            r#"update s {"a": "y"}"#,
            "ok",
        ),
        (r#"required_parameters = ["a"]"#, r#"update s {"a": 1}"#, "ok"),
        (r#"required_parameters = ["a"]"#, r#"update s {"a": null}"#, "ok"),
        (r#"required_parameters = ["a"]"#, r#"update s {"b": 1}"#, "missing a"),
        (r#"required_parameters = ["a"]"#, "update s", "missing a"),
        (r#"required_parameters = ["a", "b"]"#, r#"update s {"a": 1}"#, "missing b"),
        (r#"required_parameters = ["A"]"#, r#"update s {"a": 1}"#, "ok"),
        (r#"required_parameters = ["a"]"#, r#"update s {"A": 1}"#, "missing a"),
        (
            r#"required_parameters = ["a"] allowed_parameters = { "b" = [] }"#,
            r#"update s {"a": 1}"#,
            "param a",
        ),
    ]);
}

#[test]
fn parameters_matter_to_some_operations() {
    let rule = r#"required_parameters = ["a"]"#;
    check_constraint(&[
        (rule, "create s", "missing a"),
        (rule, "read s", "missing a"),
        (rule, "update s", "missing a"),
        (rule, "patch s", "missing a"),
        (rule, "recover s", "missing a"),
        (rule, r#"read s {"a": "1"}"#, "ok"),
        (rule, "delete s", "ok"),
        (rule, "list s", "ok"),
        (rule, "scan s", "ok"),
        (rule, "renew s", "ok"),
        (rule, r#"update s {"a": 1, "a": 2}"#, "unreadable"),
        (rule, "update s {a}", "unreadable"),
        ("", r#"update s {"a": 1, "a": 2}"#, "ok"),
        (rule, r#"delete s {"a": 1, "a": 2}"#, "ok"),
    ]);
}

#[test]
fn wrapping_bounds() {
    check_constraint(&[
        ("min_wrapping_ttl = 10", "read s", "wrap"),
        ("min_wrapping_ttl = 10", "read s wrap=9", "wrap"),
        ("min_wrapping_ttl = 10", "read s wrap=10", "ok"),
        ("min_wrapping_ttl = \"1m\"", "read s wrap=59", "wrap"),
        ("min_wrapping_ttl = \"1m\"", "read s wrap=60", "ok"),
        ("max_wrapping_ttl = \"90\"", "read s", "wrap"),
        ("max_wrapping_ttl = \"90\"", "read s wrap=91", "wrap"),
        ("max_wrapping_ttl = \"90\"", "read s wrap=90", "ok"),
        ("min_wrapping_ttl = 10 max_wrapping_ttl = 20", "read s wrap=15", "ok"),
        ("min_wrapping_ttl = 10 max_wrapping_ttl = 20", "read s wrap=21", "wrap"),
        ("min_wrapping_ttl = 10", "delete s", "wrap"),
        ("min_wrapping_ttl = 10", "list s", "wrap"),
        ("min_wrapping_ttl = 0", "read s", "ok"),
        ("", "read s wrap=1", "ok"),
    ]);
}

#[test]
fn listings_are_limited() {
    check_constraint(&[
        ("pagination_limit = 5", "list s", "limit 5"),
        ("pagination_limit = 5", r#"list s {"limit": "3"}"#, "limit 3"),
        ("pagination_limit = 5", r#"list s {"limit": 5}"#, "limit 5"),
        ("pagination_limit = 5", r#"list s {"limit": "6"}"#, "limit"),
        ("pagination_limit = 5", r#"list s {"limit": "0"}"#, "limit 5"),
        ("pagination_limit = 5", r#"list s {"limit": "-1"}"#, "limit"),
        ("pagination_limit = 5", r#"list s {"limit": "max"}"#, "limit 5"),
        ("pagination_limit = 5", r#"list s {"limit": "many"}"#, "limit"),
        ("pagination_limit = 5", r#"list s {"limit": 99999999999999999999}"#, "limit"),
        ("pagination_limit = 5", r#"list s {"limit": [1]}"#, "limit"),
        ("pagination_limit = 5", "scan s", "limit 5"),
        ("pagination_limit = 5", "read s", "ok"),
        ("pagination_limit = 0", "list s", "ok"),
        ("pagination_limit = 5 required_parameters = [\"limit\"]", "list s", "missing limit"),
        (
            "pagination_limit = 5 required_parameters = [\"limit\"]",
            r#"list s {"limit": "max"}"#,
            "limit 5",
        ),
    ]);
}

/// Two rules for `s` in two policies.
fn check_merged(rows: &[(&str, &str, &str, &str)]) {
    for (one, other, request, expected) in rows {
        for (one, other) in [(one, other), (other, one)] {
            let both = format!("{} | {}", with(one), with(other));
            check(&[(&both, request, expected)]);
        }
    }
}

#[test]
fn constraints_of_two_policies_come_together() {
    let a = r#"allowed_parameters = { "a" = ["x"] }"#;
    check_merged(&[
        (a, r#"allowed_parameters = { "a" = ["y"] }"#, r#"update s {"a": "x"}"#, "ok"),
        (a, r#"allowed_parameters = { "a" = ["y"] }"#, r#"update s {"a": "y"}"#, "ok"),
        (a, r#"allowed_parameters = { "a" = ["y"] }"#, r#"update s {"a": "z"}"#, "param a"),
        (a, r#"allowed_parameters = { "a" = [] }"#, r#"update s {"a": "z"}"#, "ok"),
        (a, r#"allowed_parameters = { "b" = [] }"#, r#"update s {"a": "x", "b": 1}"#, "ok"),
        (a, r#"allowed_parameters = { "b" = [] }"#, r#"update s {"c": 1}"#, "param c"),
        (a, r#"allowed_parameters = { "*" = [] }"#, r#"update s {"c": 1}"#, "ok"),
        (a, r#"allowed_parameters = { "*" = [] }"#, r#"update s {"a": "z"}"#, "param a"),
        // A policy without parameters does not lift what another one restricts.
        (a, "", r#"update s {"c": 1}"#, "param c"),
        (a, r#"denied_parameters = { "a" = [] }"#, r#"update s {"a": "x"}"#, "param a"),
        (
            r#"denied_parameters = { "a" = ["x"] }"#,
            r#"denied_parameters = { "a" = ["y"] }"#,
            r#"update s {"a": "y"}"#,
            "param a",
        ),
        (
            r#"denied_parameters = { "a" = ["x"] }"#,
            r#"denied_parameters = { "a" = [] }"#,
            r#"update s {"a": "z"}"#,
            "param a",
        ),
        (
            r#"required_parameters = ["a"]"#,
            r#"required_parameters = ["b"]"#,
            r#"update s {"a": 1}"#,
            "missing b",
        ),
        (
            r#"required_parameters = ["a"]"#,
            r#"required_parameters = ["b"]"#,
            r#"update s {"a": 1, "b": 1}"#,
            "ok",
        ),
        // Of two bounds the smaller one holds.
        ("min_wrapping_ttl = 10", "min_wrapping_ttl = 20", "read s wrap=15", "ok"),
        ("min_wrapping_ttl = 10", "", "read s", "wrap"),
        ("max_wrapping_ttl = 10", "max_wrapping_ttl = 20", "read s wrap=15", "wrap"),
        ("max_wrapping_ttl = 10", "", "read s", "wrap"),
        ("min_wrapping_ttl = 30", "max_wrapping_ttl = 20", "read s wrap=20", "wrap"),
        ("min_wrapping_ttl = 30", "max_wrapping_ttl = 20", "read s wrap=30", "wrap"),
        ("pagination_limit = 5", "pagination_limit = 3", "list s", "limit 3"),
        ("pagination_limit = 5", "", "list s", "limit 5"),
    ]);
    // A constraint on another path has no say.
    check(&[
        (&format!("{} | s* update", with(a)), r#"update sx {"c": 1}"#, "ok"),
        (&format!("{} | s deny", with(a)), r#"update s {"a": "x"}"#, "deny"),
    ]);
}

#[test]
fn namespaces_stand_before_the_path() {
    check(&[
        ("n1: s/x read", "read n1/s/x", "ok"),
        ("n1: s/x read", "read s/x", "none"),
        ("n1: s/* read", "read n1/n2/s/x", "none"),
        ("n1: * read", "read n1/n2/s/x", "ok"),
        ("n1: * read", "read n2/s/x", "none"),
        ("n1: * read", "read n10/s/x", "none"),
        ("n1/s/x read", "read n1/s/x", "ok"),
        ("+/s/x read", "read n1/s/x", "ok"),
        ("n1: + read", "read n1/x", "ok"),
        ("n1: + read", "read x", "none"),
        ("n1: s/x read | n1/s/x deny", "read n1/s/x", "deny"),
        ("n1: s/x read | n1/s/x update", "update n1/s/x", "ok"),
        ("n1: s/* read | n1/s/x deny", "read n1/s/x", "deny"),
        ("n1/n2: s/x read", "read n1/n2/s/x", "ok"),
        ("n1: s/x list", "list n1/s/x", "ok"),
    ]);
}

#[test]
fn the_policy_root_grants_all_below_its_namespace() {
    check(&[
        ("root", "read s/x", "root"),
        ("root", "delete n1/s/x", "root"),
        ("root | * deny", "update s/x", "root"),
        ("n1: root", "update n1/s/x", "root"),
        ("n1: root", "update n1/n2/s/x", "root"),
        ("n1: root", "update s/x", "none"),
        ("n1: root", "update n2/s/x", "none"),
        ("n1: root", "update n10/s/x", "none"),
        ("n1: root | s/x read", "read s/x", "ok"),
    ]);
    assert!(core_policy::Acl::default().capabilities("x") == ["deny"]);
}

#[test]
fn capabilities_as_the_api_answers() {
    for (policies, path, names) in [
        ("root", "s/x", "root"),
        ("n1: root", "n1/x", "root"),
        ("n1: root", "x", "deny"),
        ("s/x update read create", "s/x", "create read update"),
        ("s/x sudo scan patch list recover delete", "s/x", "delete list patch recover scan sudo"),
        ("s/x read deny", "s/x", "deny"),
        ("s/x", "s/x", "deny"),
        ("s/x read", "s/y", "deny"),
        ("s/x read", "/s/x", "read"),
        ("s/x read", "s/x/", "read"),
        ("s/x/ read", "s/x", "deny"),
        ("s/x/ read", "s/x/", "read"),
        ("s/x/* deny; s/* read", "s/x/", "deny"),
        ("s/x/* deny; s/* read", "s/x", "read"),
        ("s/* read | s/* list", "s/x", "list read"),
        ("s/+/x list; s/* read", "s/a/x", "list"),
        ("s/+/x list; +/* read", "s/a/x", "list"),
    ] {
        assert_eq!(
            acl(policies, &Identity::default()).capabilities(path).join(" "),
            names,
            "{policies} {path}"
        );
    }
}

#[test]
fn reaching_a_mount() {
    for (policies, reaches) in [
        ("s/x read", true),
        ("s/x deny", false),
        ("s/x", false),
        ("t/x read", false),
        ("* read", true),
        ("+/x read", true),
        ("s/x/+/* list", true),
        ("n1: s/x read", false),
        ("root", true),
    ] {
        assert_eq!(acl(policies, &Identity::default()).reaches("s/"), reaches, "{policies}");
    }
}
