use base_types::Secret;
use files_document::Scalar;
use zeroize::Zeroizing;

/// The bytes of a scalar that are hashed and encrypted, and the name of its type; nothing for
/// null, which is neither.
pub(crate) fn encode(scalar: &Scalar) -> Option<(&'static str, Zeroizing<Vec<u8>>)> {
    let (kind, bytes) = match scalar {
        // What is read from a binary file is written as text, whatever bytes it holds.
        Scalar::Bytes(bytes) => ("str", bytes.expose().clone()),
        Scalar::Bool(value) => ("bool", if *value { b"True".to_vec() } else { b"False".to_vec() }),
        Scalar::Float(value) => ("float", float(*value).into_bytes()),
        Scalar::Int(value) => ("int", value.to_string().into_bytes()),
        Scalar::Null => return None,
        Scalar::Text(text) => ("str", text.expose().clone().into_bytes()),
        Scalar::Time(time) => ("time", time.clone().into_bytes()),
    };
    Some((kind, Zeroizing::new(bytes)))
}

/// What `encode` made, or nothing if these bytes are none of that type.
pub(crate) fn decode(kind: &str, bytes: Zeroizing<Vec<u8>>) -> Option<Scalar> {
    if kind == "bytes" {
        return Some(Scalar::Bytes(Secret::new(bytes.to_vec())));
    }
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(_) if kind == "str" => return Some(Scalar::Bytes(Secret::new(bytes.to_vec()))),
        Err(_) => return None,
    };
    Some(match kind {
        "bool" => Scalar::Bool(boolean(text)?),
        "float" => Scalar::Float(text.parse().ok()?),
        "int" => Scalar::Int(text.parse().ok()?),
        "str" => Scalar::text(text),
        "time" if is_time(text) => Scalar::Time(text.to_owned()),
        _ => return None,
    })
}

/// Whether only a time can be meant: in TOML it may be a date alone, or without an offset.
fn is_time(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || b"-+:.TZ".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_digit()) && text.bytes().all(is_part)
}

/// The shortest decimal fraction that reads as `value`, never with an exponent.
fn float(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => value.to_string(),
    }
}

/// The words that Go's `strconv.ParseBool` knows.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_bytes_that_sops_gives_them() {
        for (scalar, kind, bytes) in [
            (Scalar::Bool(true), "bool", "True"),
            (Scalar::Bool(false), "bool", "False"),
            (Scalar::Float(1.0), "float", "1"),
            (Scalar::Float(1e10), "float", "10000000000"),
            (Scalar::Float(1e-7), "float", "0.0000001"),
            (Scalar::Float(f64::INFINITY), "float", "+Inf"),
            (Scalar::Float(f64::NEG_INFINITY), "float", "-Inf"),
            (Scalar::Float(f64::NAN), "float", "NaN"),
            (Scalar::Int(i64::MIN), "int", "-9223372036854775808"),
            (Scalar::text("ä"), "str", "ä"),
            (Scalar::Time("2025-01-02T00:00:00Z".to_owned()), "time", "2025-01-02T00:00:00Z"),
        ] {
            let (name, encoded) = encode(&scalar).unwrap();
            assert_eq!((name, encoded.as_slice()), (kind, bytes.as_bytes()));
            assert!(decode(name, encoded).unwrap() == scalar);
        }
        assert!(encode(&Scalar::Null).is_none());
    }

    #[test]
    fn other_words_are_refused() {
        for (kind, bytes) in [
            ("int", "1.5"),
            ("bool", "yes"),
            ("float", "x"),
            ("time", "yesterday"),
            ("time", "2025-01-02 # x"),
            ("list", "a"),
        ] {
            assert!(decode(kind, Zeroizing::new(bytes.as_bytes().to_vec())).is_none(), "{kind}");
        }
    }
}
