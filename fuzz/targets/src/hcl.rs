use base_hcl::{Body, Kind, Position, SIZE_MAX, Value};
use base_types::{Error, ErrorKind};
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use crate::{PLANTED, text};

/// HCL and its JSON form: every place lies where the key or value is, the tree survives being
/// written and read again, JSON means what it means to another reader, and an error names a place
/// inside the text and repeats no value.
pub fn hcl(data: &[u8]) {
    let text = text(data);
    let parsed = base_hcl::parse(&text);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match &parsed {
        Ok(body) => {
            check_places(&Lines::of(text), body);
            check_round_trip(body);
        }
        Err(error) => check_refusal(text, error),
    }
    if text.trim_start().starts_with('{') {
        compare_with_another_reader(text, parsed.as_ref().ok());
    }
}

fn check_refusal(text: &str, error: &Error) {
    assert!(!error.public().contains(PLANTED), "{}", error.public());
    if error.is(ErrorKind::TooLarge) {
        assert!(text.len() + 3 > SIZE_MAX);
    } else {
        assert!(error.is(ErrorKind::Invalid));
        let at = position(error.public()).expect("an error begins with its place");
        Lines::of(text).check(at);
    }
}

/// The place at the beginning of a message: `line L, column C: …`.
pub(crate) fn position(message: &str) -> Option<Position> {
    let (line, rest) = message.strip_prefix("line ")?.split_once(", column ")?;
    let (column, _) = rest.split_once(':')?;
    Some(Position { line: line.parse().ok()?, column: column.parse().ok()? })
}

/// The characters of a text by line.
pub(crate) struct Lines(Vec<Vec<char>>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self(text.split('\n').map(|line| line.chars().collect()).collect())
    }

    /// The place is a character of the text, or the end of a line.
    pub(crate) fn check(&self, Position { line, column }: Position) {
        let length = self.0.get(line as usize - 1).expect("the line exists").len();
        assert!(column >= 1 && column as usize <= length + 1, "line {line}, column {column}");
    }

    fn char_at(&self, Position { line, column }: Position) -> Option<char> {
        self.0.get(line as usize - 1)?.get(column as usize - 1).copied()
    }
}

fn check_places(lines: &Lines, body: &Body) {
    for entry in &body.entries {
        let first = lines.char_at(entry.key.at);
        let key = &entry.key.text;
        assert!(first == Some('"') || first == key.chars().next(), "the place of key {key:?}");
        check_place(lines, &entry.value);
    }
}

fn check_place(lines: &Lines, value: &Value) {
    let first = lines.char_at(value.at).expect("a value has a first character");
    let fits = match &value.kind {
        Kind::Bool(value) => first == if *value { 't' } else { 'f' },
        Kind::List(values) => {
            values.iter().for_each(|value| check_place(lines, value));
            first == '['
        }
        Kind::Null => first == 'n',
        Kind::Number(number) => number.as_str().starts_with(first),
        Kind::Object(body) => {
            check_places(lines, body);
            // What a label opens begins at the label.
            matches!(first, '{' | '"' | '_') || first.is_alphabetic()
        }
        Kind::String(_) => matches!(first, '"' | '<'),
    };
    assert!(fits, "{} at {} begins with {first:?}", value.kind.noun(), value.at);
}

fn check_round_trip(body: &Body) {
    let is_json = holds(body, &|kind| *kind == Kind::Null);
    let mut written = String::new();
    if is_json {
        write_object(body, ": ", &mut written);
    } else {
        write_entries(body, " = ", &mut written);
    }
    if written.len() > SIZE_MAX || is_json && holds(body, &is_no_json_number) {
        return;
    }
    let again = base_hcl::parse(&written).expect("what was read can be written and read");
    assert!(same(body, &again), "{written}");
}

fn holds(body: &Body, wanted: &impl Fn(&Kind) -> bool) -> bool {
    fn kind_holds(kind: &Kind, wanted: &impl Fn(&Kind) -> bool) -> bool {
        wanted(kind)
            || match kind {
                Kind::List(values) => values.iter().any(|value| kind_holds(&value.kind, wanted)),
                Kind::Object(body) => holds(body, wanted),
                Kind::Bool(_) | Kind::Null | Kind::Number(_) | Kind::String(_) => false,
            }
    }
    body.entries.iter().any(|entry| kind_holds(&entry.value.kind, wanted))
}

fn is_no_json_number(kind: &Kind) -> bool {
    matches!(kind, Kind::Number(number) if serde_json::from_str::<IgnoredAny>(number.as_str()).is_err())
}

fn write_object(body: &Body, equals: &str, out: &mut String) {
    out.push('{');
    write_entries(body, equals, out);
    out.push('}');
}

