//! INI as sops reads it, with the rules of Go's library `gopkg.in/ini.v1`.
//!
//! A section is a mapping of texts; keys before the first header are in `DEFAULT`, which is always
//! there. `=` or `:` divides a key from its value, `#` or `;` begins a comment anywhere outside of
//! backquotes. The comments before a key or a header and the one behind it are one comment with
//! several lines, in front of the key or, for a header, first in the section.

use std::collections::HashSet;
use std::ops::Range;

use base_types::{Error, Result};

use crate::change::{Fresh, Spot, Syntax};
use crate::layout::{Layout, Part};
use crate::place::{invalid, leads_line, line_end};
use crate::{Comment, Item, Scalar, Value};

const DEFAULT: &str = "DEFAULT";

pub(crate) fn read(text: &str) -> Result<(Value, Layout)> {
    let mut reader = Reader {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        comments: Vec::new(),
        sections: Vec::new(),
    };
    reader.sections.push(Section::new(DEFAULT, reader.at..reader.at));
    reader.file()?;
    let (mut items, mut parts) = (Vec::new(), Vec::new());
    for section in reader.sections {
        let Section { name, header, items: inner, parts: inner_parts } = section;
        let start =
            inner_parts.first().map_or(header.start, |part| part.span.start.min(header.start));
        let end = inner_parts.iter().map(|part| part.span.end).fold(header.end, usize::max);
        let layout = Layout::open(header.start..end, header.end, inner_parts);
        parts.push(Part::value(start, layout));
        items.push(Item::member(name, inner));
    }
    Ok((Value::Map(items), Layout::open(0..text.len(), 0, parts)))
}

struct Section {
    name: String,
    /// Its line, up to a comment behind it.
    header: Range<usize>,
    items: Vec<Item>,
    parts: Vec<Part>,
}

impl Section {
    fn new(name: &str, header: Range<usize>) -> Self {
        Self { name: name.to_owned(), header, items: Vec::new(), parts: Vec::new() }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Those that wait for what they stand before.
    comments: Vec<Range<usize>>,
    /// The last is the one being read.
    sections: Vec<Section>,
}

impl Reader<'_> {
    fn file(&mut self) -> Result<()> {
        let mut keys = HashSet::new();
        let mut names = HashSet::from([DEFAULT.to_owned()]);
        while self.at < self.text.len() {
            let line = trimmed(self.text, self.at..line_end(self.text, self.at));
            let break_end = self.text[line.end..].find('\n').map(|newline| line.end + newline + 1);
            let next = break_end.unwrap_or(self.text.len());
            match self.text.as_bytes().get(line.start).filter(|_| !line.is_empty()) {
                None => self.at = next,
                Some(b'#' | b';') => {
                    self.comments.push(line);
                    self.at = next;
                }
                Some(b'[') => {
                    let section = self.section(line)?;
                    if !names.insert(section.name.clone()) {
                        let what = format!("the section '{}' is there twice", section.name);
                        return Err(invalid(self.text, section.header.start, &what));
                    }
                    self.sections.push(section);
                    keys.clear();
                    self.comment(true);
                    self.at = next;
                }
                Some(_) => {
                    let start = line.start;
                    let key = self.key(line)?;
                    if !keys.insert(key.clone()) {
                        let what = format!("the key '{key}' is there twice in its section");
                        return Err(invalid(self.text, start, &what));
                    }
                }
            }
        }
        self.comment(false);
        Ok(())
    }

    fn section(&mut self, line: Range<usize>) -> Result<Section> {
        let text = &self.text[line.clone()];
        let Some(close) = text.rfind(']') else {
            return Err(invalid(self.text, line.start, "the name of the section does not end"));
        };
        // A comment may hold a bracket too.
        let close = text.find([';', '#']).and_then(|sign| text[..sign].rfind(']')).unwrap_or(close);
        let name = text[1..close].trim();
        if name.is_empty() {
            return Err(invalid(self.text, line.start, "the section has no name"));
        }
        let header = line.start..line.start + close + 1;
        let behind = trimmed(self.text, header.end..line.end);
        // What is not behind a sign is nothing.
        if let Some(sign) = self.text[behind.clone()].find([';', '#']) {
            self.comments.push(behind.start + sign..behind.end);
        }
        Ok(Section::new(name, header))
    }

    /// Reads a key and its value, which may go on in further lines.
    fn key(&mut self, line: Range<usize>) -> Result<String> {
        let (key, sign) = self.key_name(line.clone())?;
        if key.is_empty() || key == "-" {
            return Err(invalid(self.text, line.start, "a key must have a name of its own"));
        }
        let head = sign + 1;
        let (value, span, behind) = self.value(head)?;
        let own_comments = self.comments.len();
        if let Some(behind) = behind {
            self.comments.push(behind);
        }
        self.comment(own_comments == 0);
        let layout = Layout { head, ..Layout::whole(span) };
        let section = self.current();
        section.items.push(Item::member(key.clone(), Scalar::text(value)));
        section.parts.push(Part::value(line.start, layout));
        Ok(key)
    }

