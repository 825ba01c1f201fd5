use base_types::{Error, Result};

use crate::layout::{Layout, Part};
use crate::place::{DEPTH_MAX, invalid, room, too_deep};
use crate::tree::repeated;
use crate::{Element, Item, Member, Scalar, Value};

/// Reads an object with where its parts stand. An integer within 64 bits is an integer, any other
/// number a double, as sops from 3.13.2 on has it.
pub(crate) fn read(text: &str) -> Result<(Value, Layout)> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut reader = Reader { text, at: start, depth: 0 };
    reader.skip_blanks();
    if reader.peek() != Some(b'{') {
        return Err(reader.wrong("a file must hold one object: '{' should stand here"));
    }
    let read = reader.value()?;
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(read),
        Some(_) => Err(reader.wrong("the object has ended, and nothing may follow")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> Error {
        invalid(self.text, self.at, what)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next sign that is not blank is taken if it is `sign`.
    fn take(&mut self, sign: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<(Value, Layout)> {
        self.skip_blanks();
        let start = self.at;
        let scalar = match self.peek() {
            Some(b'{') => return self.deeper(Self::object),
            Some(b'[') => return self.deeper(Self::array),
            Some(b'"') => Scalar::text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z') => self.word()?,
            Some(_) => return Err(self.wrong("a value should stand here")),
            None => return Err(self.wrong("the text ends where a value should stand")),
        };
        Ok((scalar.into(), Layout::whole(start..self.at)))
    }

    fn deeper<T>(&mut self, read: fn(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(too_deep(self.text, self.at));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn object(&mut self) -> Result<(Value, Layout)> {
        let start = self.at;
        self.at += 1;
        let room = if self.depth == 1 { room(self.text) } else { 0 };
        let (mut items, mut parts) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let mut ends = self.take(b'}');
        while !ends {
            self.skip_blanks();
            let key_start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes should stand here"));
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.wrong("':' should follow the key"));
            }
            let (value, layout) = self.value()?;
            items.push(Item::Member(Member { key, value }));
            parts.push(Part::value(key_start, layout));
            ends = self.closes(b'}')?;
        }
        if let Some((at, key)) = repeated(&items) {
            let what = format!("the key '{key}' is there twice");
            return Err(invalid(self.text, parts[at].span.start, &what));
        }
        Ok((Value::Map(items), Layout::flow(start..self.at, parts)))
    }

    fn array(&mut self) -> Result<(Value, Layout)> {
        let start = self.at;
        self.at += 1;
        let (mut elements, mut parts) = (Vec::new(), Vec::new());
        let mut ends = self.take(b']');
        while !ends {
            let (value, layout) = self.value()?;
            elements.push(Element::Value(value));
            parts.push(Part::value(layout.span.start, layout));
            ends = self.closes(b']')?;
        }
        Ok((Value::List(elements), Layout::flow(start..self.at, parts)))
    }

    /// Takes a comma or the bracket; says whether it was the bracket.
    fn closes(&mut self, bracket: u8) -> Result<bool> {
        if self.take(b',') {
            return Ok(false);
        }
        if self.take(bracket) {
            return Ok(true);
        }
        Err(self.wrong(&format!("',' or '{}' should stand here", char::from(bracket))))
    }

    fn word(&mut self) -> Result<Scalar> {
        for (word, scalar) in
            [("true", Scalar::Bool(true)), ("false", Scalar::Bool(false)), ("null", Scalar::Null)]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(scalar);
            }
        }
        Err(self.wrong("a value should stand here"))
    }

    fn number(&mut self) -> Result<Scalar> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        if let Ok(int) = text.parse::<i64>() {
            return Ok(Scalar::Int(int));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Scalar::Float(float)),
            _ => Err(invalid(self.text, start, "the number is beyond what a double holds")),
        }
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("a digit should stand here")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let ends = |byte| matches!(byte, b'"' | b'\\' | ..b' ');
            let Some(length) = rest.bytes().position(ends) else {
                self.at = self.text.len();
                return Err(self.wrong("the text in quotes does not end"));
            };
            out.push_str(&rest[..length]);
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                _ => return Err(self.wrong("a control character in quotes must be an escape")),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let start = self.at;
        self.at += 2;
        Ok(match self.text.as_bytes().get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => self.unicode(start)?,
            _ => return Err(invalid(self.text, start, "there is no such escape")),
        })
    }

    /// The character of `\u` and its digits; one beyond 16 bits has two of them. Half of such a
    /// pair alone is refused, since no text holds it.
    fn unicode(&mut self, start: usize) -> Result<char> {
        let wrong = || invalid(self.text, start, "this escape stands for no character");
        let unit = |at: usize| {
            let digits = self.text.get(at..at + 4)?;
            let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            all.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
        };
        let first = unit(self.at).ok_or_else(wrong)?;
        let is_pair = self.text[self.at + 4..].starts_with("\\u");
        let units = match first {
            0xd800..=0xdbff if is_pair => vec![first, unit(self.at + 6).ok_or_else(wrong)?],
            _ => vec![first],
        };
        let length = 4 + (units.len() - 1) * 6;
        let sign = char::decode_utf16(units).next().and_then(Result::ok).ok_or_else(wrong)?;
        self.at += length;
        Ok(sign)
    }
}
