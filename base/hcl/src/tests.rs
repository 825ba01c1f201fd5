//! Texts that people feed to Vault, and texts that they should not.

use proptest::prelude::*;

use crate::{Body, DEPTH_MAX, Kind, SIZE_MAX, parse};

/// The tree as compact text, for comparing.
fn render(body: &Body) -> String {
    fn value(kind: &Kind) -> String {
        match kind {
            Kind::Bool(value) => value.to_string(),
            Kind::List(values) => {
                let values: Vec<_> = values.iter().map(|one| value(&one.kind)).collect();
                format!("[{}]", values.join(" "))
            }
            Kind::Null => "null".into(),
            Kind::Number(number) => number.as_str().into(),
            Kind::Object(body) => format!("{{{}}}", render(body)),
            Kind::String(text) => format!("{text:?}"),
        }
    }
    let entries = body.entries.iter();
    let entries: Vec<_> =
        entries.map(|e| format!("{}={}", e.key.text, value(&e.value.kind))).collect();
    entries.join(" ")
}

fn check(text: &str, tree: &str) {
    match parse(text) {
        Ok(body) => assert_eq!(render(&body), tree, "{text:?}"),
        Err(error) => panic!("{text:?}: {error:?}"),
    }
}

fn refuse(text: &str, message: &str) {
    match parse(text) {
        Ok(body) => panic!("{text:?} gave {}", render(&body)),
        Err(error) => assert_eq!(error.public(), message, "{text:?}"),
    }
}

#[test]
fn keys_and_blocks() {
    check("", "");
    check("  \n# nothing\n", "");
    check("a = 1", "a=1");
    check("a = 1 b = 2", "a=1 b=2");
    check("\"a b\" = 1", "a b=1");
    check("a-b.c_d = 1", "a-b.c_d=1");
    check("ä = 1", "ä=1");
    check("a {}", "a={}");
    check("a = {}", "a={}");
    check("a { b = 1, c = 2 }", "a={b=1 c=2}");
    check("a { b = 1, c = 2, }", "a={b=1 c=2}");
    check("a \"b\" { }", "a={b={}}");
    check("a b \"c\" { d = 1 }", "a={b={c={d=1}}}");
    check("path \"a\" { x = 1 }\npath \"a\" { x = 2 }", "path={a={x=1}} path={a={x=2}}");
    check("path\n\"a\"\n{\n}", "path={a={}}");
    check("\u{feff}a = 1", "a=1");
    check("a = 1\r\nb = 2\r\n", "a=1 b=2");
}

