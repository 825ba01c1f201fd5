use base_crypto::{hex, random_base62, random_uuid, sha256};
use base_types::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Source, Value, check_length, layout};

/// What can be called. <https://openbao.org/docs/concepts/username-templating/>
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Function {
    Base64,
    Equal,
    Lowercase,
    NotEqual,
    Printf,
    Random,
    Replace,
    Sha256,
    Timestamp,
    Truncate,
    TruncateSha256,
    UnixTime,
    UnixTimeMillis,
    Uppercase,
    /// For passwords of Active Directory.
    Utf16Le,
    Uuid,
}

/// More would only make denial of service easy.
const RANDOM_MAX: i64 = 1024;
/// Hexadecimal digits of the hash that stands for what was cut off.
const HASH_LENGTH: usize = 8;

impl Function {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "base64" => Self::Base64,
            "eq" => Self::Equal,
            "lowercase" => Self::Lowercase,
            "ne" => Self::NotEqual,
            "printf" => Self::Printf,
            "random" => Self::Random,
            "replace" => Self::Replace,
            "sha256" => Self::Sha256,
            "timestamp" => Self::Timestamp,
            "truncate" => Self::Truncate,
            "truncate_sha256" => Self::TruncateSha256,
            "unix_time" => Self::UnixTime,
            "unix_time_millis" => Self::UnixTimeMillis,
            "uppercase" => Self::Uppercase,
            "utf16le" => Self::Utf16Le,
            "uuid" => Self::Uuid,
            _ => return None,
        })
    }

    /// How many arguments it takes; `None` is one or more.
    pub(crate) fn arguments(self) -> Option<usize> {
        match self {
            Self::Printf => None,
            Self::UnixTime | Self::UnixTimeMillis | Self::Uuid => Some(0),
            Self::Base64
            | Self::Lowercase
            | Self::Random
            | Self::Sha256
            | Self::Timestamp
            | Self::Uppercase
            | Self::Utf16Le => Some(1),
            Self::Equal | Self::NotEqual | Self::Truncate | Self::TruncateSha256 => Some(2),
            Self::Replace => Some(3),
        }
    }

    pub(crate) fn call(self, arguments: Vec<Value>, source: &Source<'_>) -> Result<Value> {
        let text = match (self, arguments.as_slice()) {
            (Self::Equal | Self::NotEqual, [one, other]) if one.is_like(other) => {
                return Ok(Value::Truth((one == other) == (self == Self::Equal)));
            }
            (Self::Base64, [Value::Text(text)]) => STANDARD.encode(text),
            (Self::Lowercase, [Value::Text(text)]) => text.to_lowercase(),
            (Self::Uppercase, [Value::Text(text)]) => text.to_uppercase(),
            (Self::Sha256, [Value::Text(text)]) => hex(&sha256(text.as_bytes())),
            (Self::Replace, [Value::Text(find), Value::Text(put), Value::Text(text)]) => {
                text.replace(find, put)
            }
            (Self::Truncate, [Value::Number(length), Value::Text(text)]) => {
                let length = usize::try_from(*length).ok().filter(|length| *length > 0);
                let length = length.ok_or_else(|| fault("max length must be > 0"))?;
                text.chars().take(length).collect()
            }
            (Self::TruncateSha256, [Value::Number(length), Value::Text(text)]) => {
                truncate_sha256(*length, text)?
            }
            (Self::Random, [Value::Number(length)]) => {
                let length = Some(*length).filter(|length| (1..=RANDOM_MAX).contains(length));
                let length = length.ok_or_else(|| fault("random takes a length from 1 to 1024"))?;
                random_base62(source.random, length as usize)
            }
            (Self::Timestamp, [Value::Text(pattern)]) => layout::format(pattern, source.now)?,
            (Self::UnixTime, []) => source.now.seconds().to_string(),
            (Self::UnixTimeMillis, []) => source.now.0.div_euclid(1_000_000).to_string(),
            // Of anything else it would be no text any more.
            (Self::Utf16Le, [Value::Text(text)]) if text.is_ascii() => {
                text.chars().flat_map(|char| [char, '\0']).collect()
            }
            (Self::Uuid, []) => random_uuid(source.random),
            (Self::Printf, [Value::Text(format), values @ ..]) => printf(format, values)?,
            _ => return Err(fault(self.takes())),
        };
        check_length(&text)?;
        Ok(Value::Text(text))
    }

    fn takes(self) -> &'static str {
        match self {
            Self::Base64 => "base64 takes a text",
            Self::Equal => "eq takes two values of the same kind",
            Self::Lowercase => "lowercase takes a text",
            Self::NotEqual => "ne takes two values of the same kind",
            Self::Printf => "printf takes a text and values",
            Self::Random => "random takes a number",
            Self::Replace => "replace takes three texts",
            Self::Sha256 => "sha256 takes a text",
            Self::Timestamp => "timestamp takes a text",
            Self::Truncate => "truncate takes a number and a text",
            Self::TruncateSha256 => "truncate_sha256 takes a number and a text",
            Self::UnixTime => "unix_time takes nothing",
            Self::UnixTimeMillis => "unix_time_millis takes nothing",
            Self::Uppercase => "uppercase takes a text",
            Self::Utf16Le => "utf16le takes a text of ASCII",
            Self::Uuid => "uuid takes nothing",
        }
    }
}