    /// The name and where the sign is that ends it.
    fn key_name(&self, line: Range<usize>) -> Result<(String, usize)> {
        let text = &self.text[line.clone()];
        let missing = || {
            invalid(self.text, line.start, "a line must be 'key = value', '[section]' or a comment")
        };
        let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '`'));
        let Some(quote) = quote else {
            let sign = text.find(['=', ':']).ok_or_else(missing)?;
            return Ok((text[..sign].trim().to_owned(), line.start + sign));
        };
        let close = text[1..].find(quote).ok_or_else(missing)? + 1;
        let sign = text[close..].find(['=', ':']).ok_or_else(missing)?;
        Ok((text[1..close].to_owned(), line.start + close + sign))
    }

    /// The value behind `head`, where it stands, and the comment behind it.
    fn value(&mut self, head: usize) -> Result<(String, Range<usize>, Option<Range<usize>>)> {
        let line = trimmed(self.text, head..line_end(self.text, head));
        let text = &self.text[line.clone()];
        let quote = ["\"\"\"", "`"]
            .into_iter()
            .find(|quote| text.starts_with(quote) && (*quote == "`" || text.len() > 3));
        if let Some(quote) = quote {
            let start = line.start + quote.len();
            let closes = self.text[start..line.end].rfind(quote).map(|close| start + close);
            let close = closes
                .or_else(|| self.text[start..].find(quote).map(|close| start + close))
                .ok_or_else(|| {
                    invalid(self.text, line.start, "the value in quotes does not end")
                })?;
            let end = close + quote.len();
            self.next_line(end);
            let value = self.text[start..close].replace("\r\n", "\n");
            return Ok((value, line.start..end, None));
        }
        let mut value = String::new();
        let mut part = line.clone();
        // A backslash at the end joins the next line.
        while let Some(joined) = self.text[part.clone()].strip_suffix('\\') {
            value.push_str(joined);
            let rest = &self.text[part.end..];
            let Some(newline) = rest.find('\n') else {
                part = part.end..part.end;
                break;
            };
            let next = part.end + newline + 1;
            part = trimmed(self.text, next..line_end(self.text, next));
        }
        value.push_str(&self.text[part.clone()]);
        self.next_line(part.end);
        let mut span = line.start..part.end;
        // A text over several lines is taken as it is.
        let sign = if part == line { value.find(['#', ';']) } else { None };
        let behind = sign.map(|sign| line.start + sign..line.end);
        if let Some(sign) = sign {
            value.truncate(sign);
            value.truncate(value.trim_end().len());
            span = line.start..line.start + value.len();
        }
        let quoted = ['"', '\'']
            .into_iter()
            .find(|quote| value.len() > 1 && value.starts_with(*quote) && value.ends_with(*quote));
        if quoted.is_some() {
            value = value[1..value.len() - 1].to_owned();
        }
        Ok((value, span, behind))
    }

    fn next_line(&mut self, at: usize) {
        let newline = self.text[at..].find('\n');
        self.at = newline.map_or(self.text.len(), |newline| at + newline + 1);
    }

    fn current(&mut self) -> &mut Section {
        self.sections.last_mut().expect("the default section is always there")
    }

    /// Makes one comment of those that wait; `inline` if nothing may be added behind its line.
    fn comment(&mut self, inline: bool) {
        let mut places = std::mem::take(&mut self.comments).into_iter();
        let Some(mut span) = places.next() else { return };
        let mut lines = vec![self.text[span.clone()][1..].trim_start()];
        let mut also = Vec::new();
        for place in places {
            lines.push(&self.text[place.clone()]);
            if leads_line(self.text, place.start) {
                span.end = place.end;
            } else {
                also.push(place);
            }
        }
        let comment = Comment { inline, ..Comment::new(lines.join("\n")) };
        let section = self.current();
        section.items.push(Item::Comment(comment));
        section.parts.push(Part { also, ..Part::comment(span, inline) });
    }
}

/// The range without the white space around it.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start.max(range.start + part.trim_end().len())
}

/// A whole file, with the values of a section aligned as Go's library does.
pub(crate) fn file(items: &[Item]) -> Result<String> {
    let mut out = String::new();
    for item in items {
        match item {
            Item::Comment(comment) => out.push_str(&Writer.comment(comment, "")?),
            Item::Member(member) => {
                let lines = section(&member.key, &member.value)?;
                out.push_str(if lines.is_empty() { "" } else { lines.trim_start() });
            }
        }
        if !out.is_empty() && !out.ends_with("\n\n") {
            out.push_str("\n\n");
        }
    }
    Ok(out)
}

