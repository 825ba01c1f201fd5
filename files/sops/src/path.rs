use std::fmt;
use std::str::FromStr;

use files_document::{Document, Element, Format, Item, Member, Value};
use serde_json::value::RawValue;

use crate::{Failure, FailureKind, Result};

/// The way to a value: `["key"]["inner"][0]`. As in sops a comment in a list takes up a position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    At(usize),
    Key(String),
}

impl FromStr for Path {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Failure::new(
                FailureKind::PathInvalid,
                format!("'{text}' is no path; write it as [\"key\"][\"inner\"][0]"),
            )
        };
        let mut steps = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(bad)?;
            steps.push(step);
            rest = after.trim_start();
        }
        Ok(Self(steps))
    }
}

/// The first step and what follows it.
fn step(text: &str) -> Option<(Step, &str)> {
    let inner = text.strip_prefix('[')?.trim_start();
    let (step, rest) = match inner.chars().next()? {
        '"' => {
            // The value of a JSON text may hold escaped quotes.
            let mut values = serde_json::Deserializer::from_str(inner).into_iter::<String>();
            let key = values.next()?.ok()?;
            (Step::Key(key), &inner[values.byte_offset()..])
        }
        '\'' => {
            let (key, rest) = inner[1..].split_once('\'')?;
            (Step::Key(key.to_owned()), rest)
        }
        _ => {
            let (digits, _) = inner.split_once(']')?;
            (Step::At(digits.trim().parse().ok()?), &inner[digits.len()..])
        }
    };
    Some((step, rest.trim_start().strip_prefix(']')?))
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "[{at}]"),
            // As JSON, which is how it is read.
            Self::Key(key) => write!(f, "[{}]", serde_json::Value::from(key.as_str())),
        }
    }
}

impl Path {
    /// Whether it leads nowhere but to the whole file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is there.
    ///
    /// # Errors
    /// `PathMissing`, naming the step that leads nowhere.
    pub fn get(&self, items: &[Item]) -> Result<Value> {
        let mut value = Value::from(items.to_vec());
        for step in &self.0 {
            let inner = match (value, step) {
                (Value::Map(items), Step::Key(key)) => {
                    items.into_iter().find_map(|item| match item {
                        Item::Member(member) if member.key == *key => Some(member.value),
                        _ => None,
                    })
                }
                (Value::List(elements), Step::At(at)) => {
                    elements.into_iter().nth(*at).and_then(|element| match element {
                        Element::Comment(_) => None,
                        Element::Value(value) => Some(value),
                    })
                }
                _ => None,
            };
            value = inner.ok_or_else(|| missing(step))?;
        }
        Ok(value)
    }

    /// Puts `value` there. What is missing on the way is made; an index behind the end of a list
    /// appends to it, and a scalar on the way gives way.
    ///
    /// # Errors
    /// `PathInvalid` for an index into a mapping, a key of a list, and the empty path.
    pub fn set(&self, items: &mut Vec<Item>, value: Value) -> Result<()> {
        match self.0.split_first() {
            Some((Step::Key(key), rest)) => set_member(items, key, rest, value),
            Some((Step::At(_), _)) => Err(mismatch("a file has keys at its top, no positions")),
            None => Err(mismatch("the path must name a key")),
        }
    }

    /// Takes away what is there.
    ///
    /// # Errors
    /// `PathMissing`, naming the step that leads nowhere.
    pub fn unset(&self, items: &mut Vec<Item>) -> Result<()> {
        let Some((last, way)) = self.0.split_last() else {
            return Err(mismatch("the path must name a key"));
        };
        let mut place = Place::Items(items);
        for step in way {
            place = place.enter(step).ok_or_else(|| missing(step))?;
        }
        place.remove(last).ok_or_else(|| missing(last))
    }
}

/// A value written as JSON.
///
/// # Errors
/// `PathInvalid` if it is none; the text is not quoted, since it is a secret.
pub fn value_of_json(text: &str) -> Result<Value> {
    let bad = || Failure::new(FailureKind::PathInvalid, "Value for --set is not valid JSON");
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| bad())?;
    let wrapped = zeroize::Zeroizing::new(format!("{{\"value\":{}}}", raw.get()));
    let document = Document::parse(Format::Json, wrapped.as_bytes())?;
    let value = document.trees().first().and_then(|tree| files_document::get(tree, "value"));
    value.cloned().ok_or_else(bad)
}

fn set_member(items: &mut Vec<Item>, key: &str, rest: &[Step], value: Value) -> Result<()> {
    let found = items.iter_mut().find_map(|item| match item {
        Item::Member(member) if member.key == key => Some(member),
        _ => None,
    });
    match found {
        Some(member) => set_value(&mut member.value, rest, value),
        None => {
            items.push(Item::Member(Member { key: key.to_owned(), value: made(rest, value) }));
            Ok(())
        }
    }
}

fn set_value(place: &mut Value, steps: &[Step], value: Value) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        *place = value;
        return Ok(());
    };
    match (place, step) {
        (Value::Map(items), Step::Key(key)) => set_member(items, key, rest, value),
        (Value::List(elements), Step::At(at)) => {
            match elements.get_mut(*at) {
                Some(Element::Value(place)) => return set_value(place, rest, value),
                Some(comment @ Element::Comment(_)) => *comment = Element::Value(made(rest, value)),
                None => elements.push(Element::Value(made(rest, value))),
            }
            Ok(())
        }
        (place @ Value::Scalar(_), _) => {
            *place = made(steps, value);
            Ok(())
        }
        (Value::Map(_), Step::At(_)) => {
            Err(mismatch(&format!("{step} is a position, but a mapping is there")))
        }
        (Value::List(_), Step::Key(_)) => {
            Err(mismatch(&format!("{step} is a key, but a list is there")))
        }
    }
}

