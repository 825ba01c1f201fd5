use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Function;

/// A piece of an expression. Values are immediate; all else is worked out when it is known what it is about.
#[derive(Clone, Debug)]
pub enum Term {
    Value(Value),
    Finding(Field),
    /// What is known of the place by this name; an empty text if nothing is.
    Attribute(Arc<str>),
    Variable(usize),
    Let(usize, Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    /// The condition, what holds if it is true, and what if it is not.
    Choice(Box<Self>, Box<Self>, Box<Self>),
    /// Something about each element of a list, which is in the variable.
    Each(Quantifier, usize, Box<Self>, Box<Self>),
    List(Vec<Self>),
    /// What needs all of its arguments.
    Apply(Operator, Vec<Self>),
    /// What cannot be worked out. It matters only if it is needed.
    Fault(Arc<str>),
}

/// What is known of a finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    Description,
    Entropy,
    Line,
    Match,
    MatchEnd,
    MatchLineEnd,
    MatchLineStart,
    MatchStart,
    /// All of the text that was searched, decoded if the finding was.
    Raw,
    RuleId,
    Secret,
}

/// What is made of all arguments at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    Add,
    Call(Function),
    /// Whether a text has one of the words of this number, in any case.
    ContainsAny(usize),
    Contains,
    Divide,
    EndsWith,
    Equal,
    /// The first match of the pattern of this number; an empty text if there is none.
    FindMatch(usize),
    In,
    Index,
    Less,
    LessOrEqual,
    /// Whether the pattern of this number matches somewhere.
    Matches(usize),
    Multiply,
    Negate,
    Not,
    Power,
    /// The whole numbers from one to the other, both included.
    Range,
    Remainder,
    /// A list or a text from one place to before the other.
    Slice,
    StartsWith,
    Subtract,
}

/// What is asked about the elements of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Quantifier {
    All,
    Any,
    Count,
    Filter,
    Map,
    None,
    One,
}

/// What an expression works out.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Truth(bool),
    Integer(i64),
    Float(f64),
    Text(Text),
    List(Vec<Self>),
}

/// Bytes that are mostly a text. A part of another one shares its memory. `Debug` shows none of it.
#[derive(Clone)]
pub struct Text {
    bytes: Arc<[u8]>,
    range: Range<usize>,
}

impl Field {
    pub(super) const ALL: [(&'static str, Self); 11] = [
        ("description", Self::Description),
        ("entropy", Self::Entropy),
        ("fragment_raw", Self::Raw),
        ("line", Self::Line),
        ("match", Self::Match),
        ("match_end_idx", Self::MatchEnd),
        ("match_line_end_idx", Self::MatchLineEnd),
        ("match_line_start_idx", Self::MatchLineStart),
        ("match_start_idx", Self::MatchStart),
        ("rule_id", Self::RuleId),
        ("secret", Self::Secret),
    ];
}

impl Value {
    pub fn text(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Text(Text::new(bytes))
    }
}

impl Term {
    pub fn truth(truth: bool) -> Self {
        Self::Value(Value::Truth(truth))
    }

    /// The same, sharing no memory with the text that it was made from.
    pub fn detached(self) -> Self {
        let boxed = |term: Box<Self>| Box::new(term.detached());
        let list = |terms: Vec<Self>| terms.into_iter().map(Self::detached).collect();
        match self {
            Self::Value(value) => Self::Value(value.detached()),
            Self::Let(slot, value, body) => Self::Let(slot, boxed(value), boxed(body)),
            Self::And(a, b) => Self::And(boxed(a), boxed(b)),
            Self::Or(a, b) => Self::Or(boxed(a), boxed(b)),
            Self::Choice(condition, yes, no) => {
                Self::Choice(boxed(condition), boxed(yes), boxed(no))
            }
            Self::Each(quantifier, slot, of, body) => {
                Self::Each(quantifier, slot, boxed(of), boxed(body))
            }
            Self::List(terms) => Self::List(list(terms)),
            Self::Apply(operator, terms) => Self::Apply(operator, list(terms)),
            other
            @ (Self::Finding(_) | Self::Attribute(_) | Self::Variable(_) | Self::Fault(_)) => other,
        }
    }
}

impl Value {
    fn detached(self) -> Self {
        match self {
            Self::Text(text) => Self::text(text.as_bytes()),
            Self::List(list) => Self::List(list.into_iter().map(Self::detached).collect()),
            other @ (Self::Nil | Self::Truth(_) | Self::Integer(_) | Self::Float(_)) => other,
        }
    }
}

impl Text {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { range: 0..bytes.len(), bytes }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }

    /// The part at `range`, which lies within this one.
    pub fn part(&self, range: Range<usize>) -> Self {
        let start = self.range.start + range.start;
        Self {
            bytes: Arc::clone(&self.bytes),
            range: start.min(self.range.end)
                ..(self.range.start + range.end).clamp(start.min(self.range.end), self.range.end),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.range.len())
    }
}