/// The lines of a section behind an empty one; `DEFAULT` has no header.
fn section(name: &str, value: &Value) -> Result<String> {
    let Value::Map(items) = value else {
        return Err(Error::invalid("INI holds values in sections alone").at(name));
    };
    if name.contains(['\n', ']']) || name.trim() != name || name.is_empty() {
        return Err(Error::invalid(format!("'{name}' cannot be the name of a section")));
    }
    let width = items.iter().map(|item| match item {
        Item::Comment(_) => 0,
        Item::Member(member) => key(&member.key).map_or(0, |key| key.chars().count()),
    });
    let width = width.max().unwrap_or_default();
    let header = if name == DEFAULT { Vec::new() } else { vec![format!("[{name}]")] };
    let lines = items.iter().map(|item| match item {
        Item::Comment(comment) => Writer.comment(comment, ""),
        Item::Member(member) => line(&member.key, &member.value, width),
    });
    let lines = header.into_iter().map(Ok).chain(lines).collect::<Result<Vec<_>>>()?;
    Ok(if lines.is_empty() { String::new() } else { format!("\n{}", lines.join("\n")) })
}

fn line(name: &str, value: &Value, width: usize) -> Result<String> {
    let spot = Spot::block(0);
    match Writer.value(value, spot, None).map_err(|error| error.at(name))? {
        Fresh::Inline(text) | Fresh::Lines(text, _) => {
            Ok(format!("{:width$} = {text}", key(name)?))
        }
    }
}

fn key(name: &str) -> Result<String> {
    let is_plain = !name.contains(['=', ':', '"', '`'])
        && !name.starts_with(['#', ';', '['])
        && name.trim() == name;
    if name.is_empty() || name == "-" || name.contains(['\n', '\r']) {
        return Err(Error::invalid(format!("'{name}' cannot be a key of INI")));
    }
    match ['`', '"'].into_iter().find(|quote| !name.contains(*quote)) {
        _ if is_plain => Ok(name.to_owned()),
        Some(quote) => Ok(format!("{quote}{name}{quote}")),
        None => Err(Error::invalid(format!("'{name}' cannot be a key of INI"))),
    }
}

pub(crate) struct Writer;

impl Syntax for Writer {
    fn scalar(&self, scalar: &Scalar, old: &str, _spot: Spot, _alone: bool) -> Result<String> {
        let Scalar::Text(text) = scalar else {
            return Err(Error::invalid("INI holds texts alone"));
        };
        let text = text.expose();
        let is_short = !text.contains(['\n', '\r', '`', '#', ';']);
        let quote = old.chars().next().filter(|quote| {
            matches!(quote, '"' | '\'' | '`') && old.len() > 1 && old.ends_with(*quote)
        });
        Ok(match quote {
            Some(quote) if is_short && !text.contains(quote) && !text.ends_with('\\') => {
                format!("{quote}{text}{quote}")
            }
            _ if text.contains(['\n', '`']) => format!("\"\"\"{text}\"\"\""),
            _ if !is_short || is_quoted(text) || text.ends_with('\\') => format!("`{text}`"),
            _ if text.trim() != text => format!("\"{text}\""),
            _ => text.to_owned(),
        })
    }

    fn value(&self, value: &Value, spot: Spot, _indent: Option<usize>) -> Result<Fresh> {
        match value {
            Value::Scalar(scalar) => self.scalar(scalar, "", spot, true).map(Fresh::Inline),
            Value::List(_) | Value::Map(_) => {
                Err(Error::invalid("INI holds no lists, and no mappings within sections"))
            }
        }
    }

    fn entry(&self, key: Option<&str>, value: &Value, _spot: Spot) -> Result<String> {
        let name = key.unwrap_or_default();
        match value {
            Value::Map(_) => section(name, value),
            Value::List(_) | Value::Scalar(_) => line(name, value, 0),
        }
    }

    /// The sign and the blanks of the old comment stay. Lines after the first have signs of their
    /// own.
    fn comment(&self, comment: &Comment, old: &str) -> Result<String> {
        let lead = if old.is_empty() {
            "; "
        } else {
            let text = &old[1..];
            &old[..1 + text.len() - text.trim_start_matches([' ', '\t']).len()]
        };
        let mut out = String::new();
        for (index, line) in comment.text.expose().split('\n').enumerate() {
            match index {
                0 => out.push_str(lead),
                _ if line.starts_with(['#', ';']) => out.push('\n'),
                _ => out.push_str("\n; "),
            }
            out.push_str(line);
        }
        Ok(out)
    }
}

fn is_quoted(text: &str) -> bool {
    text.starts_with("\"\"\"")
        || ['"', '\'']
            .iter()
            .any(|quote| text.len() > 1 && text.starts_with(*quote) && text.ends_with(*quote))
}
