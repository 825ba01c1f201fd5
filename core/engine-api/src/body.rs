use base_types::{Error, Result};
use bytes::Bytes;
use serde_json::value::RawValue;

/// The fields that came with a request.
#[derive(Clone, Debug, Default)]
pub enum Body {
    #[default]
    Empty,
    /// The text of a JSON object within the limits of [`Body::json`].
    Json(Bytes),
    /// The query of a request without a body, decoded.
    Query(Vec<(String, String)>),
}

/// Deeper nesting than any secret needs; it bounds the stack of every later pass over the text.
const DEPTH_MAX: usize = 64;
/// Bounds the work of passes that cost per value, such as the audit's HMAC (CVE-2025-6203).
const VALUES_MAX: usize = 100_000;

impl Body {
    /// Checks the text once, so that whoever reads it later can rely on it: an object, nested at
    /// most 64 deep, at most 100,000 values, valid UTF-8.
    ///
    /// # Errors
    /// `Invalid` with the line and column of the fault and nothing of the text itself.
    pub fn json(text: Bytes) -> Result<Self> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Empty);
        }
        check_limits(&text)?;
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

/// One pass over the bytes, before anything recursive sees them.
fn check_limits(text: &[u8]) -> Result<()> {
    let (mut depth, mut values) = (0usize, 0usize);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                if depth > DEPTH_MAX {
                    return Err(Error::invalid("the JSON body is nested deeper than 64 levels"));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if values > VALUES_MAX {
            return Err(Error::too_large("the JSON body holds more than 100000 values"));
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
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
