use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The parameters of a request as rules see them: the top-level keys of the body and the query.
#[derive(Clone, Debug, Default)]
pub struct Parameters(BTreeMap<String, Value>);

impl Parameters {
    /// Reads the JSON object in a request's body; no body means no parameters.
    ///
    /// Answers `None` for anything that is not an object, and for an object that has a key twice:
    /// the rules must not judge one value while the engine uses the other.
    pub fn from_json(body: &[u8]) -> Option<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Some(Self::default());
        }
        serde_json::from_slice(body).ok()
    }

    /// Adds what the query of the URL says. A key that is there already is overwritten.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), value.into());
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut parameters = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if parameters.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key occurs twice"));
                    }
                }
                Ok(Parameters(parameters))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_one_reading() {
        for (body, keys) in [
            ("", Some(0)),
            (" \n", Some(0)),
            ("{}", Some(0)),
            (r#"{"a": 1, "A": {"b": 1, "b": 2}}"#, Some(2)),
            (r#"{"a": 1, "a": 2}"#, None),
            (r#"{"a": 1, "\u0061": 2}"#, None),
            ("[]", None),
            ("null", None),
            ("{", None),
            (r#"{"a": 1} x"#, None),
        ] {
            let parameters = Parameters::from_json(body.as_bytes());
            assert_eq!(parameters.map(|parameters| parameters.iter().count()), keys, "{body}");
        }
        let bomb = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(Parameters::from_json(bomb.as_bytes()).is_none());
    }
}
