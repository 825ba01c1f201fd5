use files_document::{Comment, Document, Element, Format, Item, Scalar, Value};

use crate::{at, edited, encrypted};

fn set(format: Format, text: &str, path: &[&str], value: impl Into<Value>, expect: &str) {
    let value = value.into();
    let out = edited(format, text, |items| *at(items, path) = value);
    assert_eq!(out, expect, "from {text:?}");
}

fn remove(format: Format, text: &str, path: &[&str], expect: &str) {
    let out = edited(format, text, |items| {
        let (last, above) = path.split_last().unwrap();
        let of = |item: &Item| matches!(item, Item::Member(member) if member.key == *last);
        if above.is_empty() {
            items.retain(|item| !of(item));
            return;
        }
        match at(items, above) {
            Value::Map(items) => items.retain(|item| !of(item)),
            Value::List(elements) => {
                elements.remove(last.parse::<usize>().unwrap());
            }
            Value::Scalar(_) => panic!(),
        }
    });
    assert_eq!(out, expect, "from {text:?}");
}

fn push(format: Format, text: &str, path: &[&str], item: Item, expect: &str) {
    let out = edited(format, text, |items| match path {
        [] => items.push(item),
        _ => match at(items, path) {
            Value::Map(items) => items.push(item),
            Value::List(_) | Value::Scalar(_) => panic!(),
        },
    });
    assert_eq!(out, expect, "from {text:?}");
}

fn metadata() -> Item {
    Item::member(
        "sops",
        vec![
            Item::member(
                "age",
                vec![Element::Value(
                    vec![
                        Item::member("recipient", Scalar::text("age1x")),
                        Item::member("enc", Scalar::text("-----BEGIN\nabc\n-----END\n")),
                    ]
                    .into(),
                )],
            ),
            Item::member("lastmodified", Scalar::text("2026-11-22T07:33:51Z")),
            Item::member(
                "mac",
                Scalar::text("ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]"),
            ),
            Item::member("mac_only_encrypted", Scalar::Bool(true)),
        ],
    )
}

#[test]
fn yaml_scalars_change_in_place() {
    let set =
        |text, path: &[&str], value: Scalar, expect| set(Format::Yaml, text, path, value, expect);
    let text = |text: &str| Scalar::text(text);
    set("a: 1 # one\nb:   2\n", &["a"], text("x"), "a: x # one\nb:   2\n");
    set("a: 'x'\n", &["a"], text("it's"), "a: 'it''s'\n");
    set("a: \"x\"\n", &["a"], text("a\tb\"\\\u{1}é"), "a: \"a\\tb\\\"\\\\\\x01é\"\n");
    set("a: x\n", &["a"], text("5"), "a: \"5\"\n");
    set("a: x\n", &["a"], text("yes"), "a: \"yes\"\n");
    set("a: x\n", &["a"], text("[x"), "a: '[x'\n");
    set("a: x\n", &["a"], text(""), "a: \"\"\n");
    set("a: x\n", &["a"], Scalar::Float(1.0), "a: 1.0\n");
    set("a: x\n", &["a"], Scalar::Null, "a: null\n");
    set("a:\nb: 1\n", &["a"], text("x"), "a: x\nb: 1\n");
    set("a: # c\nb: 1\n", &["a"], text("x"), "a: x # c\nb: 1\n");
    set("l:\n- a\n-\n- c\n", &["l", "1"], text("b"), "l:\n- a\n- b\n- c\n");
    set("m: {a: 1, b: , c}\n", &["m", "b"], text("x,y"), "m: {a: 1, b: 'x,y' , c}\n");
    set("m: {a: 1}\n", &["m", "a"], text("ENC[a,b:c]"), "m: {a: 'ENC[a,b:c]'}\n");
    set("a: &x !!int 5\nb: 1\n", &["a"], text("t"), "a: &x t\nb: 1\n");
    set("a: !Ref v # c\n", &["a"], text("t"), "a: !Ref t # c\n");
    set("? a\n: 1\nb: 2\n", &["a"], text("t"), "? a\n: t\nb: 2\n");
    set("a: \"x\n  y\" # c\nb: p\n  q\n", &["a"], text("z"), "a: \"z\" # c\nb: p\n  q\n");
    set("a: p\n  q\nb: 1\n", &["a"], text("z"), "a: z\nb: 1\n");
    set("a: x \t\nb: 1\n", &["a"], text("z"), "a: z \t\nb: 1\n");
    set("a: x", &["a"], text("z"), "a: z");
    set("\u{feff}a: x\r\nb: 1\r\n", &["a"], text("z"), "\u{feff}a: z\r\nb: 1\r\n");
}