/// Cuts a text to `length` characters, the last eight of which are from the hash of the rest.
fn truncate_sha256(length: i64, text: &str) -> Result<String> {
    let length = usize::try_from(length).ok().filter(|length| *length > HASH_LENGTH);
    let length = length.ok_or_else(|| fault("max length must be larger than 8"))?;
    let Some((cut, _)) = text.char_indices().nth(length - HASH_LENGTH) else {
        return Ok(text.to_owned());
    };
    if text.chars().count() <= length {
        return Ok(text.to_owned());
    }
    let (kept, rest) = text.split_at(cut);
    Ok(format!("{kept}{}", &hex(&sha256(rest.as_bytes()))[..HASH_LENGTH]))
}

/// The verbs of Go's `fmt` that names are made with, without widths and flags.
fn printf(format: &str, values: &[Value]) -> Result<String> {
    let mut text = String::new();
    let mut values = values.iter();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            text.push(char);
            continue;
        }
        let verb = chars.next();
        if verb == Some('%') {
            text.push('%');
            continue;
        }
        let value = values.next().ok_or_else(|| fault("printf has more verbs than arguments"))?;
        match (verb, value) {
            (Some('s' | 'v'), Value::Text(value)) => text.push_str(value),
            (Some('q'), Value::Text(value)) => text.push_str(&format!("{value:?}")),
            (Some('x'), Value::Text(value)) => text.push_str(&hex(value.as_bytes())),
            (Some('d' | 'v'), Value::Number(value)) => text.push_str(&value.to_string()),
            (Some('x'), Value::Number(value)) => text.push_str(&format!("{value:x}")),
            (Some('v'), Value::Truth(value)) => text.push_str(&value.to_string()),
            (Some('d'), Value::Text(_)) => return Err(fault("printf was given a text for %d")),
            (Some(verb @ ('s' | 'q')), Value::Number(_)) => {
                return Err(fault(format!("printf was given a number for %{verb}")));
            }
            (verb, _) => {
                let verb = verb.map_or(String::new(), String::from);
                let text = format!("printf knows %s, %v, %d, %q, %x and %%, and not %{verb}");
                return Err(fault(text));
            }
        }
    }
    match values.next() {
        Some(_) => Err(fault("printf has more arguments than verbs")),
        None => Ok(text),
    }
}

fn fault(text: impl std::fmt::Display) -> Error {
    Error::invalid(format!("template: {text}"))
}
