use files_document::{Document, Format, Item, Scalar};

use crate::{at, refused};

fn check(format: Format, text: &str, place: &str, what: &str) {
    let error = refused(format, text);
    assert!(error.starts_with(place) && error.contains(what), "{text:?} gives {error:?}");
}

#[test]
fn faults_of_yaml_are_named_with_their_place() {
    let check = |text: &str, place, what| check(Format::Yaml, text, place, what);
    check("x: 1\nx: 2\n", "line 2, column 1", "'x' is there twice");
    check("a:\n  b: 1\n---\na: {c: 1, c: 2}\n", "line 4, column 11", "'c' is there twice");
    check("1: x\n", "line 1, column 1", "must be a text");
    check("null: x\n", "line 1, column 1", "must be a text");
    check("a:\n  true: x\n", "line 2, column 3", "must be a text");
    check("? [a]\n: x\n", "line 1", "must be a text");
    check("- a\n", "line 1, column 1", "must be a mapping");
    check("text\n", "line 1, column 1", "must be a mapping");
    check("a:\n\tb: 1\n", "line 2", "tab");
    check("a: 18446744073709551615\n", "line 1, column 4", "too large");
    check("é: !!int x\n", "line 1, column 10", "no int");
    check("a: *x\n", "line 1", "anchor");
    check("a: &x [*x]\n", "line 1, column 8", "own anchor");
    check("a: \"x\n", "line", "");
    check(&format!("a: {}", "[".repeat(1000)), "line 1", "");
}

#[test]
fn faults_of_json_are_named_with_their_place() {
    let check = |text: &str, place, what| check(Format::Json, text, place, what);
    check("{\"a\": 1,\n \"a\": 2}", "line 2, column 2", "'a' is there twice");
    check("[1]", "line 1, column 1", "one object");
    check("{\"a\": 1} x", "line 1, column 10", "nothing may follow");
    check("{\"a\": 01}", "line 1, column 8", "");
    check("{\"a\": 1,}", "line 1, column 9", "a key");
    check("{\"a\": nul}", "line 1, column 7", "a value");
    check("{\"a\": \"x", "line 1", "does not end");
    check("{\"a\": \"\\ud800\"}", "line 1, column 8", "no character");
    check("{\"a\": \"\\ud800\\u0041\"}", "line 1, column 8", "no character");
    check("{\"a\": 1e999}", "line 1, column 7", "double");
    check(&format!("{{\"a\": {}", "[".repeat(1000)), "line 1", "levels");
    check("", "line 1, column 1", "one object");
}

#[test]
fn faults_of_flat_files_are_named_with_their_place() {
    check(Format::Dotenv, "A=1\nnoeq\n", "line 2, column 1", "KEY=value");
    check(Format::Ini, "[s]\nnoval\n", "line 2, column 1", "key = value");
    check(Format::Ini, "[s]\na=1\na=2\n", "line 3, column 1", "'a' is there twice");
    check(Format::Ini, "[s]\n[s]\n", "line 2, column 1", "'s' is there twice");
    check(Format::Ini, "[s\n", "line 1, column 1", "does not end");
    check(Format::Ini, "[]\n", "line 1, column 1", "no name");
    check(Format::Ini, "a=`x\n", "line 1, column 3", "does not end");
    check(Format::Ini, "-=x\n", "line 1, column 1", "name");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let error = Document::parse(Format::Yaml, b"a: 1\nb: \xff\n").unwrap_err();
    assert!(error.public().starts_with("line 2, column 4"), "{}", error.public());
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(refused(Format::Yaml, &text).contains("aliases"));
}

#[test]
fn what_aliases_share_cannot_change() {
    let text = "x: &a {p: 1}\ny: *a\nz:\n  <<: *a\n";
    for path in [&["x", "p"][..], &["y", "p"], &["z", "<<", "p"]] {
        let mut file = Document::parse(Format::Yaml, text.as_bytes()).unwrap();
        let mut trees = file.trees().to_vec();
        *at(&mut trees[0], path) = Scalar::text("new").into();
        let error = file.update(trees).unwrap_err();
        assert!(error.public().starts_with("line "), "{}", error.public());
        assert_eq!(file.text(), text.as_bytes());
    }
    let mut file = Document::parse(Format::Yaml, text.as_bytes()).unwrap();
    let mut trees = file.trees().to_vec();
    trees[0].push(Item::member("w", Scalar::Int(1)));
    file.update(trees).unwrap();
    assert_eq!(file.text(), format!("{text}w: 1\n").as_bytes());
}

#[test]
fn a_format_refuses_what_it_cannot_hold() {
    for (format, text) in [(Format::Dotenv, "A=1\n"), (Format::Ini, "[s]\na=1\n")] {
        let mut file = Document::parse(format, text.as_bytes()).unwrap();
        let mut trees = file.trees().to_vec();
        trees[0].push(Item::member(
            "k",
            vec![Item::member("m", vec![Item::member("n", Scalar::Null)])],
        ));
        let error = file.update(trees).unwrap_err();
        assert!(error.public().contains('k'), "{}", error.public());
    }
}