#[test]
fn yaml_block_scalars_come_and_go() {
    let set =
        |text, path: &[&str], value: Scalar, expect| set(Format::Yaml, text, path, value, expect);
    let text = |text: &str| Scalar::text(text);
    let block = "a: |  # why\n  one\n  two\n\n# next\nb: 1\n";
    set(block, &["a"], text("x"), "a: x  # why\n\n# next\nb: 1\n");
    set("a: x\nb: 1\n", &["a"], text("1\n2\n"), "a: |\n    1\n    2\nb: 1\n");
    set("a:\n  b: x\n  c: 1\n", &["a", "b"], text("1\n2"), "a:\n  b: |-\n    1\n    2\n  c: 1\n");
    set("a: x\nb: 1\n", &["a"], text("1\n\n"), "a: |+\n    1\n\nb: 1\n");
    set("a: x\n", &["a"], text("  1\n 2\n"), "a: |4\n      1\n     2\n");
    set("a: x # c\n", &["a"], text("1\n2\n"), "a: \"1\\n2\\n\" # c\n");
    set("a: \"x\"\n", &["a"], text("1\n2\n"), "a: \"1\\n2\\n\"\n");
    set("a: >+\n  x\n\n\nb: 1\n", &["a"], text("z"), "a: z\nb: 1\n");
    set(
        "l:\n  - |\n    x\n  - 2\n",
        &["l", "0"],
        text("a\nb\n"),
        "l:\n  - |\n    a\n    b\n  - 2\n",
    );
    set("a: x", &["a"], text("1\n2\n"), "a: |\n    1\n    2\n");
    set("a: x\r\nb: 1\r\n", &["a"], text("1\n2\n"), "a: |\r\n    1\r\n    2\r\nb: 1\r\n");
    set("a: x\n", &["a"], text("\n\n"), "a: \"\\n\\n\"\n");
}

#[test]
fn yaml_members_come_and_go() {
    let member = |key: &str| Item::member(key, Scalar::text("v"));
    let push = |text, path: &[&str], item, expect| push(Format::Yaml, text, path, item, expect);
    push("a: 1\n", &[], member("b"), "a: 1\nb: v\n");
    push("a: 1", &[], member("b"), "a: 1\nb: v\n");
    push("a:\n  x: 1 # c\n\n\nb: 2\n", &["a"], member("w"), "a:\n  x: 1 # c\n  w: v\n\n\nb: 2\n");
    push(
        "a:\n  x: 1\n  # tail\nb: 2\n",
        &["a"],
        member("w"),
        "a:\n  x: 1\n  # tail\n  w: v\nb: 2\n",
    );
    push("a: {x: 1}\n", &["a"], member("w"), "a: {x: 1, w: v}\n");
    push("a: {\n  x: 1\n}\n", &["a"], member("w"), "a: {\n  x: 1,\n  w: v\n}\n");
    push("a: {}\nb: 1\n", &["a"], member("w"), "a:\n    w: v\nb: 1\n");
    push(
        "l:\n  - a: 1\n    b: 2\n  - 3\n",
        &["l", "0"],
        member("w"),
        "l:\n  - a: 1\n    b: 2\n    w: v\n  - 3\n",
    );
    push("a: |+\n  x\n\n", &[], member("b"), "a: |+\n  x\n\nb: v\n");
    push("# only\n", &[], member("b"), "# only\nb: v\n");
    push("---\n", &[], member("b"), "---\nb: v\n");
    push("", &[], member("b"), "b: v\n");
    push("a: 1\n---\nb: 1\n", &[], member("s"), "a: 1\ns: v\n---\nb: 1\n");
    push(
        "a: 1\r\n",
        &[],
        metadata(),
        "a: 1\r\nsops:\r\n    age:\r\n        - recipient: age1x\r\n          enc: |\r\n            -----BEGIN\r\n            abc\r\n            -----END\r\n    lastmodified: \"2026-11-22T07:33:51Z\"\r\n    mac: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]\r\n    mac_only_encrypted: true\r\n",
    );

    let remove = |text, path: &[&str], expect| remove(Format::Yaml, text, path, expect);
    remove("a: 1\nb: 2\nc: 3\n", &["b"], "a: 1\nc: 3\n");
    remove("a: 1\nb:\n  x: 1\n  y: 2\nc: 3\n", &["b"], "a: 1\nc: 3\n");
    remove("a: 1\nb: |\n  x\n\n  y\nc: 3\n", &["b"], "a: 1\nc: 3\n");
    remove("a: 1\nb: 2\n", &["a"], "b: 2\n");
    remove("a:\n  b: 1\nc: 2\n", &["a", "b"], "a: {}\nc: 2\n");
    remove("a: # why\n  b: 1\nc: 2\n", &["a", "b"], "a: # why\n  {}\nc: 2\n");
    remove("l:\n- a: 1\n  b: 2\n- 2\n", &["l", "0", "a"], "l:\n- b: 2\n- 2\n");
    remove("l:\n- a: 1\n  b: 2\n- 2\n", &["l", "0"], "l:\n- 2\n");
    remove("l: [1, 2, 3]\n", &["l", "1"], "l: [1, 3]\n");
    remove("l: [1, 2, 3]\n", &["l", "0"], "l: [2, 3]\n");
    remove("l: [1, 2, 3]\n", &["l", "2"], "l: [1, 2]\n");
    remove("l: [1]\n", &["l", "0"], "l: []\n");
    remove("a: 1\r\nb: 2\r\n", &["b"], "a: 1\r\n");
}

