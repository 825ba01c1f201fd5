use base_types::{Error, Result};

use super::scalar;
use crate::change::{Fresh, Spot, Syntax};
use crate::{Comment, Element, Item, Scalar, Value};

/// Spells YAML in sops' layout: sequences indented under their key, long lines never folded,
/// texts of several lines as blocks.
pub(crate) struct Writer {
    /// How many blanks a level is indented.
    pub(crate) step: usize,
}

impl Syntax for Writer {
    fn scalar(&self, scalar: &Scalar, old: &str, spot: Spot, alone: bool) -> Result<String> {
        // Behind the colon of a value that was not there.
        let gap = if old.is_empty() { " " } else { "" };
        // Between brackets what was encrypted may have had no quotes before.
        let quote = old.bytes().next().filter(|_| !(spot.flow && old.starts_with("'ENC[")));
        let text = match (scalar, quote) {
            (Scalar::Text(text), Some(b'"')) => double_quoted(text.expose()),
            (Scalar::Text(text), Some(b'\'')) if is_single_line(text.expose()) => {
                single_quoted(text.expose())
            }
            (Scalar::Text(text), _) if !alone && text.expose().contains('\n') => {
                double_quoted(text.expose())
            }
            _ => self.spell(scalar, spot)?,
        };
        Ok(format!("{gap}{text}"))
    }

    fn value(&self, value: &Value, spot: Spot, indent: Option<usize>) -> Result<Fresh> {
        if spot.flow || is_inline(value) {
            return Ok(Fresh::Inline(self.inline(value, spot)?));
        }
        let indent = indent.unwrap_or_else(|| self.below(spot.indent));
        Ok(Fresh::Lines(self.lines(value, indent)?, indent))
    }

    fn entry(&self, key: Option<&str>, value: &Value, spot: Spot) -> Result<String> {
        match (key, spot.flow) {
            (Some(key), true) => {
                Ok(format!("{}: {}", self.key(key, spot), self.inline(value, spot)?))
            }
            (None, true) => self.inline(value, spot),
            (Some(key), false) => self.member(key, value, spot.indent),
            (None, false) => self.element(value, spot.indent),
        }
    }

    fn comment(&self, comment: &Comment, _old: &str) -> Result<String> {
        let text = comment.text.expose();
        if !is_single_line(text) {
            return Err(Error::invalid("a comment must be one line without control characters"));
        }
        Ok(format!("#{text}"))
    }
}

impl Writer {
    /// A whole stream.
    pub(crate) fn stream(&self, trees: &[Vec<Item>]) -> Result<String> {
        let documents = trees.iter().map(|items| {
            let has_member = items.iter().any(|item| matches!(item, Item::Member(_)));
            let mut lines = self.map_lines(items, 0)?;
            if !has_member {
                lines.push("{}".to_owned());
            }
            Ok(lines.join("\n") + "\n")
        });
        Ok(documents.collect::<Result<Vec<_>>>()?.join("---\n"))
    }

    /// The column of what lies below an entry in column `indent`.
    fn below(&self, indent: usize) -> usize {
        (indent / self.step + 1) * self.step
    }

    /// The lines of a container that is not empty, the first without its indentation.
    fn lines(&self, value: &Value, indent: usize) -> Result<String> {
        let lines = match value {
            Value::List(elements) => elements
                .iter()
                .map(|element| match element {
                    Element::Comment(comment) => self.comment(comment, ""),
                    Element::Value(value) => self.element(value, indent),
                })
                .collect::<Result<Vec<_>>>()?,
            Value::Map(items) => self.map_lines(items, indent)?,
            Value::Scalar(_) => return Err(Error::internal("a scalar has no lines")),
        };
        Ok(lines.join(&format!("\n{}", " ".repeat(indent))))
    }

    fn map_lines(&self, items: &[Item], indent: usize) -> Result<Vec<String>> {
        items
            .iter()
            .map(|item| match item {
                Item::Comment(comment) => self.comment(comment, ""),
                Item::Member(member) => self
                    .member(&member.key, &member.value, indent)
                    .map_err(|error| error.at(&member.key)),
            })
            .collect()
    }

    fn member(&self, key: &str, value: &Value, indent: usize) -> Result<String> {
        let spot = Spot::block(indent);
        let key = self.key(key, spot);
        if is_inline(value) {
            return Ok(format!("{key}: {}", self.inline(value, spot)?));
        }
        let below = self.below(indent);
        Ok(format!("{key}:\n{}{}", " ".repeat(below), self.lines(value, below)?))
    }

    fn element(&self, value: &Value, indent: usize) -> Result<String> {
        let text = if is_inline(value) {
            self.inline(value, Spot::block(indent))?
        } else {
            self.lines(value, indent + 2)?
        };
        Ok(format!("- {text}"))
    }

    fn key(&self, key: &str, spot: Spot) -> String {
        if is_single_line(key) { line(key, spot.flow) } else { double_quoted(key) }
    }

    /// A value that begins on the line of its key.
    fn inline(&self, value: &Value, spot: Spot) -> Result<String> {
        let flow = Spot { flow: true, ..spot };
        match value {
            Value::Scalar(scalar) => self.spell(scalar, spot),
            Value::List(elements) => {
                let values = elements.iter().filter_map(|element| match element {
                    Element::Comment(_) => None,
                    Element::Value(value) => Some(self.inline(value, flow)),
                });
                Ok(format!("[{}]", values.collect::<Result<Vec<_>>>()?.join(", ")))
            }
            Value::Map(items) => {
                let members = items.iter().filter_map(|item| match item {
                    Item::Comment(_) => None,
                    Item::Member(member) => {
                        Some(self.entry(Some(&member.key), &member.value, flow))
                    }
                });
                Ok(format!("{{{}}}", members.collect::<Result<Vec<_>>>()?.join(", ")))
            }
        }
    }