#[test]
fn values() {
    check("a = true b = false", "a=true b=false");
    check(
        "a = -1 b = 0x1F c = 1.5 d = 1e3 e = 2.5E-3 f = 0755",
        "a=-1 b=0x1F c=1.5 d=1e3 e=2.5E-3 f=0755",
    );
    check("a = []", "a=[]");
    check("a = [1, \"b\", true, [2], {c = 3}]", "a=[1 \"b\" true [2] {c=3}]");
    check("a = [\n  \"b\", # first\n  \"c\", // last\n]", "a=[\"b\" \"c\"]");
    check(
        r#"a = "x\ty\n\"q\" \\ \u00e4 \x41 \101 \U0001F600""#,
        "a=\"x\\ty\\n\\\"q\\\" \\\\ ä A A 😀\"",
    );
    check(r#"a = "${file("x")} b""#, "a=\"${file(\\\"x\\\")} b\"");
    check("a = \"${ {} }\" b = 1", "a=\"${ {} }\" b=1");
    check("a = \"$5 {{identity.entity.id}}\"", "a=\"$5 {{identity.entity.id}}\"");
}

#[test]
fn heredocs() {
    check("a = <<EOF\nhello\nworld\nEOF\n", "a=\"hello\\nworld\\n\"");
    check("a = <<EOF\nEOF", "a=\"\"");
    check("a = <<EOF\n  x\n  EOF\nb = 1", "a=\"  x\\n\" b=1");
    check("a = <<-EOF\n    foo\n      bar\n    EOF\nb = 1", "a=\"foo\\n  bar\\n\" b=1");
    check("a = <<-EOF\n  foo\n bar\n  EOF\n", "a=\"  foo\\n bar\\n\"");
    check("a = <<EOF\r\nx\r\nEOF\r\nb = 1", "a=\"x\\r\\n\" b=1");
    check("a = [<<X\none\nX\n, <<X\ntwo\nX\n]", "a=[\"one\\n\" \"two\\n\"]");
    check("a = <<EOF\nEOFX\n\"${\nEOF\n", "a=\"EOFX\\n\\\"${\\n\"");
}

#[test]
fn comments() {
    check("# a\n// b\n/* c\n * d */ a = 1 # e", "a=1");
    check("a = /* between */ 1", "a=1");
    check("/**/a = 1", "a=1");
    refuse("a = 1\n/* b", "line 2, column 1: the comment never ends: add */");
    refuse("a = 1 / 2", "line 1, column 7: a key must be a word or a quoted string, but found '/'");
}

#[test]
fn json_gives_the_same_tree() {
    let hcl = "path \"secret/*\" { capabilities = [\"read\"] }\nn = 1.5\nt = \"ä\"\nb = true";
    let json = r#" {"path": {"secret/*": {"capabilities": ["read"]}}, "n": 1.5, "t": "\u00e4", "b": true}"#;
    assert_eq!(render(&parse(hcl).unwrap()), render(&parse(json).unwrap()));
    check("{}", "");
    check("{ }\n", "");
    check(r#"{"a":[],"b":{},"c":[{}],"d":null,"a":-0}"#, "a=[] b={} c=[{}] d=null a=-0");
    check(r#"{"a":"\ud83d\ude00\/\b\f\n\r\t\\\""}"#, "a=\"😀/\\u{8}\\u{c}\\n\\r\\t\\\\\\\"\"");
}

#[test]
fn refusals_in_hcl_name_place_and_remedy() {
    refuse(
        "a",
        "line 1, column 2: a key needs = and a value, or a block { }, but the text ends here",
    );
    refuse("a =", "line 1, column 4: a value must follow, but the text ends here");
    refuse("a = b", "line 1, column 5: a value that is a word must be in quotes");
    refuse("a: 1", "line 1, column 2: a value is set with =, not with :");
    refuse("a \"b\" = 1", "line 1, column 7: a key with labels takes a block: remove the =");
    refuse("a {\n  b = 1\n", "line 1, column 3: the block never ends: add }");
    refuse("a { }\n}", "line 2, column 1: this } closes nothing: remove it");
    refuse("a = [1", "line 1, column 5: the list never ends: add ]");
    refuse("a = [1 2]", "line 1, column 8: a list goes on with , or ends with ], but found '2'");
    refuse("a = [,]", "line 1, column 6: a value must follow, but found ','");
    refuse(
        "a = 1, b = 2",
        "line 1, column 6: a key must be a word or a quoted string, but found ','",
    );
    refuse(
        "ä = 1b",
        "line 1, column 5: not a number: write digits such as 42, 0x2a or 1.5e3, or use quotes",
    );
    for number in ["-", "0x", "1.", "1e", "1_0", "0xg", "--1", "1.2.3"] {
        assert!(parse(&format!("a = {number}")).is_err(), "{number}");
    }
    let unterminated = "the string never ends: add \", or use a heredoc for several lines";
    refuse("a = \"b", &format!("line 1, column 5: {unterminated}"));
    refuse("a = \"b\nc\"", &format!("line 1, column 5: {unterminated}"));
    refuse("a = \"${b\"", "line 1, column 5: ${ in this string never ends: add }");
    refuse("a = \"\\q\"", "line 1, column 6: no such escape: write \\\\ for a backslash");
    let code = "not the code of a character: write \\xHH, \\uHHHH, \\UHHHHHHHH or \\OOO";
    for escape in ["\\x4", "\\ud800", "\\U00110000", "\\u12ä4", "\\18", "\\000"] {
        refuse(&format!("a = \"{escape}\""), &format!("line 1, column 6: {code}"));
    }
    refuse("a = \"\0\"", "line 1, column 6: a string cannot hold the character NUL");
    refuse("a = \"${\0}\"", "line 1, column 8: a string cannot hold the character NUL");
    refuse(
        "a = <b",
        "line 1, column 5: a value must follow, but found '<'; a heredoc begins with <<WORD",
    );
    refuse(
        "a = <<\nx",
        "line 1, column 5: a heredoc begins with <<WORD alone at the end of the line",
    );
    refuse(
        "a = <<E x\nE",
        "line 1, column 5: a heredoc begins with <<WORD alone at the end of the line",
    );
    refuse("a = <<E\nx\n", "line 1, column 5: the heredoc never ends: add a line with E alone");
    refuse("- = 1", "line 1, column 1: a key must be a word or a quoted string, but found '-'");
}

#[test]
fn refusals_in_json_name_place_and_remedy() {
    refuse(
        "{",
        "line 1, column 2: a key must be a string in double quotes, but the text ends here",
    );
    refuse("{a: 1}", "line 1, column 2: a key must be a string in double quotes, but found 'a'");
    refuse("{\"a\" 1}", "line 1, column 6: a key is followed by :, but found '1'");
    refuse(
        "{\"a\":1,}",
        "line 1, column 8: a key must be a string in double quotes, but found '}'",
    );
    refuse("{\"a\":[1,]}", "line 1, column 9: a value must follow, but found ']'");
    refuse(
        "{\"a\":1} x",
        "line 1, column 9: the JSON text must end after its last }, but found 'x'",
    );
    refuse("{\"a\":\n  nul}", "line 2, column 3: a value that is a word must be in quotes");
    for value in [
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "'a'",
        "\"\u{1}\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\u0000\"",
    ] {
        assert!(parse(&format!("{{\"a\":{value}}}")).is_err(), "{value}");
    }
}

#[test]
fn positions_are_those_of_keys_and_values() {
    let body = parse("# ä\n  kéy \"lä\" {\n\tx = \"y\"\n}").unwrap();
    let place = |position: crate::Position| (position.line, position.column);
    let path = &body.entries[0];
    assert_eq!(place(path.key.at), (2, 3));
    let Kind::Object(labels) = &path.value.kind else { panic!("no label") };
    assert_eq!(place(labels.entries[0].key.at), (2, 7));
    let Kind::Object(inner) = &labels.entries[0].value.kind else { panic!("no block") };
    assert_eq!(place(inner.at), (2, 12));
    assert_eq!(place(inner.entries[0].key.at), (3, 2));
    assert_eq!(place(inner.entries[0].value.at), (3, 6));
}

#[test]
fn depth_and_size_have_limits() {
    let nested = |depth: usize| format!("a = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(
        parse(&nested(DEPTH_MAX + 1)).unwrap_err().public().contains("more than 64 levels deep")
    );
    for bomb in ["a = [", "a { ", "a = { b = ", "{\"a\":", "{\"a\":[", "a "] {
        assert!(parse(&bomb.repeat(100_000)).is_err(), "{bomb}");
    }
    let labels = format!("a {}{{}}", "b ".repeat(DEPTH_MAX));
    assert!(parse(&labels).unwrap_err().public().contains("levels deep"));
    assert!(parse(&" ".repeat(SIZE_MAX)).is_ok());
    assert!(parse(&" ".repeat(SIZE_MAX + 1)).is_err());
}

/// A server configuration and policies as Vault's users write them.
#[test]
fn real_files() {
    let config = r#"
ui            = true
cluster_addr  = "https://127.0.0.1:8201"
api_addr      = "https://127.0.0.1:8200"
disable_mlock = true
default_lease_ttl = "768h"

storage "raft" {
  path = "/path/to/raft/data"
  node_id = "raft_node_id"
  retry_join { leader_api_addr = "http://127.0.0.2:8200" }
  retry_join { leader_api_addr = "http://127.0.0.3:8200" }
}

listener "tcp" {
  address       = "127.0.0.1:8200"
  tls_cert_file = "/path/to/full-chain.pem"
  tls_key_file  = "/path/to/private-key.pem"
  telemetry { unauthenticated_metrics_access = true }
  custom_response_headers {
    "default" = { "Strict-Transport-Security" = ["max-age=31536000", "includeSubDomains"] }
    "2xx" = { "X-Custom" = ["a"] }
  }
}

telemetry {
  statsite_address = "127.0.0.1:8125"
  disable_hostname = true
}
"#;
    let mut body = parse(config).unwrap();
    let mut fields = body.fields();
    assert_eq!(
        fields.blocks("storage", 1).unwrap()[0]
            .body
            .fields()
            .blocks("retry_join", 0)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(fields.duration("default_lease_ttl").unwrap().unwrap().seconds(), 768 * 3600);

    body = parse(
        r#"{"listener": [{"tcp": {"address": "0.0.0.0:8200", "tls_disable": "true"}}, {"unix": {"address": "/s"}}],
            "storage": {"file": {"path": "/vault/data"}}, "max_lease_ttl": "10h", "ui": true}"#,
    )
    .unwrap();
    let listeners = body.fields().blocks("listener", 1).unwrap().into_iter();
    assert_eq!(
        listeners.map(|block| block.label(0).to_owned()).collect::<Vec<_>>(),
        ["tcp", "unix"]
    );

    check(
        "# Allow\npath \"secret/*\" {\n  capabilities = [\"create\", \"read\"]\n  allowed_parameters = {\n    \
         \"foo\" = []\n    \"*\" = [\"a*\", 1]\n  }\n  min_wrapping_ttl = \"1m\"\n}\n",
        "path={secret/*={capabilities=[\"create\" \"read\"] allowed_parameters={foo=[] *=[\"a*\" 1]} \
         min_wrapping_ttl=\"1m\"}}",
    );
}

/// Pieces of the language, so that random texts get past the first character.
fn soup() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "path", "\"b\"", "=", "{", "}", "[", "]", ",", "\n", " ", "#", "//", "/*", "*/",
        "<<EOF\n", "<<-E\n", "EOF\n", "  E\n", "true", "1", "-", "0x", "1.5", "\"", "\\", "\\u12",
        "${", ":", "null", "ä", "\0", "\r\n",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60)
        .prop_map(|pieces| pieces.concat())
}

/// JSON objects as `serde_json` makes them, without NUL, which is refused on purpose.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = "[^\0]{0,8}";
    let leaf = prop_oneof![
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1000..1000i32).prop_map(|eighths| (f64::from(eighths) / 8.0).into()),
        text.prop_map(Into::into),
        Just(serde_json::Value::Null),
    ];
    let value = leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text, inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(text, value, 0..5)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

