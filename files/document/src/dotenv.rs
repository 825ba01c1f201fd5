//! dotenv as sops reads it: a line is a comment if its first sign is `#`, else a key and, behind
//! the first `=`, a value with all its blanks and quotes, in which `\n` stands for a line break.
//! Empty lines say nothing. A key may repeat.

use base_types::{Error, Result};

use crate::change::{Fresh, Spot, Syntax};
use crate::layout::{Layout, Part};
use crate::place::invalid;
use crate::{Comment, Item, Scalar, Value};

pub(crate) fn read(text: &str) -> Result<(Value, Layout)> {
    let (mut items, mut parts) = (Vec::new(), Vec::new());
    let mut at = 0;
    for line in text.split('\n') {
        let start = at;
        let span = start..start + line.len();
        at = span.end + 1;
        if line.is_empty() || line == "\r" {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            items.push(Item::Comment(Comment::new(comment)));
            parts.push(Part::comment(span, false));
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(invalid(text, start, "a line must be 'KEY=value' or begin with '#'"));
        };
        items.push(Item::member(key, Scalar::text(value.replace("\\n", "\n"))));
        let layout = Layout::whole(start + key.len() + 1..span.end);
        parts.push(Part::value(start, layout));
    }
    Ok((Value::Map(items), Layout::open(0..text.len(), 0, parts)))
}

/// A whole file.
pub(crate) fn file(items: &[Item]) -> Result<String> {
    let mut out = String::new();
    for item in items {
        match item {
            Item::Comment(comment) => out.push_str(&Writer.comment(comment, "")?),
            Item::Member(member) => {
                let spot = Spot::block(0);
                out.push_str(&Writer.entry(Some(&member.key), &member.value, spot)?);
            }
        }
        out.push('\n');
    }
    Ok(out)
}

pub(crate) struct Writer;

impl Syntax for Writer {
    fn scalar(&self, scalar: &Scalar, _old: &str, _spot: Spot, _alone: bool) -> Result<String> {
        match scalar {
            Scalar::Text(text) => Ok(text.expose().replace('\n', "\\n")),
            _ => Err(Error::invalid("dotenv holds texts alone")),
        }
    }

    fn value(&self, value: &Value, spot: Spot, _indent: Option<usize>) -> Result<Fresh> {
        match value {
            Value::Scalar(scalar) => self.scalar(scalar, "", spot, true).map(Fresh::Inline),
            Value::List(_) | Value::Map(_) => {
                Err(Error::invalid("dotenv holds no lists and no mappings"))
            }
        }
    }

    fn entry(&self, key: Option<&str>, value: &Value, spot: Spot) -> Result<String> {
        let key = key.unwrap_or_default();
        if key.contains(['=', '\n', '\r']) || key.starts_with('#') {
            return Err(Error::invalid("a key of dotenv holds no '=' and no line break"));
        }
        match self.value(value, spot, None).map_err(|error| error.at(key))? {
            Fresh::Inline(text) | Fresh::Lines(text, _) => Ok(format!("{key}={text}")),
        }
    }

    fn comment(&self, comment: &Comment, _old: &str) -> Result<String> {
        let text = comment.text.expose();
        if text.contains('\n') {
            return Err(Error::invalid("a comment must be one line"));
        }
        Ok(format!("#{text}"))
    }
}
