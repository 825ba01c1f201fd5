use files_document::{Comment, Document, Element, Format, Item, Scalar, Value};
use proptest::prelude::*;

use crate::outline;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,6}",
        "[ -~]{0,12}",
        "[ \\-:#,\\[\\]{}'\"&*!|>%@`0-9a-e.~]{0,8}",
        "[a-z \t\n]{0,16}",
        "[\u{0}-\u{ff}\u{2028}é☃😀]{0,6}",
        Just("-----BEGIN KEY-----\nabc\n-----END KEY-----\n".to_owned()),
        Just("ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]".to_owned()),
        Just("true".to_owned()),
        Just("0x1F".to_owned()),
        Just("2001-01-01".to_owned()),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        6 => text().prop_map(Scalar::text),
        1 => any::<bool>().prop_map(Scalar::Bool),
        1 => any::<i64>().prop_map(Scalar::Int),
        1 => proptest::num::f64::NORMAL.prop_map(Scalar::Float),
    ]
}

fn comment() -> impl Strategy<Value = Comment> {
    "[ -~]{0,10}".prop_map(Comment::new)
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_map(Value::from).prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            items(inner.clone()).prop_map(Value::Map),
            prop::collection::vec(inner.prop_map(Element::Value), 0..5).prop_map(Value::List),
        ]
    })
}

/// A mapping with different keys, and comments between some.
fn items(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Vec<Item>> {
    let key = prop_oneof![4 => "[a-zA-Z_]{1,6}", 1 => "[ -~é]{1,6}"];
    let remark = prop::option::weighted(0.2, comment());
    prop::collection::btree_map(key, (value, remark), 1..5).prop_map(|members| {
        let items = members.into_iter().flat_map(|(key, (value, remark))| {
            [Item::member(key, value)].into_iter().chain(remark.map(Item::Comment))
        });
        let mut items = items.collect::<Vec<_>>();
        // What follows a block may be read as a part of it: comments stand between members alone.
        if let Some(Item::Comment(_)) = items.last() {
            items.pop();
        }
        items
    })
}

/// The tree without comments and, where the format has no such type, without it.
fn bare(items: Vec<Item>) -> Vec<Item> {
    items
        .into_iter()
        .filter_map(|item| match item {
            Item::Comment(_) => None,
            Item::Member(member) => Some(Item::member(member.key, bare_value(member.value))),
        })
        .collect()
}

fn bare_value(value: Value) -> Value {
    match value {
        Value::Map(items) => Value::Map(bare(items)),
        Value::List(elements) => Value::List(
            elements
                .into_iter()
                .map(|element| match element {
                    Element::Comment(_) => element,
                    Element::Value(value) => Element::Value(bare_value(value)),
                })
                .collect(),
        ),
        Value::Scalar(scalar) => scalar.into(),
    }
}

/// Calls for every scalar in a tree.
fn scalars<'a>(items: &'a mut [Item], found: &mut Vec<&'a mut Scalar>) {
    for item in items {
        if let Item::Member(member) = item {
            scalars_of(&mut member.value, found);
        }
    }
}

fn scalars_of<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Scalar>) {
    match value {
        Value::Map(items) => scalars(items, found),
        Value::List(elements) => {
            for element in elements {
                if let Element::Value(value) = element {
                    scalars_of(value, found);
                }
            }
        }
        Value::Scalar(scalar) => found.push(scalar),
    }
}

fn file(format: Format, items: &[Item]) -> Document {
    let text = Document::emit(format, &[items.to_vec()], None).unwrap();
    Document::parse(format, &text)
        .unwrap_or_else(|error| panic!("{error:?} in {}", String::from_utf8_lossy(&text)))
}

proptest! {
    /// What is written is read as the same, in every format that holds trees.
    #[test]
    fn fresh_files_say_what_was_meant(items in items(value())) {
        for format in [Format::Yaml, Format::Json] {
            let items = if format == Format::Yaml { items.clone() } else { bare(items.clone()) };
            let file = file(format, &items);
            prop_assert_eq!(outline(&file.trees()[0]), outline(&items), "{}", String::from_utf8_lossy(file.text()));
        }
        let items = bare(items);
        let sort = |items: &[Item]| {
            let mut lines = outline(items).lines().map(str::to_owned).collect::<Vec<_>>();
            lines.sort();
            lines
        };
        prop_assert_eq!(sort(&file(Format::Toml, &items).trees()[0]), sort(&items));
    }

    /// One scalar becomes another of one line: the bytes before and behind it stay.
    #[test]
    fn one_scalar_moves_nothing_else(
        items in items(value()),
        pick in any::<prop::sample::Index>(),
        new in "[a-z]{3,9}",
    ) {
        for format in [Format::Yaml, Format::Json, Format::Toml] {
            let items = if format == Format::Yaml { items.clone() } else { bare(items.clone()) };
            let mut file = file(format, &items);
            let before = String::from_utf8(file.text().to_vec()).unwrap();
            let mut trees = file.trees().to_vec();
            let mut found = Vec::new();
            scalars(&mut trees[0], &mut found);
            if found.is_empty() {
                continue;
            }
            let index = pick.index(found.len());
            let old_lines = match &*found[index] {
                Scalar::Text(text) => text.expose().matches('\n').count() + 2,
                _ => 1,
            };
            *found[index] = Scalar::text(format!("new{new}"));
            file.update(trees).unwrap_or_else(|error| panic!("{error:?} from {before}"));
            let after = String::from_utf8(file.text().to_vec()).unwrap();
            let (old, new) = (before.lines().collect::<Vec<_>>(), after.lines().collect::<Vec<_>>());
            let start = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
            let rest = old.len().min(new.len()) - start;
            let end = (1..=rest).take_while(|at| old[old.len() - at] == new[new.len() - at]).count();
            prop_assert!(new.len() - start - end <= 1);
            prop_assert!(old.len() - start - end <= old_lines);
        }
    }

    /// From any tree to any other: the file says it, or the edit is refused with a reason.
    #[test]
    fn any_tree_becomes_any_other(old in items(value()), new in items(value())) {
        for format in [Format::Yaml, Format::Json] {
            let bared = |items: &Vec<Item>| if format == Format::Yaml { items.clone() } else { bare(items.clone()) };
            let mut file = file(format, &bared(&old));
            let before = file.text().to_vec();
            match file.update(vec![bared(&new)]) {
                Ok(()) => prop_assert_eq!(outline(&file.trees()[0]), outline(&bared(&new))),
                Err(error) => {
                    prop_assert!(
                        error.is(base_types::ErrorKind::Invalid),
                        "{error:?} from {} to {}",
                        String::from_utf8_lossy(&before),
                        outline(&bared(&new))
                    );
                    prop_assert_eq!(file.text(), before);
                }
            }
        }
    }

    /// An edit and its inverse give the file back.
    #[test]
    fn a_new_member_goes_without_a_trace(items in items(value()), new in value()) {
        for format in [Format::Yaml, Format::Json] {
            let items = if format == Format::Yaml { items.clone() } else { bare(items.clone()) };
            let mut file = file(format, &items);
            let (text, plain) = (file.text().to_vec(), file.trees().to_vec());
            let mut trees = plain.clone();
            trees[0].push(Item::member("a new member", bare_value(new.clone())));
            file.update(trees).unwrap();
            file.update(plain).unwrap();
            prop_assert_eq!(String::from_utf8_lossy(file.text()), String::from_utf8_lossy(&text));
        }
    }
}
