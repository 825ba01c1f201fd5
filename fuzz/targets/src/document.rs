use base_types::ErrorKind;
use files_document::{Document, Element, Format, Item, Scalar, Value};

use crate::PLANTED;
use crate::hcl::{Lines, position};

const FORMATS: [Format; 6] =
    [Format::Binary, Format::Dotenv, Format::Ini, Format::Json, Format::Toml, Format::Yaml];

/// Files with secrets in every format: an error names a place inside the text and repeats no
/// value, what was read can be written afresh as YAML and JSON and is read as the same, no change
/// means no change of a byte, and an edit either says what was meant or leaves the file alone.
pub fn document(data: &[u8]) {
    for format in FORMATS {
        match Document::parse(format, data) {
            Ok(file) => {
                assert_eq!(file.text(), data);
                check_debug(&file);
                check_edits(&file);
                check_fresh(&file);
            }
            Err(error) if error.is(ErrorKind::TooLarge) => {}
            Err(error) => {
                assert!(error.is(ErrorKind::Invalid), "{error:?}");
                let at = position(error.public()).expect("an error begins with its place");
                Lines::of(&String::from_utf8_lossy(data)).check(at);
                assert!(
                    names_key(error.public()) || !error.public().contains(PLANTED),
                    "{error:?}"
                );
            }
        }
    }
}

/// Keys are no secrets, and messages name them.
fn names_key(message: &str) -> bool {
    ["key", "section", "table", "anchor"].iter().any(|word| message.contains(word))
}

fn check_debug(file: &Document) {
    let has_key = file.trees().iter().any(|items| any_key(items, &|key| key.contains(PLANTED)));
    assert!(has_key || !format!("{file:?}").contains(PLANTED));
}

fn any_key(items: &[Item], wanted: &impl Fn(&str) -> bool) -> bool {
    fn within(value: &Value, wanted: &impl Fn(&str) -> bool) -> bool {
        match value {
            Value::Map(items) => any_key(items, wanted),
            Value::List(elements) => elements.iter().any(|element| match element {
                Element::Comment(_) => false,
                Element::Value(value) => within(value, wanted),
            }),
            Value::Scalar(_) => false,
        }
    }
    items.iter().any(|item| match item {
        Item::Comment(_) => false,
        Item::Member(member) => wanted(&member.key) || within(&member.value, wanted),
    })
}

fn check_edits(file: &Document) {
    let mut same = file.clone();
    same.update(file.trees().to_vec()).expect("no change is no edit");
    assert_eq!(same.text(), file.text());

    let mut changed = file.trees().to_vec();
    changed.iter_mut().for_each(|items| replace_scalars(items));
    check_edit(file, changed);

    let mut longer = file.trees().to_vec();
    longer[0].push(Item::member("fuzz", vec![Item::member("key", Scalar::text("a\nb\n"))]));
    check_edit(file, longer);

    let mut shorter = file.trees().to_vec();
    shorter[0].pop();
    check_edit(file, shorter);
}

fn check_edit(file: &Document, trees: Vec<Vec<Item>>) {
    let mut edited = file.clone();
    if edited.update(trees).is_ok() {
        let again = Document::parse(file.format(), edited.text()).expect("an edit gives a file");
        assert!(again.trees() == edited.trees());
    } else {
        assert_eq!(edited.text(), file.text());
        assert!(edited.trees() == file.trees());
    }
}

fn replace_scalars(items: &mut [Item]) {
    fn within(value: &mut Value) {
        match value {
            Value::Map(items) => replace_scalars(items),
            Value::List(elements) => {
                for element in elements {
                    if let Element::Value(value) = element {
                        within(value);
                    }
                }
            }
            Value::Scalar(scalar) => *scalar = Scalar::text("ENC[AES256_GCM,data:eA==,type:str]"),
        }
    }
    for item in items {
        if let Item::Member(member) = item {
            within(&mut member.value);
        }
    }
}

/// Comments aside, which JSON has not and which move in fresh YAML.
fn check_fresh(file: &Document) {
    let trees = file.trees().iter().map(|items| bare(items)).collect::<Vec<_>>();
    for format in [Format::Json, Format::Yaml] {
        let repeats = file.format() == Format::Dotenv;
        let Ok(text) = Document::emit(format, &trees, None) else { continue };
        match Document::parse(format, &text) {
            // JSON has no times, and YAML no times without a zone.
            Ok(fresh) if format == Format::Yaml && file.format() != Format::Toml => {
                assert!(fresh.trees() == trees);
            }
            Ok(fresh) => assert_eq!(fresh.trees().len(), 1),
            // dotenv may repeat a key, which the others refuse, and lists may nest deep in one.
            Err(error) => assert!(repeats || error.is(ErrorKind::TooLarge), "{error:?}"),
        }
    }
}

fn bare(items: &[Item]) -> Vec<Item> {
    fn bare_value(value: &Value) -> Value {
        match value {
            Value::Map(items) => bare(items).into(),
            Value::List(elements) => elements
                .iter()
                .filter_map(|element| match element {
                    Element::Comment(_) => None,
                    Element::Value(inner) => Some(Element::Value(bare_value(inner))),
                })
                .collect::<Vec<_>>()
                .into(),
            Value::Scalar(scalar) => scalar.clone().into(),
        }
    }
    items
        .iter()
        .filter_map(|item| match item {
            Item::Comment(_) => None,
            Item::Member(member) => {
                Some(Item::member(member.key.clone(), bare_value(&member.value)))
            }
        })
        .collect()
}