fn write_entries(body: &Body, equals: &str, out: &mut String) {
    for (number, entry) in body.entries.iter().enumerate() {
        if number > 0 {
            out.push_str(if equals == " = " { "\n" } else { ",\n" });
        }
        write_text(&entry.key.text, equals, out);
        out.push_str(equals);
        write_value(&entry.value, equals, out);
    }
}

fn write_value(value: &Value, equals: &str, out: &mut String) {
    match &value.kind {
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::List(values) => {
            out.push('[');
            for (number, value) in values.iter().enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                write_value(value, equals, out);
            }
            out.push(']');
        }
        Kind::Null => out.push_str("null"),
        Kind::Number(number) => out.push_str(number.as_str()),
        Kind::Object(body) => write_object(body, equals, out),
        Kind::String(text) => write_text(text, equals, out),
    }
}

/// All but letters and digits as escapes, so that nothing in the text has a meaning.
fn write_text(text: &str, equals: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        if char.is_ascii_alphanumeric() {
            out.push(char);
        } else if equals == " = " {
            out.push_str(&format!("\\U{:08x}", u32::from(char)));
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out.push('"');
}

/// Equal but for places.
fn same(left: &Body, right: &Body) -> bool {
    let pairs = left.entries.iter().zip(&right.entries);
    left.entries.len() == right.entries.len()
        && pairs.into_iter().all(|(left, right)| {
            left.key.text == right.key.text && same_kind(&left.value.kind, &right.value.kind)
        })
}

fn same_kind(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::List(left), Kind::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same_kind(&left.kind, &right.kind))
        }
        (Kind::Object(left), Kind::Object(right)) => same(left, right),
        _ => left == right,
    }
}

/// What is read here is JSON to serde_json, and the other way round within the documented limits.
fn compare_with_another_reader(text: &str, body: Option<&Body>) {
    if body.is_some() {
        assert!(serde_json::from_str::<IgnoredAny>(text).is_ok(), "taken for JSON");
    }
    let Ok(theirs) = serde_json::from_str::<Json>(text) else { return };
    let within_limits = depth(&theirs) <= base_hcl::DEPTH_MAX
        && text.len() <= SIZE_MAX
        && !text.contains("\\u0000");
    match body {
        Some(body) => assert_eq!(json(&Kind::Object(body.clone())), theirs),
        None => assert!(!within_limits, "this JSON was refused"),
    }
}

fn depth(value: &Json) -> usize {
    let below = match value {
        Json::Array(values) => values.iter().map(depth).max(),
        Json::Object(object) => object.values().map(depth).max(),
        Json::Bool(_) | Json::Null | Json::Number(_) | Json::String(_) => None,
    };
    1 + below.unwrap_or(0)
}

/// Of a key that occurs twice the last value stays, as in serde_json.
fn json(kind: &Kind) -> Json {
    match kind {
        Kind::Bool(value) => (*value).into(),
        Kind::List(values) => values.iter().map(|value| json(&value.kind)).collect(),
        Kind::Null => Json::Null,
        Kind::Number(number) => serde_json::from_str(number.as_str()).unwrap(),
        Kind::Object(body) => {
            let pairs = body.entries.iter();
            Json::Object(pairs.map(|e| (e.key.text.clone(), json(&e.value.kind))).collect())
        }
        Kind::String(text) => text.as_str().into(),
    }
}

/// [`PLANTED`] stands in the text, and only as the value of one of `keys`. A text that cannot be
/// read, or has it elsewhere too, does not count.
pub(crate) fn is_planted_only_in(text: &str, keys: &[&str]) -> bool {
    fn elsewhere(body: &Body, keys: &[&str], found: &mut bool) -> bool {
        body.entries.iter().any(|entry| {
            let expected = keys.contains(&entry.key.text.as_str());
            entry.key.text.contains(PLANTED)
                || kind_elsewhere(&entry.value.kind, expected, keys, found)
        })
    }
    fn kind_elsewhere(kind: &Kind, expected: bool, keys: &[&str], found: &mut bool) -> bool {
        match kind {
            Kind::Bool(_) | Kind::Null | Kind::Number(_) => false,
            Kind::List(values) => {
                values.iter().any(|value| kind_elsewhere(&value.kind, expected, keys, found))
            }
            Kind::Object(body) => elsewhere(body, keys, found),
            Kind::String(text) => {
                let planted = text.contains(PLANTED);
                *found |= planted;
                planted && !expected
            }
        }
    }
    let mut found = false;
    base_hcl::parse(text).is_ok_and(|body| !elsewhere(&body, keys, &mut found)) && found
}
