//! YAML: events of a parser with their places become a tree, changes become splices of the text.

mod read;
mod scalar;
mod simple;
mod write;

pub(crate) use read::read;
pub(crate) use write::Writer;

use crate::layout::{Kind, Layout, hoist};
use crate::{Element, Item, Value};

/// The indentation of sops, for files that show none of their own.
pub(crate) const STEP: usize = 4;

/// How far a document indents a mapping or a list below its key. More than 9 a block scalar could
/// not name.
pub(crate) fn step(layout: &Layout) -> usize {
    step_within(layout).unwrap_or(STEP)
}

fn step_within(layout: &Layout) -> Option<usize> {
    let Kind::Block { indent, parts, .. } = &layout.kind else { return None };
    let values = || parts.iter().filter_map(|part| part.value.as_ref());
    values()
        .filter_map(|value| match &value.kind {
            Kind::Block { indent: inner, .. } => {
                inner.checked_sub(*indent).filter(|step| (1..=9).contains(step))
            }
            Kind::Flow { .. } | Kind::Whole => None,
        })
        .next()
        .or_else(|| values().find_map(step_within))
}

/// Whether a list holds comments, itself or within its elements, so that [`hoisted`] may move some.
pub(crate) fn has_list_comment(items: &[Item]) -> bool {
    items.iter().any(|item| matches!(item, Item::Member(member) if in_lists(&member.value)))
}

fn in_lists(value: &Value) -> bool {
    match value {
        Value::List(elements) => elements.iter().any(|element| match element {
            Element::Comment(_) => true,
            Element::Value(value) => has_comment(value),
        }),
        Value::Map(items) => has_list_comment(items),
        Value::Scalar(_) => false,
    }
}

fn has_comment(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Scalar(_) => in_lists(value),
        Value::Map(items) => items.iter().any(|item| match item {
            Item::Comment(_) => true,
            Item::Member(member) => has_comment(&member.value),
        }),
    }
}

/// The items with the comments of list elements where reading would find them.
pub(crate) fn hoisted(items: Vec<Item>) -> Vec<Item> {
    let mut value = Value::Map(items);
    hoist(&mut value, None);
    match value {
        Value::Map(items) => items,
        Value::List(_) | Value::Scalar(_) => Vec::new(),
    }
}