/// What comes at the end comes behind the comments that end what is there, at whatever depth.
#[test]
fn yaml_members_follow_the_comments_that_end_a_block() {
    for text in [
        "a:\n    b: {c: d}\n    # e\n",
        "a:\n    b:\n        c: d   # x\n        # f\n",
        "a:\n    - b\n    # c\n",
        "a:\n    b: 1\n  # less\n",
        "a:\n    b: |\n        c\n    # d\n",
    ] {
        let item = Item::member("k", Scalar::text("v"));
        push(Format::Yaml, text, &[], item, &format!("{text}k: v\n"));
        remove(Format::Yaml, &format!("{text}z: 1\n"), &["a"], "z: 1\n");
        remove(Format::Yaml, &format!("{text}z: 1\n"), &["z"], text);
    }
}

#[test]
fn yaml_values_change_their_kind() {
    let set =
        |text, path: &[&str], value: Value, expect| set(Format::Yaml, text, path, value, expect);
    let map = || {
        Value::Map(vec![
            Item::member("k", Scalar::Int(1)),
            Item::member("m", vec![Item::member("o", Scalar::Int(2))]),
        ])
    };
    let list = || Value::List(vec![Element::Value(Scalar::Int(1).into()), Element::Value(map())]);
    set("a: 1 # c\nb: 2\n", &["b"], map(), "a: 1 # c\nb:\n    k: 1\n    m:\n        o: 2\n");
    set("a: 1\nb: 2\n", &["a"], list(), "a:\n    - 1\n    - k: 1\n      m:\n        o: 2\nb: 2\n");
    set("a:\n  x: 1\nb: 2\n", &["a"], list(), "a:\n  - 1\n  - k: 1\n    m:\n      o: 2\nb: 2\n");
    set("a:\n  x: 1\n  y: 2\nb: 2\n", &["a"], Scalar::text("t").into(), "a: t\nb: 2\n");
    set("a:\n- x: 1\n  y: 2\nb: 2\n", &["a", "0"], Scalar::text("t").into(), "a:\n- t\nb: 2\n");
    set("a: |\n  x\n  y\nb: 2\n", &["a"], map(), "a:\n    k: 1\n    m:\n        o: 2\nb: 2\n");
    set("a: {x: 1}\n", &["a"], Scalar::text("t").into(), "a: t\n");
    set("a: {x: 1}\n", &["a", "x"], list(), "a: {x: [1, {k: 1, m: {o: 2}}]}\n");
}