/// `value` within the mappings and lists that `steps` ask for.
fn made(steps: &[Step], value: Value) -> Value {
    steps.iter().rev().fold(value, |inner, step| match step {
        Step::At(_) => vec![Element::Value(inner)].into(),
        Step::Key(key) => vec![Item::member(key.clone(), inner)].into(),
    })
}

enum Place<'a> {
    Elements(&'a mut Vec<Element>),
    Items(&'a mut Vec<Item>),
}

impl<'a> Place<'a> {
    fn enter(self, step: &Step) -> Option<Self> {
        let value = match (self, step) {
            (Self::Items(items), Step::Key(key)) => {
                items.iter_mut().find_map(|item| match item {
                    Item::Member(member) if member.key == *key => Some(&mut member.value),
                    _ => None,
                })?
            }
            (Self::Elements(elements), Step::At(at)) => match elements.get_mut(*at)? {
                Element::Comment(_) => return None,
                Element::Value(value) => value,
            },
            _ => return None,
        };
        match value {
            Value::List(elements) => Some(Self::Elements(elements)),
            Value::Map(items) => Some(Self::Items(items)),
            Value::Scalar(_) => None,
        }
    }

    fn remove(self, step: &Step) -> Option<()> {
        match (self, step) {
            (Self::Items(items), Step::Key(key)) => {
                let is = |item: &Item| matches!(item, Item::Member(m) if m.key == *key);
                items.remove(items.iter().position(is)?);
            }
            (Self::Elements(elements), Step::At(at)) => {
                if *at >= elements.len() {
                    return None;
                }
                elements.remove(*at);
            }
            _ => return None,
        }
        Some(())
    }
}

fn missing(step: &Step) -> Failure {
    Failure::new(FailureKind::PathMissing, format!("component {step} not found"))
}

fn mismatch(text: &str) -> Failure {
    Failure::new(FailureKind::PathInvalid, text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use files_document::Scalar;

    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    fn tree(json: &str) -> Vec<Item> {
        match value_of_json(json).unwrap() {
            Value::Map(items) => items,
            Value::List(_) | Value::Scalar(_) => panic!("no mapping"),
        }
    }

    #[test]
    fn paths_are_read() {
        let key = |key: &str| Step::Key(key.to_owned());
        assert_eq!(path(r#"["a"][0]['b c']"#).0, [key("a"), Step::At(0), key("b c")]);
        assert_eq!(path(r#" ["a\"]["] [ 12 ]"#).0, [key("a\"]["), Step::At(12)]);
        for bad in [r#"["a""#, "a", "[a]", "[-1]", r#"["a"]x"#, "[]", "['a]"] {
            assert_eq!(bad.parse::<Path>().unwrap_err().kind, FailureKind::PathInvalid, "{bad}");
        }
    }

    #[test]
    fn values_are_set_where_sops_sets_them() {
        for (way, expected) in [
            (r#"["a"]"#, r#"{"a":9,"l":[1,{"k":2}]}"#),
            (r#"["n"]"#, r#"{"a":0,"l":[1,{"k":2}],"n":9}"#),
            (r#"["l"][0]"#, r#"{"a":0,"l":[9,{"k":2}]}"#),
            (r#"["l"][7]"#, r#"{"a":0,"l":[1,{"k":2},9]}"#),
            (r#"["l"][1]["k"]"#, r#"{"a":0,"l":[1,{"k":9}]}"#),
            (r#"["n"]["r"][0]"#, r#"{"a":0,"l":[1,{"k":2}],"n":{"r":[9]}}"#),
            (r#"["a"]["d"]"#, r#"{"a":{"d":9},"l":[1,{"k":2}]}"#),
        ] {
            let mut items = tree(r#"{"a":0,"l":[1,{"k":2}]}"#);
            path(way).set(&mut items, Scalar::Int(9).into()).unwrap();
            assert!(items == tree(expected), "{way}");
        }
        for way in ["", "[0]", r#"["l"]["k"]"#] {
            let mut items = tree(r#"{"a":0,"l":[1]}"#);
            assert!(path(way).set(&mut items, Scalar::Int(9).into()).is_err(), "{way}");
        }
    }

    #[test]
    fn values_are_taken_away() {
        let mut items = tree(r#"{"a":0,"l":[1,{"k":2,"m":3}]}"#);
        for way in [r#"["a"]"#, r#"["l"][1]["k"]"#, r#"["l"][0]"#] {
            path(way).unset(&mut items).unwrap();
        }
        assert!(items == tree(r#"{"l":[{"m":3}]}"#));
        for way in [r#"["a"]"#, r#"["l"][1]"#, r#"["l"]["x"]"#, r#"["l"][0]["m"]["y"]"#] {
            let failure = path(way).unset(&mut items).unwrap_err();
            assert_eq!(failure.kind, FailureKind::PathMissing, "{way}");
        }
    }

    #[test]
    fn a_value_that_is_no_json_is_not_quoted() {
        for text in ["hunter2", "1, \"x\": 2", "1}", ""] {
            let failure = value_of_json(text).unwrap_err();
            assert!(text.is_empty() || !failure.text.contains(text));
        }
    }
}
