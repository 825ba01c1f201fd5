use base_types::{Error, Result};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::JsonLimits;

/// The fields that came with a request.
#[derive(Clone, Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    /// The text of a JSON object within the limits of [`Body::json_within`].
    Json(Bytes),
    /// The query of a request without a body, decoded.
    Query(Vec<(String, String)>),
}

impl Body {
    /// As [`Body::json_within`] the usual limits.
    ///
    /// # Errors
    /// As there.
    pub fn json(text: Bytes) -> Result<Self> {
        Self::json_within(text, &JsonLimits::default())
    }

    /// Checks the text once, so that whoever reads it later can rely on it: an object within the
    /// limits, valid UTF-8.
    ///
    /// # Errors
    /// `Invalid` with the line and column of the fault and nothing of the text itself; `TooLarge`
    /// for what is beyond a limit.
    pub fn json_within(text: Bytes, limits: &JsonLimits) -> Result<Self> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Empty);
        }
        limits.check(&text)?;
        let text_str = std::str::from_utf8(&text)
            .map_err(|_| Error::invalid("failed to decode JSON input: the text is not UTF-8"))?;
        let raw: &RawValue = serde_json::from_str(text_str).map_err(|error| syntax(&error))?;
        if raw.get().starts_with('{') {
            Ok(Self::Json(text))
        } else if raw.get() == "null" {
            Ok(Self::Empty)
        } else {
            Err(Error::invalid("failed to decode JSON input: the body must be a JSON object"))
        }
    }

    /// The fields as a typed request, read as forgivingly as those of an engine.
    ///
    /// # Errors
    /// `Invalid`, naming the field and not the value, if one is of the wrong type.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        crate::weak::parse(&[], self).map(|parsed| parsed.request)
    }

    /// The body as the text of a JSON object; a query becomes an object of strings.
    pub fn to_json(&self) -> Option<Box<RawValue>> {
        match self {
            Self::Empty => None,
            Self::Json(text) => std::str::from_utf8(text)
                .ok()
                .and_then(|text| RawValue::from_string(text.trim().to_owned()).ok()),
            Self::Query(pairs) if pairs.is_empty() => None,
            Self::Query(pairs) => {
                let object: serde_json::Map<_, _> =
                    pairs.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
                serde_json::value::to_raw_value(&object).ok()
            }
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Json(text) => std::str::from_utf8(text).ok(),
            Self::Empty | Self::Query(_) => None,
        }
    }
}

fn syntax(error: &serde_json::Error) -> Error {
    if error.is_eof() {
        return Error::invalid("failed to decode JSON input: unexpected EOF");
    }
    Error::invalid(format!(
        "failed to decode JSON input: malformed at line {}, column {}",
        error.line(),
        error.column()
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, fits: bool) {
        assert_eq!(Body::json(Bytes::copy_from_slice(text.as_bytes())).is_ok(), fits, "{text:.60}");
    }

    #[test]
    fn takes_objects_and_refuses_the_rest() {
        check("", true);
        check(" \n", true);
        check("null", true);
        check(r#"{"a":"}{","b":[1,2,{"c":null}]}"#, true);
        check("[]", false);
        check("{", false);
        check(r#"{"a":1}x"#, false);
        check(r#"{"a":"\ud800"}"#, true); // A RawValue is not unescaped; the reader of the field is.
        check(&format!("{{\"a\":{}{}}}", "[".repeat(63), "]".repeat(63)), true);
        check(&format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)), false);
        check(&format!("{{\"a\":[{}1]}}", "1,".repeat(100_000)), false);
        assert!(Body::json(Bytes::from_static(b"{\"a\":\"\xff\"}")).is_err());
    }

    #[test]
    fn an_error_names_the_place_and_not_the_value() {
        let error = Body::json(Bytes::from_static(b"{\n\"pw\":\"hunter2\",}")).unwrap_err();
        assert!(error.public().contains("line 2"), "{}", error.public());
        assert!(!error.public().contains("hunter2"));
    }
}
