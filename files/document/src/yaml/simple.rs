//! Most lines of most files are a key with a plain value, a key above such lines, an element of a list
//! of these, or in a text below a key. They are read here, some ten times as fast as by the parser,
//! which is asked for what stands between them.
//!
//! A member in the first column ends where a line follows that begins in the first column, whatever
//! its value is; only what could reach beyond that is left to the parser with the whole text.

use super::read::section;
use super::scalar;
use crate::layout::{Layout, Part};
use crate::place::{DEPTH_MAX, room};
use crate::tree::repeated;
use crate::{Element, Item, Member, Scalar, Value};

/// Reads a text that is one mapping without comments and aliases; nothing if it is anything else,
/// or wrong, which the parser has to tell.
pub(super) fn read(text: &str) -> Option<(Value, Layout)> {
    if text.starts_with('#') || text.contains("\n#") || text.contains(" #") {
        return None;
    }
    let mut lines = Lines { text, at: 0 };
    let room = room(text);
    let (mut items, mut parts) = (Vec::with_capacity(room), Vec::with_capacity(room));
    lines.skip_empty();
    let head = lines.at;
    if text[head..].starts_with(char::is_whitespace) {
        return None;
    }
    while lines.skip_empty() {
        let start = lines.at;
        match lines.member(0, 0).filter(|_| lines.indent() == 0) {
            Some((item, part)) => {
                items.push(item);
                parts.push(part);
            }
            None => {
                lines.at = end_of_member(text, start);
                let (more, mut places) = section(&text[start..lines.at])?;
                places.iter_mut().for_each(|part| part.shift(start));
                items.extend(more);
                parts.append(&mut places);
            }
        }
    }
    mapping(items, parts, 0, head)
}

/// Where the next line begins that may be a member in the first column.
fn end_of_member(text: &str, start: usize) -> usize {
    let is_member = |at: &usize| is_word(text.as_bytes()[*at]);
    let lines = text[start..].match_indices('\n').map(|(at, _)| start + at + 1);
    lines.take_while(|at| *at < text.len()).find(is_member).unwrap_or(text.len())
}

/// A mapping of at least one member, and of different keys.
fn mapping(
    items: Vec<Item>,
    parts: Vec<Part>,
    indent: usize,
    head: usize,
) -> Option<(Value, Layout)> {
    let span = parts.first()?.span.start..parts.last()?.span.end;
    let layout = Layout { head, ..Layout::block(span, indent, parts) };
    repeated(&items).is_none().then_some((Value::Map(items), layout))
}

struct Lines<'a> {
    text: &'a str,
    /// The start of a line.
    at: usize,
}

/// Longer keys are left to the parser, which has limits for them.
const KEY_MAX: usize = 128;

