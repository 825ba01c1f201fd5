//! What a file says, in the shape that sops gives it.

use std::collections::HashSet;
use std::fmt;

use base_types::Secret;

/// One thing in a mapping: a comment, or a key with its value. Comments stand among the members
/// in the order of the file; one at the end of a line stands before the member of that line.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Comment(Comment),
    Member(Member),
}

/// One line of a comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// What follows the sign of the comment (`#` or `;`), with the blank that usually leads it.
    pub text: Secret<String>,
    /// Whether it shares its line with a value, which then follows it in the tree. Where a format
    /// has no such comments, writing makes it a line of its own.
    pub inline: bool,
}

/// A key and its value. Within a mapping a key occurs once.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub key: String,
    pub value: Value,
}

/// What a key or a place in a list holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    List(Vec<Element>),
    Map(Vec<Item>),
    Scalar(Scalar),
}

/// One thing in a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    Comment(Comment),
    Value(Value),
}

/// A value without parts, of the type that sops gives it.
#[derive(Clone)]
pub enum Scalar {
    /// Only [`Format::Binary`](crate::Format::Binary) has it: the whole file.
    Bytes(Secret<Vec<u8>>),
    Bool(bool),
    /// Equal when the bits are, so that a tree with a NaN equals itself.
    Float(f64),
    Int(i64),
    Null,
    Text(Secret<String>),
    /// A point in time as RFC 3339 writes it, with the offset that the file names and without
    /// zeros at the end of the fraction: `2001-12-14T21:59:43.1-05:00`.
    Time(String),
}

impl Comment {
    /// A comment on a line of its own.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Secret::new(text.into()), inline: false }
    }
}

/// Two comments are equal when they say the same; where they stand is layout.
impl PartialEq for Comment {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Item {
    /// A key with its value.
    pub fn member(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Member(Member { key: key.into(), value: value.into() })
    }
}

impl Scalar {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Secret::new(text.into()))
    }

    /// The type by the name that messages use.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bytes(_) => "bytes",
            Self::Bool(_) => "bool",
            Self::Float(_) => "float",
            Self::Int(_) => "int",
            Self::Null => "null",
            Self::Text(_) => "str",
            Self::Time(_) => "time",
        }
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Null, Self::Null) => true,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            _ => false,
        }
    }
}

/// The type alone: every value may be a secret.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        Self::Scalar(scalar)
    }
}

impl From<Vec<Item>> for Value {
    fn from(items: Vec<Item>) -> Self {
        Self::Map(items)
    }
}

impl From<Vec<Element>> for Value {
    fn from(elements: Vec<Element>) -> Self {
        Self::List(elements)
    }
}

/// The first item whose key an earlier one has, by its position.
pub(crate) fn repeated(items: &[Item]) -> Option<(usize, &str)> {
    let mut keys = HashSet::with_capacity(items.len());
    items.iter().enumerate().find_map(|(at, item)| match item {
        Item::Member(member) if !keys.insert(member.key.as_str()) => Some((at, &*member.key)),
        Item::Comment(_) | Item::Member(_) => None,
    })
}

/// What the members of a mapping and the elements of a list have in common.
pub(crate) trait Entry: Clone + PartialEq {
    const IS_ELEMENT: bool;

    fn of_comment(comment: Comment) -> Self;
    fn comment(&self) -> Option<&Comment>;
    /// None for an element.
    fn key(&self) -> Option<&str>;
    fn value(&self) -> Option<&Value>;
    fn value_mut(&mut self) -> Option<&mut Value>;
    /// The value that these are the entries of.
    fn container(entries: Vec<Self>) -> Value;
}

impl Entry for Item {
    const IS_ELEMENT: bool = false;

    fn of_comment(comment: Comment) -> Self {
        Self::Comment(comment)
    }

    fn comment(&self) -> Option<&Comment> {
        match self {
            Self::Comment(comment) => Some(comment),
            Self::Member(_) => None,
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Comment(_) => None,
            Self::Member(member) => Some(&member.key),
        }
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Self::Comment(_) => None,
            Self::Member(member) => Some(&member.value),
        }
    }

    fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Comment(_) => None,
            Self::Member(member) => Some(&mut member.value),
        }
    }

    fn container(entries: Vec<Self>) -> Value {
        Value::Map(entries)
    }
}

impl Entry for Element {
    const IS_ELEMENT: bool = true;

    fn of_comment(comment: Comment) -> Self {
        Self::Comment(comment)
    }

    fn comment(&self) -> Option<&Comment> {
        match self {
            Self::Comment(comment) => Some(comment),
            Self::Value(_) => None,
        }
    }

    fn key(&self) -> Option<&str> {
        None
    }

    fn value(&self) -> Option<&Value> {
        match self {
            Self::Comment(_) => None,
            Self::Value(value) => Some(value),
        }
    }

    fn value_mut(&mut self) -> Option<&mut Value> {
        match self {
            Self::Comment(_) => None,
            Self::Value(value) => Some(value),
        }
    }

    fn container(entries: Vec<Self>) -> Value {
        Value::List(entries)
    }
}

/// The value of `key` among the items of a mapping.
pub fn get<'a>(items: &'a [Item], key: &str) -> Option<&'a Value> {
    items.iter().find_map(|item| match item {
        Item::Member(member) if member.key == key => Some(&member.value),
        _ => None,
    })
}
