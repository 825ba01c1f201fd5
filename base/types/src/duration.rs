use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A time to live in whole seconds. Zero usually means "the default"; the user of the value says.
///
/// It parses what Vault accepts: a number of seconds (`3600`, `"3600"`), Go's durations
/// (`"1h30m"`, `"90s"`, `"250ms"`) and days (`"30d"`). It serialises as a number of seconds.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ttl(u64);

/// The longest duration that Go's `time.Duration` can hold, in seconds: about 292 years.
const SECONDS_MAX: u64 = i64::MAX as u64 / 1_000_000_000;

impl Ttl {
    pub const ZERO: Self = Self(0);

    /// `seconds`, held to the 292 years that an instant can express.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(if seconds > SECONDS_MAX { SECONDS_MAX } else { seconds })
    }

    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// For serde's `skip_serializing_if`, which passes a reference.
    pub const fn is_zero_ref(&self) -> bool {
        self.0 == 0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self`, or `other` when `self` is zero.
    pub const fn or(self, other: Self) -> Self {
        if self.0 == 0 { other } else { self }
    }

    /// The smaller of the two, where zero stands for "no limit".
    pub const fn limited_to(self, limit: Self) -> Self {
        if limit.0 != 0 && (self.0 == 0 || self.0 > limit.0) { limit } else { self }
    }
}

impl FromStr for Ttl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::ZERO);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().filter(|s| *s <= SECONDS_MAX).map(Self).ok_or_else(too_long);
        }
        let mut nanos: u128 = 0;
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        while !rest.is_empty() {
            let (amount, unit, tail) = next_term(rest).ok_or_else(malformed)?;
            nanos = nanos.saturating_add(amount.scaled(unit).ok_or_else(malformed)?);
            rest = tail;
        }
        let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| too_long())?;
        if seconds > SECONDS_MAX { Err(too_long()) } else { Ok(Self(seconds)) }
    }
}

/// A decimal number as written: its digits before and after the point.
struct Amount<'a> {
    whole: &'a str,
    fraction: &'a str,
}

impl Amount<'_> {
    fn scaled(&self, unit_nanos: u128) -> Option<u128> {
        let whole: u128 = if self.whole.is_empty() { 0 } else { self.whole.parse().ok()? };
        let mut total = whole.checked_mul(unit_nanos)?;
        let mut unit = unit_nanos;
        for digit in self.fraction.bytes() {
            unit /= 10;
            total += unit * u128::from(digit - b'0');
        }
        Some(total)
    }
}

fn next_term(text: &str) -> Option<(Amount<'_>, u128, &str)> {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (whole, rest) = text.split_at(digits(text));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    let nanos = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        "d" => 86_400 * 1_000_000_000,
        _ => return None,
    };
    Some((Amount { whole, fraction }, nanos, rest))
}

fn malformed() -> Error {
    Error::invalid("not a duration: write seconds (3600) or a number with a unit (90s, 1h30m, 30d)")
}

fn too_long() -> Error {
    Error::invalid("the duration is longer than 292 years")
}

/// Go's spelling, for example `1h0m0s`.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        match (hours, minutes) {
            (0, 0) => write!(f, "{seconds}s"),
            (0, _) => write!(f, "{minutes}m{seconds}s"),
            _ => write!(f, "{hours}h{minutes}m{seconds}s"),
        }
    }
}

impl serde::Serialize for Ttl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Ttl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Ttl;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration")
            }

            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Ttl, E> {
                if seconds > SECONDS_MAX {
                    return Err(E::custom(too_long().public()));
                }
                Ok(Ttl(seconds))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Ttl, E> {
                match u64::try_from(seconds) {
                    Ok(seconds) => self.visit_u64(seconds),
                    Err(_) => Err(E::custom("a duration cannot be negative")),
                }
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Ttl, E> {
                if seconds >= 0.0 && seconds <= SECONDS_MAX as f64 {
                    Ok(Ttl(seconds as u64))
                } else {
                    Err(E::custom(malformed().public()))
                }
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Ttl, E> {
                text.parse().map_err(|error: Error| E::custom(error.public()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Ttl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "format": "seconds" })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(text.parse::<Ttl>().ok().map(Ttl::seconds), seconds, "{text:?}");
    }

    #[test]
    fn parses_what_vault_accepts_and_refuses_the_rest() {
        check("", Some(0));
        check("3600", Some(3600));
        check("1h30m", Some(5400));
        check("1.5h", Some(5400));
        check("30d", Some(2_592_000));
        check("1500ms", Some(1));
        check("-5s", None);
        check("5", Some(5));
        check("5x", None);
        check("h", None);
        check("1h 5m", None);
        check("99999999999999999999", None);
        check("9999999999d", None);
    }

    #[test]
    fn prints_like_go() {
        for (seconds, text) in [(0, "0s"), (59, "59s"), (60, "1m0s"), (3600, "1h0m0s")] {
            assert_eq!(Ttl::from_seconds(seconds).to_string(), text);
        }
    }
}