    fn spell(&self, scalar: &Scalar, spot: Spot) -> Result<String> {
        Ok(match scalar {
            Scalar::Bool(value) => value.to_string(),
            Scalar::Bytes(_) => return Err(Error::invalid("YAML holds no raw bytes")),
            Scalar::Float(value) if value.is_nan() => ".nan".to_owned(),
            Scalar::Float(value) if value.is_infinite() && *value > 0.0 => ".inf".to_owned(),
            Scalar::Float(value) if value.is_infinite() => "-.inf".to_owned(),
            Scalar::Float(value) => float(*value),
            Scalar::Int(value) => value.to_string(),
            Scalar::Null => "null".to_owned(),
            Scalar::Text(text) if !spot.flow && is_block(text.expose()) => {
                self.block(text.expose(), spot.indent)
            }
            Scalar::Text(text) if !is_single_line(text.expose()) => double_quoted(text.expose()),
            Scalar::Text(text) => line(text.expose(), spot.flow),
            Scalar::Time(time) => time.clone(),
        })
    }

    /// A text of several lines as a literal block below an entry in column `indent`, without its
    /// last line break.
    fn block(&self, text: &str, indent: usize) -> String {
        let below = self.below(indent);
        // Else the blanks that begin the text would count as indentation.
        let hint = if text.starts_with([' ', '\n']) {
            (below - indent).to_string()
        } else {
            String::new()
        };
        let (body, ending) = match text.strip_suffix('\n') {
            None => (text, "-"),
            Some(body) if body.ends_with('\n') => (body, "+"),
            Some(body) => (body, ""),
        };
        let lead = " ".repeat(below);
        let mut out = format!("|{hint}{ending}");
        for line in body.split('\n') {
            out.push('\n');
            if !line.is_empty() {
                out.push_str(&lead);
                out.push_str(line);
            }
        }
        out
    }
}

/// A float with a point, so that it is read as one again, by readers of YAML 1.1 too.
fn float(value: f64) -> String {
    let text = format!("{value:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Whether a value begins on the line of its key even between lines.
fn is_inline(value: &Value) -> bool {
    match value {
        Value::List(elements) => {
            !elements.iter().any(|element| matches!(element, Element::Value(_)))
        }
        Value::Map(items) => !items.iter().any(|item| matches!(item, Item::Member(_))),
        Value::Scalar(_) => true,
    }
}

/// A text of one line without control characters, plain if it is read as the same text by readers
/// of YAML 1.1 and 1.2, else in quotes.
fn line(text: &str, flow: bool) -> String {
    if is_plain(text, flow) {
        return text.to_owned();
    }
    let is_ours = matches!(scalar::plain(text), Some(Scalar::Text(_)));
    // As sops has it: what would be another type in double quotes, what looks like syntax in single ones.
    if text.is_empty() || !is_ours || is_old_type(text) || text.contains('\'') {
        double_quoted(text)
    } else {
        single_quoted(text)
    }
}

fn is_plain(text: &str, flow: bool) -> bool {
    let first_fits = match text.as_bytes() {
        [] => false,
        [b'-' | b'?' | b':', next, ..] => {
            let is_blank = matches!(next, b' ' | b'\t');
            !(is_blank || text.starts_with("---") || flow && is_bracket(*next))
        }
        [b'-' | b'?' | b':' | b'=', ..] => false,
        [first, ..] => !b",[]{}#&*!|>'\"%@` \t".contains(first),
    };
    first_fits
        && !text.ends_with([' ', '\t', ':'])
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(":\t")
        && !text.contains(" #")
        && !text.contains("\t#")
        && !(flow && (text.bytes().any(is_bracket) || text.contains(':')))
        && matches!(scalar::plain(text), Some(Scalar::Text(_)))
        && !is_old_type(text)
}

fn is_bracket(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}

/// What YAML 1.1 takes for a boolean, a merge key or a number to the base of 60.
fn is_old_type(text: &str) -> bool {
    let is_bool =
        ["y", "n", "yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word));
    is_bool || is_sexagesimal(text) || text == "<<"
}

/// A number to the base of 60, such as `12:30:45.5`.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.strip_prefix(['+', '-']).unwrap_or(text).split(':');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let is_first =
        |first: &str| first.starts_with(|sign: char| sign.is_ascii_digit()) && digits(first);
    let is_rest = |part: &str| {
        let whole =
            part.split_once('.').filter(|(_, rest)| digits(rest)).map_or(part, |(whole, _)| whole);
        matches!(whole.parse::<u8>(), Ok(0..60)) && whole.len() <= 2
    };
    parts.next().is_some_and(is_first) && text.contains(':') && parts.all(is_rest)
}

/// Whether a text has lines that a literal block gives back as they are.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && text.contains(|sign| !matches!(sign, '\n' | ' '))
        && text.split('\n').all(|line| !line.starts_with('\t') && is_single_line_or_tabbed(line))
}

fn is_single_line_or_tabbed(text: &str) -> bool {
    text.chars().all(|sign| sign == '\t' || is_printable(sign))
}

fn is_single_line(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// What stands for itself in every style: no control character, no line break of YAML 1.1, no mark
/// of the byte order.
fn is_printable(sign: char) -> bool {
    !sign.is_control()
        && !matches!(sign, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            sign if is_printable(sign) => out.push(sign),
            sign if u32::from(sign) <= 0xff => out.push_str(&format!("\\x{:02X}", u32::from(sign))),
            sign => out.push_str(&format!("\\u{:04X}", u32::from(sign))),
        }
    }
    out.push('"');
    out
}