#[test]
fn yaml_comments_change_come_and_go() {
    let text = "# head\na: 1 # in\nb:\n  # inner\n  - 1\nc: 2\n";
    let out = edited(Format::Yaml, text, |items| encrypted(items));
    let lines = out.lines().collect::<Vec<_>>();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("#ENC["));
    assert!(lines[1].starts_with("a: ENC[") && lines[1].contains(" #ENC["));
    assert!(lines[3].starts_with("  #ENC["));
    assert!(lines[4].starts_with("  - ENC["));

    let out =
        edited(Format::Yaml, text, |items| items.retain(|item| matches!(item, Item::Member(_))));
    assert_eq!(out, "a: 1\nb:\n  # inner\n  - 1\nc: 2\n");
    let out = edited(Format::Yaml, text, |items| {
        items.insert(4, Item::Comment(Comment::new(" new")));
    });
    assert_eq!(out, "# head\na: 1 # in\nb:\n  # inner\n  - 1\n# new\nc: 2\n");
    // sops writes an encrypted comment of a list as an element, which becomes a comment again.
    let out = edited(Format::Yaml, "a:\n  - ENC[x]\n  - 1\n", |items| {
        let Value::List(elements) = at(items, &["a"]) else { panic!() };
        elements[0] = Element::Comment(Comment::new(" c"));
    });
    assert_eq!(out, "a:\n  # c\n  - 1\n");
}

#[test]
fn json_changes_in_place() {
    let set =
        |text, path: &[&str], value: Scalar, expect| set(Format::Json, text, path, value, expect);
    set(
        "{\"a\":1, \"b\" : [2,\n3]}",
        &["b", "1"],
        Scalar::text("x\n"),
        "{\"a\":1, \"b\" : [2,\n\"x\\n\"]}",
    );
    set("{\"a\": 1}\r\n", &["a"], Scalar::Float(2.0), "{\"a\": 2.0}\r\n");
    let push = |text, path: &[&str], item, expect| push(Format::Json, text, path, item, expect);
    let member = || Item::member("k", Scalar::Int(1));
    push("{\n  \"a\": {}\n}\n", &["a"], member(), "{\n  \"a\": {\n    \"k\": 1\n  }\n}\n");
    push("{\n  \"a\": 1\n}\n", &[], member(), "{\n  \"a\": 1,\n  \"k\": 1\n}\n");
    push("{\"a\": 1}", &[], member(), "{\"a\": 1, \"k\": 1}");
    push("{}\n", &[], member(), "{\n\t\"k\": 1\n}\n");
    push(
        "{\n  \"a\": 1\n}\n",
        &[],
        metadata(),
        "{\n  \"a\": 1,\n  \"sops\": {\n    \"age\": [\n      {\n        \"recipient\": \"age1x\",\n        \"enc\": \"-----BEGIN\\nabc\\n-----END\\n\"\n      }\n    ],\n    \"lastmodified\": \"2026-11-22T07:33:51Z\",\n    \"mac\": \"ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]\",\n    \"mac_only_encrypted\": true\n  }\n}\n",
    );
    let remove = |text, path: &[&str], expect| remove(Format::Json, text, path, expect);
    remove("{\n  \"a\": 1,\n  \"b\": 2\n}\n", &["b"], "{\n  \"a\": 1\n}\n");
    remove("{\n  \"a\": 1,\n  \"b\": 2\n}\n", &["a"], "{\n  \"b\": 2\n}\n");
    remove("{\"a\": {\"b\": 2}}", &["a", "b"], "{\"a\": {}}");
}

#[test]
fn metadata_is_taken_out_again_without_a_trace() {
    for (format, text) in [
        (Format::Yaml, "a: 1 # c\n\n# tail\n"),
        (Format::Yaml, "a: 1"),
        (Format::Yaml, "---\na:\n- 1\n"),
        (Format::Json, "{\n  \"a\": 1\n}\n"),
        (Format::Json, "{\"a\":1}"),
    ] {
        let mut file = Document::parse(format, text.as_bytes()).unwrap();
        let plain = file.trees().to_vec();
        let mut trees = plain.clone();
        trees[0].push(metadata());
        file.update(trees).unwrap();
        file.update(plain).unwrap();
        let out = String::from_utf8(file.text().to_vec()).unwrap();
        assert_eq!(out.trim_end(), text.trim_end());
    }
}
