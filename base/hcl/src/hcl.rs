use base_types::Result;

use crate::cursor::Cursor;
use crate::text;
use crate::tree::{Body, Entry, Key, Kind, Number, Value};

/// Reads HCL. The grammar is that of version 1: a key or several, then `=` and a value or a block;
/// line breaks mean nothing outside of comments and heredocs.
pub(crate) fn document(text: &str) -> Result<Body> {
    let mut parser = Parser { cursor: Cursor::new(text) };
    let mut body = Body::default();
    while parser.skip_blank()?.is_some() {
        body.entries.push(parser.entry(1)?);
    }
    Ok(body)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
}

fn starts_word(char: char) -> bool {
    char.is_alphabetic() || char == '_'
}

fn continues_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-' | '.')
}

impl Parser<'_> {
    /// Steps over space and comments and looks at what follows.
    fn skip_blank(&mut self) -> Result<Option<char>> {
        loop {
            self.cursor.take_while(|char| matches!(char, ' ' | '\t' | '\r' | '\n'));
            let at = self.cursor.at();
            if self.cursor.eat("#") || self.cursor.eat("//") {
                self.cursor.skip_line();
            } else if self.cursor.eat("/*") {
                let Some(length) = self.cursor.rest().find("*/") else {
                    return Err(at.error("the comment never ends: add */"));
                };
                self.cursor.skip(length + 2);
            } else {
                return Ok(self.cursor.peek());
            }
        }
    }

    /// One key with its value. Each label after the key becomes an object around the next.
    fn entry(&mut self, depth: usize) -> Result<Entry> {
        let mut keys = vec![self.key()?];
        let value = loop {
            match self.skip_blank()? {
                Some('=') if keys.len() == 1 => {
                    self.cursor.bump();
                    self.skip_blank()?;
                    break self.value(depth)?;
                }
                Some('=') => {
                    return Err(self.cursor.error("a key with labels takes a block: remove the ="));
                }
                Some('{') => break self.value(depth + keys.len() - 1)?,
                Some(char) if char == '"' || starts_word(char) => keys.push(self.key()?),
                Some(':') => return Err(self.cursor.error("a value is set with =, not with :")),
                _ => {
                    return Err(self
                        .cursor
                        .unexpected("a key needs = and a value, or a block { }"));
                }
            }
        };
        Ok(nest(keys, value))
    }

    fn key(&mut self) -> Result<Key> {
        let at = self.cursor.at();
        let text = match self.cursor.peek() {
            Some('"') => text::quoted(&mut self.cursor)?,
            Some(char) if starts_word(char) => self.cursor.take_while(continues_word).to_owned(),
            Some('}') => return Err(self.cursor.error("this } closes nothing: remove it")),
            _ => return Err(self.cursor.unexpected("a key must be a word or a quoted string")),
        };
        Ok(Key { text, at })
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        self.cursor.check_depth(depth)?;
        let at = self.cursor.at();
        let kind = match self.cursor.peek() {
            Some('"') => Kind::String(text::quoted(&mut self.cursor)?),
            Some('<') => Kind::String(text::heredoc(&mut self.cursor)?),
            Some('[') => Kind::List(self.list(depth)?),
            Some('{') => Kind::Object(self.object(depth)?),
            Some(char) if char == '-' || char.is_ascii_digit() => Kind::Number(self.number()?),
            Some(char) if starts_word(char) => match self.cursor.take_while(continues_word) {
                "true" => Kind::Bool(true),
                "false" => Kind::Bool(false),
                _ => return Err(at.error("a value that is a word must be in quotes")),
            },
            _ => return Err(self.cursor.unexpected("a value must follow")),
        };
        Ok(Value { at, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Body> {
        let mut body = Body { at: self.cursor.at(), entries: Vec::new() };
        self.cursor.bump();
        loop {
            match self.skip_blank()? {
                None => return Err(body.at.error("the block never ends: add }")),
                Some('}') => break,
                Some(_) => body.entries.push(self.entry(depth + 1)?),
            }
            if self.skip_blank()? == Some(',') {
                self.cursor.bump();
            }
        }
        self.cursor.bump();
        Ok(body)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>> {
        let opening = self.cursor.at();
        let mut values = Vec::new();
        self.cursor.bump();
        loop {
            match self.skip_blank()? {
                None => return Err(opening.error("the list never ends: add ]")),
                Some(']') => break,
                Some(_) => values.push(self.value(depth + 1)?),
            }
            match self.skip_blank()? {
                Some(',') => self.cursor.bump(),
                Some(']') => continue,
                None => return Err(opening.error("the list never ends: add ]")),
                Some(_) => {
                    return Err(self.cursor.unexpected("a list goes on with , or ends with ]"));
                }
            };
        }
        self.cursor.bump();
        Ok(values)
    }

    /// Decimal, `0x` hexadecimal, leading-zero octal, or a decimal fraction with an exponent.
    fn number(&mut self) -> Result<Number> {
        let at = self.cursor.at();
        let continues = |char: char| continues_word(char) || char == '+';
        let text = self.cursor.take_while(continues);
        let digits = text.strip_prefix('-').unwrap_or(text);
        let hexadecimal = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
        let valid = match hexadecimal {
            Some(hex) => !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => is_decimal(digits),
        };
        if valid {
            Ok(Number::new(text))
        } else {
            Err(at.error("not a number: write digits such as 42, 0x2a or 1.5e3, or use quotes"))
        }
    }
}

/// Digits, then maybe a point and digits, then maybe an exponent.
pub(crate) fn is_decimal(text: &str) -> bool {
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    all_digits(whole)
        && fraction.is_none_or(all_digits)
        && exponent.is_none_or(|text| all_digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// `a "b" "c" {}` as `a = { b = { c = {} } }`. At least one key is given.
fn nest(keys: Vec<Key>, mut value: Value) -> Entry {
    let mut keys = keys.into_iter().rev();
    let mut key = keys.next().expect("an entry has a key");
    for outer in keys {
        let at = key.at;
        let body = Body { at, entries: vec![Entry { key, value }] };
        value = Value { at, kind: Kind::Object(body) };
        key = outer;
    }
    Entry { key, value }
}
