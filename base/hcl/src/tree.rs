use std::fmt;

use base_types::Error;

use crate::Fields;

/// An object: keys with values, in the order of the text. The document itself is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// Where its `{` is, or the beginning of the document.
    pub at: Position,
    pub entries: Vec<Entry>,
}

impl Body {
    /// Starts typed reading of the keys in this object.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(self)
    }
}

/// One key and its value. The same key may occur again in the same [`Body`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Key,
    pub value: Value,
}

/// A key, or a label, which is a key one level deeper.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub text: String,
    pub at: Position,
}

/// A value and the place of its first character.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub at: Position,
    pub kind: Kind,
}

/// What a value is. `Null` occurs in JSON only.
#[derive(Clone, PartialEq)]
pub enum Kind {
    Bool(bool),
    List(Vec<Value>),
    Null,
    Number(Number),
    Object(Body),
    String(String),
}

impl Kind {
    /// The kind in words, for messages.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Null => "null",
            Self::Number(_) => "a number",
            Self::Object(_) => "a block",
            Self::String(_) => "a string",
        }
    }
}

/// Strings are left out: a configuration may hold secrets, and debug output ends in logs.
impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::List(values) => values.fmt(f),
            Self::Object(body) => body.fmt(f),
            Self::Null | Self::Number(_) | Self::String(_) => f.write_str(self.noun()),
        }
    }
}

/// A number as it was written, so that `0600` can still be read as text where a mode is meant.
#[derive(Clone, PartialEq)]
pub struct Number(Box<str>);

impl Number {
    /// `text` must have the form of a number in HCL or JSON; the parsers see to that.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole number, if it is one and fits; `0x1f` is hexadecimal and `017` octal.
    pub fn integer(&self) -> Option<i64> {
        let (sign, digits) = match self.0.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", &*self.0),
        };
        let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            Some(hex) => (16, hex),
            None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
            None => (10, digits),
        };
        i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
    }

    /// The nearest binary fraction.
    pub fn float(&self) -> f64 {
        match self.integer() {
            Some(whole) => whole as f64,
            None => self.0.parse().unwrap_or(f64::NAN),
        }
    }
}

/// A place in the text. Lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl Default for Position {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Position {
    /// An `Invalid` error that reads `line L, column C: {what}`.
    pub fn error(self, what: impl fmt::Display) -> Error {
        Error::invalid(format!("{self}: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_in_its_base() {
        for (text, value) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("-7", Some(-7)),
            ("0x1F", Some(31)),
            ("-0x10", Some(-16)),
            ("0600", Some(384)),
            ("09", None),
            ("1.5", None),
            ("1e3", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
        ] {
            assert_eq!(Number::new(text).integer(), value, "{text}");
        }
        assert_eq!(Number::new("1.5e1").float(), 15.0);
        assert_eq!(Number::new("0x10").float(), 16.0);
    }

    #[test]
    fn debug_never_shows_a_string() {
        let body = crate::parse("key = \"hunter2\"\nlist = [\"hunter2\"]").unwrap_or_default();
        let shown = format!("{body:?}");
        assert!(!shown.contains("hunter2") && shown.contains("a string"), "{shown}");
    }
}
