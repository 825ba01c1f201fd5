//! Files are read as sops reads them, and an edit moves nothing else.
#![allow(clippy::unwrap_used)]

mod corpus;
mod edits;
mod flat;
mod property;
mod refusals;
mod toml;

use files_document::{Comment, Document, Element, Format, Item, Scalar, Value};

/// Reads a text, edits its first tree and gives the text that comes out.
fn edited(format: Format, text: &str, edit: impl FnOnce(&mut Vec<Item>)) -> String {
    let mut file = Document::parse(format, text.as_bytes()).unwrap();
    let mut trees = file.trees().to_vec();
    edit(&mut trees[0]);
    file.update(trees).unwrap_or_else(|error| panic!("{error:?} from {text:?}"));
    String::from_utf8(file.text().to_vec()).unwrap()
}

/// The public text of the error that reading gives.
fn refused(format: Format, text: &str) -> String {
    Document::parse(format, text.as_bytes()).unwrap_err().public().to_owned()
}

/// The place in a tree that keys and, for lists, numbers lead to.
fn at<'a>(items: &'a mut [Item], path: &[&str]) -> &'a mut Value {
    let (key, rest) = path.split_first().unwrap();
    let value = items.iter_mut().find_map(|item| match item {
        Item::Member(member) if member.key == *key => Some(&mut member.value),
        _ => None,
    });
    rest.iter().fold(value.unwrap(), |value, step| match value {
        Value::Map(items) => at(items, &[step]),
        Value::List(elements) => {
            let values = elements.iter_mut().filter_map(|element| match element {
                Element::Comment(_) => None,
                Element::Value(value) => Some(value),
            });
            values.into_iter().nth(step.parse().unwrap()).unwrap()
        }
        Value::Scalar(_) => panic!("a scalar has no parts"),
    })
}

/// Does to every scalar and comment what encryption does: it becomes another, longer text.
fn encrypted(items: &mut [Item]) {
    for item in items {
        match item {
            Item::Comment(comment) => encrypt_comment(comment),
            Item::Member(member) => encrypt_value(&mut member.value),
        }
    }
}

fn encrypt_value(value: &mut Value) {
    match value {
        Value::Map(items) => encrypted(items),
        Value::List(elements) => {
            for element in elements {
                match element {
                    Element::Comment(comment) => encrypt_comment(comment),
                    Element::Value(value) => encrypt_value(value),
                }
            }
        }
        Value::Scalar(Scalar::Null) => {}
        Value::Scalar(scalar) => {
            *scalar = Scalar::text("ENC[AES256_GCM,data:c2NhbGFy,iv:aXY=,tag:dGFn,type:str]");
        }
    }
}

fn encrypt_comment(comment: &mut Comment) {
    *comment = Comment::new("ENC[AES256_GCM,data:Y29t,iv:aXY=,tag:dGFn,type:comment]");
}

/// A tree as lines that can be read: `key: type value` indented by level, `#` for a comment, `{}`
/// and `[]` for what follows deeper.
fn outline(items: &[Item]) -> String {
    let mut out = String::new();
    outline_items(&mut out, items, 0);
    out
}

fn outline_items(out: &mut String, items: &[Item], level: usize) {
    for item in items {
        out.push_str(&"  ".repeat(level));
        match item {
            Item::Comment(comment) => outline_comment(out, comment),
            Item::Member(member) => {
                out.push_str(&format!("{}: ", member.key));
                outline_value(out, &member.value, level);
            }
        }
    }
}

fn outline_value(out: &mut String, value: &Value, level: usize) {
    match value {
        Value::Map(items) => {
            out.push_str("{}\n");
            outline_items(out, items, level + 1);
        }
        Value::List(elements) => {
            out.push_str("[]\n");
            for element in elements {
                out.push_str(&"  ".repeat(level + 1));
                match element {
                    Element::Comment(comment) => outline_comment(out, comment),
                    Element::Value(value) => {
                        out.push_str("- ");
                        outline_value(out, value, level + 1);
                    }
                }
            }
        }
        Value::Scalar(scalar) => out.push_str(&format!("{}\n", shown(scalar))),
    }
}

fn outline_comment(out: &mut String, comment: &Comment) {
    out.push_str(&format!("#{}\n", comment.text.expose().replace('\n', "|")));
}

fn shown(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Bytes(bytes) => format!("bytes {:?}", bytes.expose()),
        Scalar::Bool(value) => format!("bool {value}"),
        Scalar::Float(value) => format!("float {value:?}"),
        Scalar::Int(value) => format!("int {value}"),
        Scalar::Null => "null".to_owned(),
        Scalar::Text(text) => format!("str {:?}", text.expose()),
        Scalar::Time(time) => format!("time {time}"),
    }
}
