use base_types::{Error, Result};

use crate::change::{Fresh, Spot, Syntax};
use crate::json::quoted;
use crate::{Comment, Element, Item, Scalar, Value};

/// Spells TOML: mappings at the top as tables, deeper ones between braces.
pub(crate) struct Writer;

impl Syntax for Writer {
    fn scalar(&self, scalar: &Scalar, old: &str, _spot: Spot, _alone: bool) -> Result<String> {
        let Scalar::Text(text) = scalar else { return spell(scalar) };
        let text = text.expose();
        let is_literal = old.starts_with('\'')
            && !old.starts_with("'''")
            && text.chars().all(|sign| sign != '\'' && !sign.is_control());
        if is_literal { Ok(format!("'{text}'")) } else { Ok(basic(text)) }
    }

    fn value(&self, value: &Value, _spot: Spot, _indent: Option<usize>) -> Result<Fresh> {
        inline(value).map(Fresh::Inline)
    }

    fn entry(&self, name: Option<&str>, value: &Value, spot: Spot) -> Result<String> {
        match name {
            Some(name) if spot.sections && is_section(value) => {
                let mut lines = Vec::new();
                section(&[name.to_owned()], value, &mut lines)?;
                Ok(lines.join("\n"))
            }
            Some(name) => Ok(format!("{} = {}", key(name), inline(value)?)),
            None => inline(value),
        }
    }

    fn is_section(&self, value: &Value) -> bool {
        is_section(value)
    }

    fn comment(&self, comment: &Comment, _old: &str) -> Result<String> {
        let text = comment.text.expose();
        if text.chars().any(|sign| sign.is_control() && sign != '\t') {
            return Err(Error::invalid("a comment must be one line without control characters"));
        }
        Ok(format!("#{text}"))
    }
}

/// Whether a new value at the top becomes a table, or several.
pub(crate) fn is_section(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::List(elements) => {
            !elements.is_empty()
                && elements.iter().all(|element| matches!(element, Element::Value(Value::Map(_))))
        }
        Value::Scalar(_) => false,
    }
}

/// A whole file.
pub(crate) fn file(items: &[Item]) -> Result<String> {
    let mut lines = Vec::new();
    table(&[], items, &mut lines)?;
    Ok(lines.join("\n") + "\n")
}

/// The lines of a table without its header: first its own, then the tables below it.
fn table(path: &[String], items: &[Item], lines: &mut Vec<String>) -> Result<()> {
    for item in items {
        match item {
            Item::Comment(comment) => lines.push(Writer.comment(comment, "")?),
            Item::Member(member) if !is_section(&member.value) => {
                let value = inline(&member.value).map_err(|error| error.at(&member.key))?;
                lines.push(format!("{} = {value}", key(&member.key)));
            }
            Item::Member(_) => {}
        }
    }
    for item in items {
        if let Item::Member(member) = item
            && is_section(&member.value)
        {
            let path = path.iter().cloned().chain([member.key.clone()]).collect::<Vec<_>>();
            section(&path, &member.value, lines)?;
        }
    }
    Ok(())
}

/// The table of a mapping, or the tables of a list of mappings.
fn section(path: &[String], value: &Value, lines: &mut Vec<String>) -> Result<()> {
    let name = path.iter().map(|name| key(name)).collect::<Vec<_>>().join(".");
    match value {
        Value::Map(items) => {
            open(lines, format!("[{name}]"));
            table(path, items, lines)
        }
        Value::List(elements) => {
            for element in elements {
                if let Element::Value(Value::Map(items)) = element {
                    open(lines, format!("[[{name}]]"));
                    table(path, items, lines)?;
                }
            }
            Ok(())
        }
        Value::Scalar(_) => Err(Error::internal("a scalar is no table")),
    }
}

fn open(lines: &mut Vec<String>, header: String) {
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.push(header);
}

fn inline(value: &Value) -> Result<String> {
    match value {
        Value::List(elements) => {
            let values = elements.iter().filter_map(|element| match element {
                Element::Comment(_) => None,
                Element::Value(value) => Some(inline(value)),
            });
            Ok(format!("[{}]", values.collect::<Result<Vec<_>>>()?.join(", ")))
        }
        Value::Map(items) => {
            let members = items.iter().filter_map(|item| match item {
                Item::Comment(_) => None,
                Item::Member(member) => Some(
                    inline(&member.value)
                        .map(|value| format!("{} = {value}", key(&member.key)))
                        .map_err(|error| error.at(&member.key)),
                ),
            });
            let members = members.collect::<Result<Vec<_>>>()?;
            Ok(if members.is_empty() {
                "{}".into()
            } else {
                format!("{{ {} }}", members.join(", "))
            })
        }
        Value::Scalar(scalar) => spell(scalar),
    }
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_bare { name.to_owned() } else { basic(name) }
}

fn spell(scalar: &Scalar) -> Result<String> {
    Ok(match scalar {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Bytes(_) => return Err(Error::invalid("TOML holds no raw bytes")),
        Scalar::Float(value) if value.is_nan() => "nan".to_owned(),
        Scalar::Float(value) => format!("{value:?}"),
        Scalar::Int(value) => value.to_string(),
        Scalar::Null => return Err(Error::invalid("TOML has no null")),
        Scalar::Text(text) => basic(text.expose()),
        Scalar::Time(time) => time.clone(),
    })
}

/// A text as a basic string, which escapes as JSON does.
fn basic(text: &str) -> String {
    quoted(text).replace('\u{7f}', "\\u007f")
}
