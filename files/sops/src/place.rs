//! Where a file keeps its metadata: below the key `sops`, or, without nesting, in keys that begin
//! with it.

use files_document::{Element, Format, Item, Member, Scalar, Value, get};

use crate::{Failure, FailureKind, Result, flat};

const KEY: &str = "sops";
const PREFIX: &str = "sops_";

/// Takes the metadata out of the trees; nothing if there is none. Each document of a YAML stream
/// has a copy, of which the first counts.
///
/// # Errors
/// `Unreadable` if what is there is no metadata.
pub(crate) fn take(format: Format, trees: &mut [Vec<Item>]) -> Result<Option<Vec<Item>>> {
    let mut found = None;
    for tree in trees {
        let (own, rest) = std::mem::take(tree).into_iter().partition(|item| is_own(format, item));
        *tree = rest;
        found = found.or_else(|| Some(own).filter(|own: &Vec<Item>| !own.is_empty()));
    }
    found.map(|own| read(format, &own)).transpose()
}

/// Whether any tree has something where metadata would be.
pub(crate) fn is_taken(format: Format, trees: &[Vec<Item>]) -> bool {
    trees.iter().flatten().any(|item| is_own(format, item))
}

fn is_own(format: Format, item: &Item) -> bool {
    match item {
        Item::Comment(_) => false,
        Item::Member(Member { key, .. }) => match format {
            Format::Dotenv => key.starts_with(PREFIX),
            Format::Binary | Format::Ini | Format::Json | Format::Toml | Format::Yaml => key == KEY,
        },
    }
}

fn read(format: Format, own: &[Item]) -> Result<Vec<Item>> {
    match format {
        Format::Dotenv => {
            let flat = flat::flatten(own);
            let bare = flat.iter().map(|(key, text)| (&key[PREFIX.len()..], text.as_str()));
            flat::unflatten(bare)
        }
        Format::Ini => {
            let flat = flat::flatten(members(own)?);
            // Lines end in two characters here, but in real ones in what 3.13.0 wrote.
            let flat: Vec<_> =
                flat.into_iter().map(|(key, text)| (key, text.replace("\\n", "\n"))).collect();
            flat::unflatten(flat.iter().map(|(key, text)| (key.as_str(), text.as_str())))
        }
        Format::Binary | Format::Json | Format::Toml | Format::Yaml => Ok(members(own)?.to_vec()),
    }
}

fn members(own: &[Item]) -> Result<&[Item]> {
    match get(own, KEY) {
        Some(Value::Map(items)) => Ok(items),
        _ => Err(Failure::new(
            FailureKind::Unreadable,
            "the key 'sops' is kept for the metadata, and holds none",
        )),
    }
}

/// Puts metadata into the trees in the place of `old`, the trees as they were read with theirs, or
/// else at their ends.
pub(crate) fn put(
    format: Format,
    trees: &mut [Vec<Item>],
    metadata: &[Item],
    old: Option<&[Vec<Item>]>,
) {
    for (at, tree) in trees.iter_mut().enumerate() {
        let old = old.and_then(|old| old.get(at)).map_or(&[][..], Vec::as_slice);
        let before = old.iter().take_while(|item| !is_own(format, item)).count();
        let own = written(format, metadata, old);
        let place = if before == old.len() { tree.len() } else { after(format, tree, old, before) };
        tree.splice(place..place, own);
    }
}

/// Where in `tree` the metadata stood in `old`: what followed it there still does.
fn after(format: Format, tree: &[Item], old: &[Item], before: usize) -> usize {
    let following = old[before..].iter().filter(|item| !is_own(format, item)).count();
    tree.len().saturating_sub(following)
}

fn written(format: Format, metadata: &[Item], old: &[Item]) -> Vec<Item> {
    match format {
        Format::Dotenv => {
            let flat = flat::flatten(metadata).into_iter();
            let flat = flat.map(|(key, text)| (format!("{PREFIX}{key}"), text));
            in_order(flat.collect(), old)
        }
        Format::Ini => {
            let flat = flat::flatten(metadata).into_iter();
            let flat = flat.map(|(key, text)| (key, text.replace('\n', "\\n")));
            let old = members(old).unwrap_or_default();
            vec![Item::member(KEY, in_order(flat.collect(), old))]
        }
        Format::Toml => vec![Item::member(KEY, tables_last(metadata))],
        Format::Binary | Format::Json | Format::Yaml => {
            vec![Item::member(KEY, metadata.to_vec())]
        }
    }
}

/// In TOML a table ends only where the next one begins, so its plain values come first.
fn tables_last(items: &[Item]) -> Vec<Item> {
    let is_table = |item: &Item| match item {
        Item::Comment(_) => false,
        Item::Member(member) => match &member.value {
            Value::List(elements) => {
                matches!(elements.first(), Some(Element::Value(Value::Map(_))))
            }
            Value::Map(_) => true,
            Value::Scalar(_) => false,
        },
    };
    let (tables, plain): (Vec<Item>, Vec<Item>) = items.iter().cloned().partition(is_table);
    let inner = tables.into_iter().map(|item| match item {
        Item::Member(Member { key, value }) => Item::member(key, inner_tables_last(value)),
        comment @ Item::Comment(_) => comment,
    });
    plain.into_iter().chain(inner).collect()
}

fn inner_tables_last(value: Value) -> Value {
    match value {
        Value::List(elements) => {
            let inner = elements.into_iter().map(|element| match element {
                Element::Value(value) => Element::Value(inner_tables_last(value)),
                comment @ Element::Comment(_) => comment,
            });
            inner.collect::<Vec<_>>().into()
        }
        Value::Map(items) => tables_last(&items).into(),
        scalar @ Value::Scalar(_) => scalar,
    }
}

/// Flat members in the order that they had, new ones after them by their keys.
fn in_order(mut flat: Vec<(String, String)>, old: &[Item]) -> Vec<Item> {
    let rank = |key: &str| {
        let is = |item: &Item| matches!(item, Item::Member(member) if member.key == key);
        old.iter().position(is).unwrap_or(old.len())
    };
    flat.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    flat.into_iter().map(|(key, text)| Item::member(key, Scalar::text(text))).collect()
}
