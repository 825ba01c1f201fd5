use base_types::{Error, Result};

use crate::change::{Fresh, Spot, Syntax};
use crate::layout::{Kind, Layout};
use crate::{Comment, Element, Item, Scalar, Value};

/// Spells JSON with a line for each member, or all in one line where the file has it so. Comments
/// are left out.
pub(crate) struct Writer {
    /// What a level is indented with.
    pub(crate) unit: String,
}

impl Writer {
    /// A whole file, as sops ends it.
    pub(crate) fn file(&self, items: &[Item]) -> Result<String> {
        let mut out = String::new();
        self.map(&mut out, items, Some(""))?;
        out.push('\n');
        // Only texts can have these, which sops escapes so that the file may stand within HTML.
        Ok(out.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
    }

    /// With the indentation of a file.
    pub(crate) fn like(text: &str, layout: &Layout) -> Self {
        let first = match &layout.kind {
            Kind::Flow { parts } => parts.first(),
            Kind::Block { .. } | Kind::Whole => None,
        };
        let unit = first.map_or("\t", |part| {
            let before = &text[..part.span.start];
            let line = before.rfind('\n').map_or("\t", |newline| &before[newline + 1..]);
            if line.trim().is_empty() && !line.is_empty() { line } else { "\t" }
        });
        Self { unit: unit.to_owned() }
    }

    /// `lead` is the indentation of the line that the value begins on; None means one line for all.
    fn value(&self, out: &mut String, value: &Value, lead: Option<&str>) -> Result<()> {
        match value {
            Value::Map(items) => self.map(out, items, lead),
            Value::List(elements) => {
                let values = elements.iter().filter_map(|element| match element {
                    Element::Comment(_) => None,
                    Element::Value(value) => Some((None, value)),
                });
                self.container(out, ['[', ']'], values, lead)
            }
            Value::Scalar(scalar) => {
                out.push_str(&spell(scalar)?);
                Ok(())
            }
        }
    }

    fn map(&self, out: &mut String, items: &[Item], lead: Option<&str>) -> Result<()> {
        let members = items.iter().filter_map(|item| match item {
            Item::Comment(_) => None,
            Item::Member(member) => Some((Some(member.key.as_str()), &member.value)),
        });
        self.container(out, ['{', '}'], members, lead)
    }

    fn container<'a>(
        &self,
        out: &mut String,
        [open, close]: [char; 2],
        entries: impl Iterator<Item = (Option<&'a str>, &'a Value)>,
        lead: Option<&str>,
    ) -> Result<()> {
        out.push(open);
        let inner = lead.map(|lead| format!("{lead}{}", self.unit));
        let mut is_empty = true;
        for (key, value) in entries {
            match &inner {
                Some(inner) => {
                    out.push_str(if is_empty { "\n" } else { ",\n" });
                    out.push_str(inner);
                }
                None if is_empty => {}
                None => out.push_str(", "),
            }
            is_empty = false;
            if let Some(key) = key {
                out.push_str(&quoted(key));
                out.push_str(": ");
            }
            self.value(out, value, inner.as_deref()).map_err(|error| match key {
                Some(key) => error.at(key),
                None => error,
            })?;
        }
        if let (Some(lead), false) = (lead, is_empty) {
            out.push('\n');
            out.push_str(lead);
        }
        out.push(close);
        Ok(())
    }

    /// The indentation of an entry whose column is known.
    fn lead(&self, spot: Spot) -> Option<String> {
        let width = self.unit.chars().count().max(1);
        spot.spread.then(|| self.unit.repeat(spot.indent / width))
    }
}

impl Syntax for Writer {
    fn scalar(&self, scalar: &Scalar, _old: &str, _spot: Spot, _alone: bool) -> Result<String> {
        spell(scalar)
    }

    fn value(&self, value: &Value, spot: Spot, _indent: Option<usize>) -> Result<Fresh> {
        let mut out = String::new();
        Self::value(self, &mut out, value, self.lead(spot).as_deref())?;
        Ok(Fresh::Inline(out))
    }

    fn entry(&self, key: Option<&str>, value: &Value, spot: Spot) -> Result<String> {
        let mut out = key.map_or(String::new(), |key| format!("{}: ", quoted(key)));
        Self::value(self, &mut out, value, self.lead(spot).as_deref())?;
        Ok(out)
    }

    fn comment(&self, _comment: &Comment, _old: &str) -> Result<String> {
        Err(Error::invalid("JSON has no comments"))
    }
}

fn spell(scalar: &Scalar) -> Result<String> {
    Ok(match scalar {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Bytes(bytes) => match std::str::from_utf8(bytes.expose()) {
            Ok(text) => quoted(text),
            Err(_) => return Err(Error::invalid("JSON holds no bytes that are not UTF-8")),
        },
        Scalar::Float(value) if value.is_finite() => format!("{value:?}"),
        Scalar::Float(_) => return Err(Error::invalid("JSON has no infinity and no NaN")),
        Scalar::Int(value) => value.to_string(),
        Scalar::Null => "null".to_owned(),
        Scalar::Text(text) => quoted(text.expose()),
        Scalar::Time(time) => quoted(time),
    })
}

pub(crate) fn quoted(text: &str) -> String {
    let needs_escape = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ' | 0x80..);
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let plain = text.bytes().take_while(|byte| !needs_escape(byte)).count();
    out.push_str(&text[..plain]);
    for sign in text[plain..].chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(sign)));
            }
            _ => out.push(sign),
        }
    }
    out.push('"');
    out
}
