//! Metadata in formats without nesting: `age__list_0__map_enc=…`.

use std::collections::BTreeMap;

use files_document::{Element, Item, Member, Scalar, Value};

use crate::{Failure, FailureKind, Result};

const MAP: &str = "__map_";
const LIST: &str = "__list_";
/// More elements than this no list of metadata has; a position beyond it would only fill memory.
const POSITION_MAX: usize = 10_000;

/// The leaves of a tree with their flat keys, in order. Nulls and comments are left out.
pub(crate) fn flatten(items: &[Item]) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for item in items {
        if let Item::Member(Member { key, value }) = item {
            leaves(key, value, &mut flat);
        }
    }
    flat
}

fn leaves(key: &str, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::List(elements) => {
            let values = elements.iter().filter_map(|element| match element {
                Element::Comment(_) => None,
                Element::Value(value) => Some(value),
            });
            for (at, value) in values.enumerate() {
                leaves(&format!("{key}{LIST}{at}"), value, flat);
            }
        }
        Value::Map(items) => {
            for item in items {
                if let Item::Member(Member { key: inner, value }) = item {
                    leaves(&format!("{key}{MAP}{inner}"), value, flat);
                }
            }
        }
        Value::Scalar(scalar) => flat.extend(text(scalar).map(|text| (key.to_owned(), text))),
    }
}

/// A scalar of metadata as text; nothing for null.
pub(crate) fn text(scalar: &Scalar) -> Option<String> {
    Some(match scalar {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Bytes(bytes) => String::from_utf8_lossy(bytes.expose()).into_owned(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Null => return None,
        Scalar::Text(text) => text.expose().clone(),
        Scalar::Time(time) => time.clone(),
    })
}

/// What [`flatten`] was given, every leaf as text; keys in the order of the first leaf of each.
///
/// # Errors
/// `Unreadable` if two keys contradict each other.
pub(crate) fn unflatten<'a>(flat: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Vec<Item>> {
    let mut root = Node::Map(Vec::new());
    for (key, text) in flat {
        place(&mut root, &steps(key), text).ok_or_else(|| {
            let text = format!("the metadata key '{key}' contradicts another one");
            Failure::new(FailureKind::Unreadable, text)
        })?;
    }
    match root.into_value() {
        Value::Map(items) => Ok(items),
        Value::List(_) | Value::Scalar(_) => Ok(Vec::new()),
    }
}

enum Node<'a> {
    Leaf(&'a str),
    List(BTreeMap<usize, Self>),
    Map(Vec<(&'a str, Self)>),
}

enum Step<'a> {
    At(usize),
    Key(&'a str),
}

/// `age__list_0__map_enc` is the key `age`, the position 0 and the key `enc`.
fn steps(key: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = key;
    let mut in_list = false;
    loop {
        let next = [rest.find(MAP), rest.find(LIST)].into_iter().flatten().min();
        let (word, after) = rest.split_at(next.unwrap_or(rest.len()));
        steps.push(match word.parse() {
            Ok(at) if in_list && at <= POSITION_MAX => Step::At(at),
            _ => Step::Key(word),
        });
        in_list = after.starts_with(LIST);
        let sign = if in_list { LIST } else { MAP };
        match after.strip_prefix(sign) {
            Some(after) => rest = after,
            None => return steps,
        }
    }
}

/// Nothing if a value or a node of another kind is there already.
fn place<'a>(node: &mut Node<'a>, steps: &[Step<'a>], text: &'a str) -> Option<()> {
    let [step, rest @ ..] = steps else { return None };
    let new = || match rest.first() {
        None => Node::Leaf(text),
        Some(Step::At(_)) => Node::List(BTreeMap::new()),
        Some(Step::Key(_)) => Node::Map(Vec::new()),
    };
    let inner = match (node, step) {
        (Node::List(list), Step::At(at)) => {
            if rest.is_empty() && list.contains_key(at) {
                return None;
            }
            list.entry(*at).or_insert_with(new)
        }
        (Node::Map(map), Step::Key(key)) => {
            let at = map.iter().position(|(other, _)| other == key);
            if rest.is_empty() && at.is_some() {
                return None;
            }
            let at = at.unwrap_or_else(|| {
                map.push((key, new()));
                map.len() - 1
            });
            &mut map[at].1
        }
        _ => return None,
    };
    if rest.is_empty() { Some(()) } else { place(inner, rest, text) }
}

impl Node<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(text) => Scalar::text(text).into(),
            Self::List(list) => {
                let values = list.into_values().map(|node| Element::Value(node.into_value()));
                values.collect::<Vec<_>>().into()
            }
            Self::Map(map) => {
                let member = |(key, node): (&str, Node<'_>)| Item::member(key, node.into_value());
                map.into_iter().map(member).collect::<Vec<_>>().into()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn flat_keys_become_a_tree_and_come_back() {
        let flat = [
            ("version", "3.11.0"),
            ("age__list_0__map_enc", "a"),
            ("age__list_0__map_recipient", "b"),
            ("age__list_1__map_enc", "c"),
            ("kms__list_0__map_context__map_app", "d"),
        ];
        let tree = unflatten(flat.into_iter()).unwrap();
        let again = flatten(&tree);
        let again: Vec<_> = again.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(again, flat);
    }

    #[test]
    fn contradictions_are_refused() {
        for flat in [
            [("a", "1"), ("a__map_b", "2")],
            [("a__map_b", "2"), ("a", "1")],
            [("a__list_0", "2"), ("a__map_b", "1")],
            [("a", "2"), ("a", "1")],
            [("a__list_0", "2"), ("a__list_0", "1")],
        ] {
            assert!(unflatten(flat.into_iter()).is_err());
        }
    }

    #[test]
    fn a_huge_position_is_a_key() {
        assert!(unflatten([("a__list_99999999999", "1")].into_iter()).is_ok());
    }
}