fn as_json(body: &Body) -> serde_json::Value {
    fn value(kind: &Kind) -> serde_json::Value {
        match kind {
            Kind::Bool(value) => (*value).into(),
            Kind::List(values) => values.iter().map(|one| value(&one.kind)).collect(),
            Kind::Null => serde_json::Value::Null,
            Kind::Number(number) => serde_json::from_str(number.as_str()).unwrap(),
            Kind::Object(body) => as_json(body),
            Kind::String(text) => text.as_str().into(),
        }
    }
    let entries = body.entries.iter();
    serde_json::Value::Object(entries.map(|e| (e.key.text.clone(), value(&e.value.kind))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text);
        let _ = parse(&format!("{{{text}"));
    }

    #[test]
    fn no_soup_panics_and_every_error_names_a_place(text in soup()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.public().starts_with("line "), "{}", error.public());
        }
        let _ = parse(&format!("{{\"a\":{text}"));
    }

    #[test]
    fn json_is_read_as_serde_reads_it(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        prop_assert_eq!(as_json(&parse(&text.unwrap()).unwrap()), value);
    }

    #[test]
    fn what_json_refuses_is_refused(text in "\\{[\\[\\]{}\",:0-9eE.+\\-a\\\\un ]{0,12}\\}") {
        if serde_json::from_str::<serde_json::Value>(&text).is_err() {
            prop_assert!(parse(&text).is_err());
        }
    }

    /// A cut text is refused or read as less; it never panics.
    #[test]
    fn a_cut_text_does_not_panic(cut in 0usize..400) {
        let text = "path \"sécret/*\" {\n  a = <<-EOF\n   x\n   EOF\n  b = [\"c\\u00e4\", 0x1f, { d = \"${e}\" }]\n}\n";
        if let Some(text) = text.get(..cut) {
            let _ = parse(text);
        }
    }
}
