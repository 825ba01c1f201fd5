//! Manifests of Kubernetes as trees: what stands under a key, and changes of it.

use base_types::{Error, Result};
use files_document::{Document, Format, Item, Member, Scalar, Value, get};

/// Reads a stream of manifests: JSON if it begins with a brace, else YAML.
///
/// # Errors
/// `Invalid`, with line and column, if it is neither.
pub(crate) fn read(text: &[u8]) -> Result<Document> {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let format = if first == Some(&b'{') { Format::Json } else { Format::Yaml };
    Document::parse(format, text)
}

/// The manifests of a stream and their places among its documents, of which empty ones are none.
pub(crate) fn objects(document: &Document) -> Vec<(usize, &[Item])> {
    let objects = document.trees().iter().map(Vec::as_slice).enumerate();
    objects.filter(|(_, items)| members(items).next().is_some()).collect()
}

/// The items of the mapping under `key`; none if there is none.
pub(crate) fn map<'a>(items: &'a [Item], key: &str) -> &'a [Item] {
    match get(items, key) {
        Some(Value::Map(inner)) => inner,
        _ => &[],
    }
}

/// The mapping under `key`, made if there is none.
pub(crate) fn map_mut<'a>(items: &'a mut Vec<Item>, key: &str) -> &'a mut Vec<Item> {
    if !matches!(get(items, key), Some(Value::Map(_))) {
        set(items, key, Value::Map(Vec::new()));
    }
    let found = items.iter_mut().find_map(|item| match item {
        Item::Member(Member { key: other, value: Value::Map(inner) }) if other == key => {
            Some(inner)
        }
        Item::Comment(_) | Item::Member(_) => None,
    });
    found.expect("the mapping was made above")
}

/// The text under `key`.
pub(crate) fn text<'a>(items: &'a [Item], key: &str) -> Option<&'a str> {
    match get(items, key) {
        Some(Value::Scalar(Scalar::Text(text))) => Some(text.expose()),
        _ => None,
    }
}

/// The members of a mapping, without its comments.
pub(crate) fn members(items: &[Item]) -> impl Iterator<Item = (&str, &Value)> {
    items.iter().filter_map(|item| match item {
        Item::Comment(_) => None,
        Item::Member(member) => Some((member.key.as_str(), &member.value)),
    })
}

/// The texts of a mapping; `place` is what errors call it.
///
/// # Errors
/// `Invalid` for a value that is no text.
pub(crate) fn texts<'a>(items: &'a [Item], place: &str) -> Result<Vec<(&'a str, &'a str)>> {
    members(items)
        .map(|(key, value)| match value {
            Value::Scalar(Scalar::Text(text)) => Ok((key, text.expose().as_str())),
            // The API takes nothing for an empty value.
            Value::Scalar(Scalar::Null) => Ok((key, "")),
            Value::List(_) | Value::Map(_) | Value::Scalar(_) => {
                Err(Error::invalid(format!("{place}.{key} must be a string: put it in quotes")))
            }
        })
        .collect()
}

pub(crate) fn set(items: &mut Vec<Item>, key: &str, value: impl Into<Value>) {
    let value = value.into();
    let found = items.iter_mut().find_map(|item| match item {
        Item::Member(member) if member.key == key => Some(&mut member.value),
        Item::Comment(_) | Item::Member(_) => None,
    });
    match found {
        Some(old) => *old = value,
        None => items.push(Item::member(key, value)),
    }
}

pub(crate) fn set_text(items: &mut Vec<Item>, key: &str, text: &str) {
    set(items, key, Scalar::text(text));
}

pub(crate) fn remove(items: &mut Vec<Item>, key: &str) {
    items.retain(|item| !matches!(item, Item::Member(member) if member.key == key));
}

/// Takes out mappings that hold nothing.
pub(crate) fn remove_if_empty(items: &mut Vec<Item>, key: &str) {
    if matches!(get(items, key), Some(Value::Map(inner)) if inner.is_empty()) {
        remove(items, key);
    }
}

/// What of an object's metadata only the cluster writes, and means nothing elsewhere.
const SERVER_SIDE: [&str; 9] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

pub(crate) fn strip_server_side(metadata: &mut Vec<Item>) {
    SERVER_SIDE.iter().for_each(|key| remove(metadata, key));
}

/// The kind of a manifest must be `kind`, if it says one.
///
/// # Errors
/// `Invalid`, naming what it is instead.
pub(crate) fn expect_kind(manifest: &[Item], kind: &str) -> Result<()> {
    match text(manifest, "kind") {
        None => Ok(()),
        Some(found) if found == kind => Ok(()),
        Some(found) => {
            let name = text(map(manifest, "metadata"), "name").unwrap_or_default();
            Err(Error::invalid(format!("the input is a {found} '{name}', and must be a {kind}")))
        }
    }
}
