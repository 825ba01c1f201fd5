use files_document::{Document, Format, Item, Scalar};

use crate::{at, edited, encrypted, outline};

fn seen(format: Format, text: &str, expect: &str) {
    let file = Document::parse(format, text.as_bytes()).unwrap();
    assert_eq!(outline(&file.trees()[0]), expect, "from {text:?}");
}

/// The values are what sops 3.11.0 writes for these as JSON.
#[test]
fn dotenv_is_read_as_sops_does() {
    seen(
        Format::Dotenv,
        "A=1\n\n#c\n #d=1\nexport X= y \nB=\"q\"\nC=a\\nb\nD==x\nE=\nA=2\nF=x\r\n",
        "A: str \"1\"\n#c\n #d: str \"1\"\nexport X: str \" y \"\nB: str \"\\\"q\\\"\"\nC: str \"a\\nb\"\nD: str \"=x\"\nE: str \"\"\nA: str \"2\"\nF: str \"x\\r\"\n",
    );
}

#[test]
fn dotenv_changes_in_place() {
    let text = "A=1\n\n#c\nA=2\nB=x";
    let out = edited(Format::Dotenv, text, |items| {
        *at(items, &["B"]) = Scalar::text("y\nz").into();
        items.push(Item::member("sops_mac_only_encrypted", Scalar::Bool(true)));
    });
    assert_eq!(out, "A=1\n\n#c\nA=2\nB=y\\nz\nsops_mac_only_encrypted=true\n");
    let out = edited(Format::Dotenv, text, |items| {
        items.remove(1);
        items.pop();
    });
    assert_eq!(out, "A=1\n\nA=2");
    assert_eq!(
        edited(Format::Dotenv, "", |items| items.push(Item::member("A", Scalar::Int(1)))),
        "A=1\n"
    );
}

/// The values are what sops 3.11.0 writes for these as JSON.
#[test]
fn ini_is_read_as_sops_does() {
    seen(
        Format::Ini,
        "top=1\n[s]\na = b\n; c\nd: e # in\n[t.u]\nx=`a b`\ny=\"q r\"\nz=a;b\nw=a ; b\n[e]\n# end\n",
        "DEFAULT: {}\n  top: str \"1\"\ns: {}\n  a: str \"b\"\n  #c|# in\n  d: str \"e\"\nt.u: {}\n  x: str \"a b\"\n  y: str \"q r\"\n  #b\n  z: str \"a\"\n  #b\n  w: str \"a\"\ne: {}\n  #end\n",
    );
    seen(
        Format::Ini,
        "; head\n[s] ; after\n\n# for a\na = b\n\n; tail\n",
        "DEFAULT: {}\ns: {}\n  #head|; after\n  #for a\n  a: str \"b\"\n  #tail\n",
    );
    seen(
        Format::Ini,
        "[s]\n  k  =  v  \nk2:v2\n`k4=`=5\n\"k5\"=1\nx=a=b\nb=\"x\" y\nc=\"a;b\"\nd=`a;b` z\ne='x\"\nf='x'\ng=x\\\n  y\nh=\"\"\"x\ny\"\"\"\ni=\nj=\" l \"\n",
        "DEFAULT: {}\ns: {}\n  k: str \"v\"\n  k2: str \"v2\"\n  k4=: str \"5\"\n  k5: str \"1\"\n  x: str \"a=b\"\n  b: str \"\\\"x\\\" y\"\n  #b\"\n  c: str \"\\\"a\"\n  d: str \"a;b\"\n  e: str \"'x\\\"\"\n  f: str \"x\"\n  g: str \"xy\"\n  h: str \"x\\ny\"\n  i: str \"\"\n  j: str \" l \"\n",
    );
}

#[test]
fn ini_changes_in_place() {
    let text = "; head\n[s] ; after\n; one\n\n; two\na = b ; in\nq = \"v\"\n\n[t]\nc=d\n";
    let out = edited(Format::Ini, text, |items| {
        *at(items, &["t", "c"]) = Scalar::text("x;y").into();
        *at(items, &["s", "q"]) = Scalar::text("w").into();
        items.push(Item::member(
            "sops",
            vec![
                Item::member("mac", Scalar::text("m")),
                Item::member("version", Scalar::text("3.9.0")),
            ],
        ));
    });
    assert_eq!(
        out,
        "; head\n[s] ; after\n; one\n\n; two\na = b ; in\nq = \"w\"\n\n[t]\nc=`x;y`\n\n[sops]\nmac     = m\nversion = 3.9.0\n"
    );
    let out = edited(Format::Ini, text, |items| encrypted(items));
    let lines = out.lines().collect::<Vec<_>>();
    assert!(lines[0].starts_with("; ENC["));
    assert_eq!(lines[1], "[s]");
    assert!(lines[2].starts_with("; ENC["));
    assert!(lines[3].starts_with("a = ENC[") && lines[3].ends_with(']'));
    let out = edited(Format::Ini, text, |items| {
        items.remove(1);
    });
    assert_eq!(out.trim_start(), "[t]\nc=d\n");
    let out = edited(Format::Ini, "[s]\na=1\n", |items| {
        let files_document::Value::Map(items) = at(items, &["DEFAULT"]) else { panic!() };
        items.push(Item::member("k", Scalar::text("v")));
    });
    assert_eq!(out, "k = v\n[s]\na=1\n");
}

#[test]
fn fresh_files_have_the_layout_of_sops() {
    let text = "top=1\n[s]\na=b\n; c\nlong_key = e\n";
    let file = Document::parse(Format::Ini, text.as_bytes()).unwrap();
    let ini = Document::emit(Format::Ini, file.trees(), None).unwrap();
    assert_eq!(
        String::from_utf8(ini).unwrap(),
        "top = 1\n\n[s]\na        = b\n; c\nlong_key = e\n\n"
    );
    let yaml = Document::emit(Format::Yaml, file.trees(), None).unwrap();
    assert_eq!(
        String::from_utf8(yaml).unwrap(),
        "DEFAULT:\n    top: \"1\"\ns:\n    a: b\n    #c\n    long_key: e\n"
    );
    let json = Document::emit(Format::Json, file.trees(), None).unwrap();
    assert_eq!(
        String::from_utf8(json).unwrap(),
        "{\n\t\"DEFAULT\": {\n\t\t\"top\": \"1\"\n\t},\n\t\"s\": {\n\t\t\"a\": \"b\",\n\t\t\"long_key\": \"e\"\n\t}\n}\n"
    );
    assert!(Document::emit(Format::Dotenv, file.trees(), None).is_err());
    let flat =
        Document::parse(Format::Yaml, b"A: 1.5\nB: \"x\\ny\"\n# c\nC: true\nD: 2020-01-01\n")
            .unwrap();
    let dotenv = Document::emit(Format::Dotenv, flat.trees(), None).unwrap();
    assert_eq!(
        String::from_utf8(dotenv).unwrap(),
        "A=1.5\nB=x\\ny\n# c\nC=true\nD=2020-01-01T00:00:00Z\n"
    );
}

#[test]
fn binary_is_one_value() {
    let file = Document::parse(Format::Binary, &[0, 0xff, 10]).unwrap();
    assert_eq!(outline(&file.trees()[0]), "data: bytes [0, 255, 10]\n");
    assert_eq!(Document::emit(Format::Binary, file.trees(), None).unwrap(), [0, 0xff, 10]);
}
