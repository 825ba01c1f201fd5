use base_types::{Error, Result};

use crate::cursor::Cursor;
use crate::hcl::is_decimal;
use crate::tree::{Body, Entry, Key, Kind, Number, Position, Value};

/// Reads JSON (RFC 8259) whose outermost value is an object.
pub(crate) fn document(text: &str) -> Result<Body> {
    let mut parser = Parser { cursor: Cursor::new(text) };
    parser.skip_space();
    let body = parser.object(1)?;
    match parser.skip_space() {
        None => Ok(body),
        Some(_) => Err(parser.cursor.unexpected("the JSON text must end after its last }")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
}

impl Parser<'_> {
    fn skip_space(&mut self) -> Option<char> {
        self.cursor.take_while(|char| matches!(char, ' ' | '\t' | '\r' | '\n'));
        self.cursor.peek()
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        self.cursor.check_depth(depth)?;
        let at = self.cursor.at();
        let kind = match self.cursor.peek() {
            Some('"') => Kind::String(self.string()?),
            Some('[') => Kind::List(self.list(depth)?),
            Some('{') => Kind::Object(self.object(depth)?),
            Some(char) if char == '-' || char.is_ascii_digit() => Kind::Number(self.number()?),
            _ => match self.cursor.take_while(|char| char.is_ascii_alphabetic()) {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                "null" => Kind::Null,
                "" => return Err(self.cursor.unexpected("a value must follow")),
                _ => return Err(at.error("a value that is a word must be in quotes")),
            },
        };
        Ok(Value { at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Body> {
        let mut body = Body { at: self.cursor.at(), entries: Vec::new() };
        self.cursor.bump();
        let mut next = self.skip_space();
        while next != Some('}') || !body.entries.is_empty() {
            let key = self.key()?;
            if self.skip_space() != Some(':') {
                return Err(self.cursor.unexpected("a key is followed by :"));
            }
            self.cursor.bump();
            self.skip_space();
            body.entries.push(Entry { key, value: self.value(depth + 1)? });
            match self.skip_space() {
                Some(',') => self.cursor.bump(),
                Some('}') => break,
                _ => return Err(self.cursor.unexpected("an object goes on with , or ends with }")),
            };
            next = self.skip_space();
        }
        self.cursor.bump();
        Ok(body)
    }

    fn key(&mut self) -> Result<Key> {
        let at = self.cursor.at();
        if self.cursor.peek() != Some('"') {
            return Err(self.cursor.unexpected("a key must be a string in double quotes"));
        }
        Ok(Key { text: self.string()?, at })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        self.cursor.bump();
        let mut next = self.skip_space();
        while next != Some(']') || !values.is_empty() {
            values.push(self.value(depth + 1)?);
            match self.skip_space() {
                Some(',') => self.cursor.bump(),
                Some(']') => break,
                _ => return Err(self.cursor.unexpected("a list goes on with , or ends with ]")),
            };
            next = self.skip_space();
        }
        self.cursor.bump();
        Ok(values)
    }

    fn number(&mut self) -> Result<Number> {
        let at = self.cursor.at();
        let text = self
            .cursor
            .take_while(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.'));
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        if is_decimal(digits) && !leading_zero {
            Ok(Number::new(text))
        } else {
            Err(at.error("not a JSON number: write digits such as 42 or 1.5e3, or use quotes"))
        }
    }

    fn string(&mut self) -> Result<String> {
        let opening = self.cursor.at();
        let mut text = String::new();
        self.cursor.bump();
        loop {
            let at = self.cursor.at();
            match self.cursor.bump() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some('\n') | None => return Err(opening.error("the string never ends: add \"")),
                Some(char) if char < ' ' => {
                    return Err(
                        at.error("a JSON string cannot hold a control character: use \\u00HH")
                    );
                }
                Some(char) => text.push(char),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char> {
        match self.cursor.bump() {
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some(char @ ('\\' | '"' | '/')) => Ok(char),
            Some('u') => self.utf16(at),
            _ => Err(at.error("no such escape: write \\\\ for a backslash")),
        }
    }

    /// What follows `\u`: a code unit, or the first of a surrogate pair.
    fn utf16(&mut self, at: Position) -> Result<char> {
        let invalid = || -> Error { at.error("not the code of a character: write \\uHHHH") };
        let first = self.code_unit().ok_or_else(invalid)?;
        let units = match first {
            0 => return Err(at.error("a string cannot hold the character NUL")),
            0xd800..=0xdbff if self.cursor.eat("\\u") => {
                vec![first, self.code_unit().ok_or_else(invalid)?]
            }
            _ => vec![first],
        };
        match char::decode_utf16(units).collect::<Result<Vec<_>, _>>().as_deref() {
            Ok([char]) => Ok(*char),
            _ => Err(invalid()),
        }
    }

    fn code_unit(&mut self) -> Option<u16> {
        let digits = self.cursor.rest().get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.cursor.skip(4);
        u16::from_str_radix(digits, 16).ok()
    }
}