impl Lines<'_> {
    /// Goes on to a line that is not empty; says whether there is one.
    fn skip_empty(&mut self) -> bool {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| **byte == b'\n').count();
        self.at < self.text.len()
    }

    /// The column in which the next line begins that is not empty; 0 if there is none.
    fn indent(&mut self) -> usize {
        self.skip_empty();
        blanks(&self.text[self.at..])
    }

    /// The member that begins in column `indent` of this line, and all lines of it.
    fn member(&mut self, indent: usize, depth: usize) -> Option<(Item, Part)> {
        let start = self.at + indent;
        let rest = &self.text.as_bytes()[start..];
        let is_key = |byte: &u8| is_word(*byte) || matches!(byte, b'-' | b'.' | b'/');
        let length = rest.iter().take(KEY_MAX).take_while(|byte| is_key(byte)).count();
        if !is_word(*rest.first()?) || rest.get(length) != Some(&b':') || depth >= DEPTH_MAX / 2 {
            return None;
        }
        let Some(Scalar::Text(key)) = scalar::plain(&self.text[start..start + length]) else {
            return None;
        };
        let head = start + length + 1;
        let (value, layout) = match rest.get(length + 1)? {
            b' ' => self.value(head, indent)?,
            b'\n' => {
                self.at = head + 1;
                let inner = self.indent();
                if inner <= indent {
                    return None;
                }
                match self.is_element(inner) {
                    true => self.elements(inner, depth + 1, head)?,
                    false => self.members(inner, depth + 1, head)?,
                }
            }
            _ => return None,
        };
        let item = Item::Member(Member { key: key.expose().clone(), value });
        Some((item, Part::value(start, layout)))
    }

    /// A value that begins one blank behind `head`, on the line of its key or its dash, which stands
    /// in column `indent`.
    fn value(&mut self, head: usize, indent: usize) -> Option<(Value, Layout)> {
        let start = head + 1;
        let rest = &self.text[start..];
        let length = rest.find('\n').unwrap_or(rest.len());
        let (text, end) = (&rest[..length], start + length);
        self.at = (end + 1).min(self.text.len());
        let mut layout = Layout { head, ..Layout::whole(start..end) };
        let scalar = match (text, quoted(text)) {
            ("|", _) => {
                let scalar = self.literal(indent)?;
                // Without the line break, which follows every line of the text.
                layout.tail = Some(end..self.at - 1);
                scalar
            }
            (_, Some(inner)) => Scalar::text(inner),
            _ => is_plain(text).then(|| scalar::plain(text))??,
        };
        Some((scalar.into(), layout))
    }

    /// The lines of a text below one that begins in column `indent`; none of them is empty.
    fn literal(&mut self, indent: usize) -> Option<Scalar> {
        let column = blanks(&self.text[self.at..]);
        let start = self.at;
        let mut length = 0;
        while blanks(&self.text[self.at..]) >= column {
            let line = &self.text[self.at..self.at + self.text[self.at..].find('\n')?];
            if line.len() == column || !is_printable(line) || line.ends_with(' ') {
                return None;
            }
            length += line.len() + 1 - column;
            self.at += line.len() + 1;
        }
        if column <= indent || length == 0 || self.text[self.at..].starts_with('\n') {
            return None;
        }
        // The whole length at once: where it grew, a part of a secret would stay behind.
        let mut text = String::with_capacity(length);
        for line in self.text[start..self.at].split_inclusive('\n') {
            text.push_str(&line[column..]);
        }
        Some(Scalar::text(text))
    }

    /// The members that begin in column `indent`, from this line on.
    fn members(&mut self, indent: usize, depth: usize, head: usize) -> Option<(Value, Layout)> {
        let (mut items, mut parts) = (Vec::new(), Vec::new());
        loop {
            let (item, part) = self.member(indent, depth)?;
            items.push(item);
            parts.push(part);
            let next = self.indent();
            if next > indent {
                return None;
            }
            if next < indent {
                return mapping(items, parts, indent, head);
            }
        }
    }

    /// Whether an element of a list begins in column `indent` of this line.
    fn is_element(&self, indent: usize) -> bool {
        self.text.as_bytes()[self.at + indent..].starts_with(b"- ")
    }

    /// The elements whose dashes stand in column `indent`, from this line on.
    fn elements(&mut self, indent: usize, depth: usize, head: usize) -> Option<(Value, Layout)> {
        let (mut elements, mut parts) = (Vec::new(), Vec::new());
        while self.indent() == indent && self.is_element(indent) {
            let (line, dash) = (self.at, self.at + indent);
            let (value, layout) = match self.members(indent + 2, depth + 1, dash + 1) {
                Some(members) => members,
                None => {
                    self.at = line;
                    self.value(dash + 1, indent)?
                }
            };
            elements.push(Element::Value(value));
            parts.push(Part::value(dash, layout));
        }
        let span = parts.first()?.span.start..parts.last()?.span.end;
        let layout = Layout { head, ..Layout::block(span, indent, parts) };
        (self.indent() < indent).then_some((Value::List(elements), layout))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn blanks(text: &str) -> usize {
    text.bytes().take_while(|byte| *byte == b' ').count()
}

fn is_printable(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

/// What stands between quotes that hide nothing.
fn quoted(text: &str) -> Option<&str> {
    let between = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    let inner = between('"').or_else(|| between('\''))?;
    (is_printable(inner) && !inner.contains(['"', '\'', '\\'])).then_some(inner)
}

/// Whether a text of one line can only be a plain scalar of just these characters.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let first_fits = match bytes {
        [b'-', next, ..] => is_word(*next) || *next == b'.',
        [first, ..] => is_word(*first) || matches!(first, b'.' | b'/' | b'^' | b'('),
        [] => false,
    };
    // A blank begins a comment or ends a key, or would be the last character.
    let is_inner = |(at, _): (usize, &str)| {
        bytes[at - 1] != b':' && bytes.get(at + 1).is_some_and(|next| *next != b'#')
    };
    first_fits
        && is_printable(text)
        && !text.ends_with(':')
        && text.match_indices(' ').all(is_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::read::parse;

    /// Reads a text in both ways; says whether it was read here.
    fn check(text: &str) -> bool {
        let Some((value, layout)) = read(text) else { return false };
        let mut parsed = parse(text).unwrap_or_else(|error| panic!("{error:?}: {text:?}"));
        assert_eq!(parsed.len(), 1, "{text:?}");
        let (other, place) = parsed.remove(0);
        assert!(value == other, "{text:?}");
        assert_eq!(layout, place, "{text:?}");
        true
    }

    #[test]
    fn simple_lines_are_read_as_by_the_parser() {
        for text in [
            "a: 1\n",
            "a: b c\nb: -1.5\nc_d-e.f: x:y#z\n",
            "\n\na:\n    b: 1\n\n    c:\n      d: 2001-01-01\n\ne: null\n\n",
            "a: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]",
            "a: 1\nb:\n    - c: |\n        x\n        y\n      d: \"z\"\ne: 2\n",
            "a:\n- 1\n- 2\nb: [1, {c: 2}]\nc: |\n  x\n\n\n  y\nd: >+\n  x\ne: 1\n",
            "a: x\n  y\nb: 'it''s\n\n  c'\nc: !!str 1\nd:\ne: 1\n",
            "a:\r\n  b: 1\r\nc: 2\n",
            "\"a\": 1\né: ü\nb: \t1\n? c\n: d\n",
            "a:\n    - b: c\n      d: |\n        -----X-----\n          e: f\n        g\n      h: \"i j\"\n    - k\n\n    - 'l'\nm: 1\n",
            "a: |\n b\nc:\n  - d: 1\n\n    e:\n      - - 1\n",
        ] {
            assert!(check(text), "{text:?}");
        }
    }

    #[test]
    fn files_of_sops_need_no_parser() {
        let text = "a: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]\n\
            sops:\n    age:\n        - recipient: age1x\n          enc: |\n            \
            -----BEGIN AGE ENCRYPTED FILE-----\n            YWdl\n            \
            -----END AGE ENCRYPTED FILE-----\n        - recipient: age1y\n          \
            enc: |\n            YWdl\n    lastmodified: \"2026-01-01T00:00:00Z\"\n    mac: ENC[x]\n    \
            encrypted_regex: ^(data|stringData)$\n    version: 3.11.0\n";
        assert!(check(text));
        let mut lines = Lines { text, at: 0 };
        assert!(lines.member(0, 0).is_some() && lines.member(0, 0).is_some());
        assert_eq!(lines.at, text.len());
    }

    #[test]
    fn depth_is_left_to_the_parser() {
        for start in ["a:\n", "a:\n b:\n"] {
            let lists = (1..1000).map(|level| format!("{}- a:\n", " ".repeat(4 * level)));
            let text = format!("{start}{}{}b: 1\n", lists.collect::<String>(), " ".repeat(4000));
            assert!(read(&text).is_none());
        }
    }

    #[test]
    fn what_reaches_beyond_its_lines_is_left_to_the_parser() {
        for text in [
            "",
            "a",
            "- a\n",
            "# c\na: 1\n",
            "a: 1 # c\n",
            "a: &x 1\nb: *x\n",
            "---\na: 1\n",
            "a: 1\n---\nb: 2\n",
            "a: 1\n...\n",
            "%YAML 1.2\n---\na: 1\n",
            "a: 1\na: 2\n",
            "a:\n  b: 1\n  b: 2\n",
            "a: [1,\nb: 2]\n",
            "a: \"x\nb: 1\"\n",
            "a: 1\n  b\n c: 1\n",
            "a:\n  b: 1\n c: 1\n",
            "  a: 1\nb: 2\n",
            "a: 18446744073709551615\n",
            "true: 1\n",
            "a: b: c\n",
            "a: |\n  x\n  \nb: 1\n",
            "  \n(: 1\n",
        ] {
            assert!(!check(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_in_any_order_are_read_as_by_the_parser(
            lines in prop::collection::vec(
                (0..4_usize, prop_oneof![
                    4 => "[a-z0-9]{1,2}: [a-z0-9 .:#-]{0,5}",
                    2 => "[a-z]{1,2}:",
                    2 => "- [a-z]{1,2}(: ([a-z0-9]{1,2}|\\|))?",
                    1 => "- [\\|\"'-] ?[a-z]?[\"']?",
                    2 => "[a-z]: [|>][+-]?",
                    1 => "[a-z]: [\"'][a-z :-]{0,3}[\"']",
                    1 => "[a-z]: [\"'\\[{&*!][a-z]{0,2}[\"'\\]}]?",
                    1 => "[ -~\t\ré]{0,6}",
                    1 => "",
                ]),
                1..8,
            ),
        ) {
            let lines: Vec<String> =
                lines.iter().map(|(level, line)| format!("{}{line}", "  ".repeat(*level))).collect();
            check(&lines.join("\n"));
            check(&format!("{}\n", lines.join("\n")));
        }

        #[test]
        fn blocks_in_blocks_are_read_as_by_the_parser(
            lines in prop::collection::vec(
                (0..12_usize, prop_oneof![
                    4 => "[a-z]{1,3}: [a-z0-9^(]{1,3}",
                    2 => "[a-z]{1,3}:",
                    2 => "[a-z]{1,3}: \\|",
                    3 => "- [a-z]{1,3}: [a-z0-9]{1,2}",
                    1 => "- [a-z]{1,3}: \\|",
                    1 => "- [a-z]{1,3}",
                    1 => "[a-z]: [\"'][a-z :-]{0,3}[\"']",
                    1 => "[a-z-]{1,8}",
                    1 => "",
                ]),
                1..12,
            ),
        ) {
            let (mut text, mut level) = (String::new(), 0_usize);
            for (step, line) in lines {
                level = match step {
                    0 => level + 1,
                    1 => level.saturating_sub(1),
                    2 => level.saturating_sub(2),
                    3 => 0,
                    _ => level,
                };
                text.push_str(&format!("{}{line}\n", "  ".repeat(level)));
                // What follows mostly belongs to the line.
                let member = line.strip_prefix("- ").unwrap_or(&line);
                level += usize::from(member.len() < line.len() && member.contains(':'));
                level += usize::from(member.ends_with([':', '|']));
            }
            check(&text);
        }
    }
}
