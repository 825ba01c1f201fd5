//! YAML: events of a parser with their places become a tree, changes become splices of the text.

mod read;
mod scalar;
mod write;

pub(crate) use read::read;
pub(crate) use write::Writer;

use crate::layout::{Kind, Layout, hoist};
use crate::{Item, Value};

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

/// The items with the comments of list elements where reading would find them.
pub(crate) fn hoisted(items: Vec<Item>) -> Vec<Item> {
    let mut value = Value::Map(items);
    hoist(&mut value, None);
    match value {
        Value::Map(items) => items,
        Value::List(_) | Value::Scalar(_) => Vec::new(),
    }
}
