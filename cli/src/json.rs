use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A JSON value that keeps the digits of numbers and the order of members.
///
/// `serde_json::Value` would turn `1.50` into `1.5` and a long integer into a rounded float;
/// what a secret holds must come out as it went in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As written in the source.
    Number(String),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Deeper than any secret, shallow enough for the stack.
const DEPTH_MAX: usize = 400;

impl Json {
    /// Reads one JSON value.
    ///
    /// # Errors
    /// A text that names the place and never quotes the source.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| place(&error))?;
        Self::of_raw(raw, DEPTH_MAX)
    }

    fn of_raw(raw: &RawValue, depth: usize) -> Result<Self, String> {
        let depth = depth.checked_sub(1).ok_or("the JSON is nested too deeply")?;
        let text = raw.get();
        Ok(match text.as_bytes()[0] {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::Text(serde_json::from_str(text).map_err(|error| place(&error))?),
            b'[' => {
                let items: Vec<&RawValue> =
                    serde_json::from_str(text).map_err(|error| place(&error))?;
                let items = items.into_iter().map(|item| Self::of_raw(item, depth));
                Self::List(items.collect::<Result<_, _>>()?)
            }
            b'{' => {
                let Members(members) = serde_json::from_str(text).map_err(|error| place(&error))?;
                let members = members.into_iter();
                let members = members.map(|(key, value)| Ok((key, Self::of_raw(value, depth)?)));
                Self::Map(members.collect::<Result<_, String>>()?)
            }
            _ => Self::Number(text.to_owned()),
        })
    }

    /// The JSON form of a plain Rust value, members in declaration order.
    pub(crate) fn of(value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).expect("our own output types have string keys");
        Self::parse(&text).expect("serde_json writes JSON")
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn number(number: i64) -> Self {
        Self::Number(number.to_string())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    pub(crate) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Every map by key, a repeated key once with its last value: the way a map type prints.
    pub(crate) fn sorted(self) -> Self {
        match self {
            Self::List(items) => Self::List(items.into_iter().map(Self::sorted).collect()),
            Self::Map(members) => {
                let members: std::collections::BTreeMap<_, _> =
                    members.into_iter().map(|(key, value)| (key, value.sorted())).collect();
                Self::Map(members.into_iter().collect())
            }
            other => other,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// `get`, where `null` counts as absent.
    pub(crate) fn some(&self, key: &str) -> Option<&Self> {
        self.get(key).filter(|value| **value != Self::Null)
    }

    /// The members of a map; nothing for any other value.
    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.parse().ok(),
            _ => None,
        }
    }

    /// Sets a member of a map; any other value becomes a map first.
    pub(crate) fn set(&mut self, key: &str, value: Self) {
        if !self.is_map() {
            *self = Self::Map(Vec::new());
        }
        let Self::Map(members) = self else { return };
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => members.push((key.to_owned(), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Self> {
        let Self::Map(members) = self else { return None };
        let at = members.iter().position(|(name, _)| name == key)?;
        Some(members.remove(at).1)
    }
}

/// The value as text in a table: strings bare, lists as `[a b]`, maps as `map[k:v]`.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<nil>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) | Self::Text(text) => f.write_str(text),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
            Self::Map(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                f.write_str("map[")?;
                for (index, (key, value)) in members.into_iter().enumerate() {
                    write!(f, "{}{key}:{value}", if index == 0 { "" } else { " " })?;
                }
                f.write_str("]")
            }
        }
    }
}

fn place(error: &serde_json::Error) -> String {
    format!("not valid JSON at line {} column {}", error.line(), error.column())
}

/// The members of one object, their values unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_order_are_kept() {
        let value = Json::parse(r#"{"b": 1.50, "a": 12345678901234567890, "b": [null, true]}"#);
        let Json::Map(members) = value.unwrap() else { panic!("no map") };
        let keys: Vec<_> = members.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "b"]);
        assert_eq!(members[0].1, Json::Number("1.50".to_owned()));
        assert_eq!(members[1].1, Json::Number("12345678901234567890".to_owned()));
        let sorted = Json::Map(members).sorted();
        assert_eq!(sorted.to_string(), "map[a:12345678901234567890 b:[<nil> true]]");
    }

    #[test]
    fn bad_json_is_placed_and_not_quoted() {
        let error = Json::parse("{\"a\": hunter2}").unwrap_err();
        assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
        let deep = "[".repeat(2_000) + &"]".repeat(2_000);
        assert!(Json::parse(&deep).is_err());
    }
}
