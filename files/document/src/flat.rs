//! What dotenv and INI have in common: every value is a text.

use crate::{Element, Item, Member, Scalar, Value};

/// The trees with every scalar as the text that sops writes for it.
pub(crate) fn texts(trees: Vec<Vec<Item>>) -> Vec<Vec<Item>> {
    trees.into_iter().map(items).collect()
}

fn items(list: Vec<Item>) -> Vec<Item> {
    list.into_iter()
        .map(|item| match item {
            Item::Comment(_) => item,
            Item::Member(Member { key, value }) => Item::member(key, value_of(value)),
        })
        .collect()
}

fn value_of(value: Value) -> Value {
    match value {
        Value::List(elements) => Value::List(
            elements
                .into_iter()
                .map(|element| match element {
                    Element::Comment(_) => element,
                    Element::Value(value) => Element::Value(value_of(value)),
                })
                .collect(),
        ),
        Value::Map(list) => Value::Map(items(list)),
        Value::Scalar(scalar) => text(scalar).into(),
    }
}

/// A scalar as a text: numbers in decimals, a null as nothing. Bytes stay as they are, since no
/// text may hold them.
fn text(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::Bool(value) => Scalar::text(value.to_string()),
        Scalar::Bytes(bytes) => match String::from_utf8(bytes.expose().clone()) {
            Ok(text) => Scalar::text(text),
            Err(_) => Scalar::Bytes(bytes),
        },
        Scalar::Float(value) => Scalar::text(format!("{value:?}")),
        Scalar::Int(value) => Scalar::text(value.to_string()),
        Scalar::Null => Scalar::text(""),
        Scalar::Text(_) => scalar,
        Scalar::Time(time) => Scalar::text(time),
    }
}
