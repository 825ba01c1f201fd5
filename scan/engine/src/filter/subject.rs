use std::ops::Range;
use std::sync::OnceLock;

use scan_rules::Rule;
use scan_rules::filter::{Field, Text, Value};

use super::{Place, Subject};
use crate::excuse::Texts;

/// A match in a text.
pub(crate) struct Match<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) texts: Texts<'a>,
    pub(crate) entropy: f64,
    pub(crate) span: Range<usize>,
    pub(crate) text: &'a [u8],
    /// The same text, shared by all expressions that ask for it.
    pub(crate) shared: &'a OnceLock<Text>,
}

impl Subject for Match<'_> {
    fn field(&self, field: Field) -> Value {
        let number = |at: usize| Value::Integer(i64::try_from(at).unwrap_or(i64::MAX));
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        match field {
            Field::Description => Value::text(self.rule.description.as_bytes()),
            Field::Entropy => Value::text(self.entropy.to_string().into_bytes()),
            Field::Line => Value::text(self.texts.line),
            Field::Match => Value::text(self.texts.matched),
            Field::RuleId => Value::text(self.rule.id.as_bytes()),
            Field::Secret => Value::text(self.texts.secret),
            Field::MatchStart => number(self.span.start),
            Field::MatchEnd => number(self.span.end),
            Field::MatchLineStart => {
                let before = &self.text[..self.span.start];
                number(before.iter().rposition(is_break).map_or(0, |at| at + 1))
            }
            Field::MatchLineEnd => {
                let after = &self.text[self.span.end..];
                let length = after.iter().position(is_break).unwrap_or(after.len());
                number(self.span.end + length)
            }
            Field::Raw => Value::Text(self.shared.get_or_init(|| Text::new(self.text)).clone()),
        }
    }
}

/// A place of which nothing is known yet.
pub(crate) struct Unknown;

impl Place for Unknown {
    fn attribute(&self, _: &str) -> Option<Text> {
        None
    }
}

/// What a rule for paths alone found.
pub(crate) struct PathMatch<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) path: &'a str,
}

impl Subject for PathMatch<'_> {
    fn field(&self, field: Field) -> Value {
        match field {
            Field::Description => Value::text(self.rule.description.as_bytes()),
            Field::Match => Value::text(format!("file detected: {}", self.path).into_bytes()),
            Field::RuleId => Value::text(self.rule.id.as_bytes()),
            Field::Entropy | Field::Line | Field::Raw | Field::Secret => Value::text(*b""),
            Field::MatchStart | Field::MatchEnd | Field::MatchLineStart | Field::MatchLineEnd => {
                Value::Integer(0)
            }
        }
    }
}
