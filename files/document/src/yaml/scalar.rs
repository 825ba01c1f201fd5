//! The types of plain scalars, as the YAML library of sops (go-yaml, version 3) gives them:
//! mostly YAML 1.2, with the numbers and the timestamps of YAML 1.1.

use crate::Scalar;

/// What a scalar without quotes and tag says; `None` for an integer that sops cannot hold.
pub(crate) fn plain(text: &str) -> Option<Scalar> {
    let scalar = match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Scalar::Float(f64::NEG_INFINITY),
        _ => match text.as_bytes()[0] {
            b'.' => float(text).map_or_else(|| Scalar::text(text), Scalar::Float),
            b'0'..=b'9' | b'+' | b'-' => return number(text),
            _ => Scalar::text(text),
        },
    };
    Some(scalar)
}

/// What a text says that begins like a number.
fn number(text: &str) -> Option<Scalar> {
    if let Some(time) = timestamp(text) {
        return Some(Scalar::Time(time));
    }
    let digits = text.replace('_', "");
    if let Some(value) = integer(&digits) {
        // sops refuses what is beyond the signed range but not beyond the unsigned one.
        return match i64::try_from(value) {
            Ok(value) => Some(Scalar::Int(value)),
            Err(_) if u64::try_from(value).is_ok() => None,
            Err(_) => Some(float(&digits).map_or_else(|| Scalar::text(text), Scalar::Float)),
        };
    }
    Some(float(&digits).map_or_else(|| Scalar::text(text), Scalar::Float))
}

/// An integer with an optional sign, in base 2, 8, 10 or 16 by its prefix; a leading zero alone
/// means base 8.
fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    // The parser of the standard library would take a further sign.
    let all = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    all.then(|| i128::from_str_radix(digits, radix).ok()).flatten().map(|value| sign * value)
}

/// A decimal number, with a point or an exponent or neither, within the range of a double.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa =
        digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let is_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let value = (is_mantissa && is_exponent).then(|| text.parse::<f64>().ok()).flatten()?;
    value.is_finite().then_some(value)
}

/// A timestamp in one of four forms, as RFC 3339: with `T`, `t` or a blank before the time of day,
/// or a date alone. Without a zone it is UTC; the form with the blank has none.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let mut rest = Digits(text);
    let year = rest.number(4, 4)?;
    rest.sign('-')?;
    let month = rest.number(1, 2)?;
    rest.sign('-')?;
    let day = rest.number(1, 2)?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    if !(1..=12).contains(&month) || day == 0 || day > days(year, month) {
        return None;
    }
    if rest.0.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let has_zone = !rest.0.starts_with(' ');
    rest.0 = rest.0.strip_prefix(['T', 't', ' '])?;
    let hour = rest.number(1, 2)?;
    rest.sign(':')?;
    let minute = rest.number(1, 2)?;
    rest.sign(':')?;
    let second = rest.number(1, 2)?;
    let fraction = rest.fraction();
    let zone = if has_zone { rest.zone()? } else { "Z".to_owned() };
    let valid = hour < 24 && minute < 60 && second < 60 && rest.0.is_empty();
    valid.then(|| format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left of a timestamp.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self.0.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (count >= least).then(|| digits.parse().ok()).flatten()
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        self.0 = self.0.strip_prefix(sign)?;
        Some(())
    }

    /// The fraction of a second, to the nanosecond and without zeros at its end.
    fn fraction(&mut self) -> String {
        let Some(rest) = self.0.strip_prefix('.') else { return String::new() };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return String::new();
        }
        self.0 = &rest[count..];
        let digits = rest[..count.min(9)].trim_end_matches('0');
        if digits.is_empty() { String::new() } else { format!(".{digits}") }
    }

    fn zone(&mut self) -> Option<String> {
        if self.sign('Z').is_some() {
            return Some("Z".to_owned());
        }
        let sign = self.0.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
        self.sign(sign)?;
        let hours = self.number(2, 2)?;
        self.sign(':')?;
        let minutes = self.number(2, 2)?;
        match (hours, minutes) {
            (0, 0) => Some("Z".to_owned()),
            (0..24, 0..60) => Some(format!("{sign}{hours:02}:{minutes:02}")),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The expected values are what sops 3.11.0 writes for these as JSON.
    #[test]
    fn numbers_are_those_of_sops() {
        let int = |text: &str, expect: i64| {
            assert!(plain(text) == Some(Scalar::Int(expect)), "{text}");
        };
        for (text, expect) in [
            ("0777", 511),
            ("0o17", 15),
            ("0x1F", 31),
            ("0b11", 3),
            ("1_000", 1000),
            ("+1", 1),
            ("1__0", 10),
            ("-0b11", -3),
            ("0x1_F", 31),
            ("0_7", 7),
            ("+0x1F", 31),
            ("-0o17", -15),
            ("0o1_7", 15),
            ("1_", 1),
            ("-_1", -1),
            ("0", 0),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            int(text, expect);
        }
        for (text, expect) in [
            ("1e3", 1000.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("08", 8.0),
            ("0.1e-3", 0.0001),
            ("1_000.5", 1000.5),
            ("1e1_0", 1e10),
            ("1e+5", 1e5),
            ("99999999999999999999999", 1e23),
            (".inf", f64::INFINITY),
            ("-.inf", f64::NEG_INFINITY),
        ] {
            assert!(plain(text) == Some(Scalar::Float(expect)), "{text}");
        }
        for text in [
            "0o8",
            "0x",
            "1e",
            "0xg",
            "_1",
            "+.inf_",
            "0b2",
            ".",
            "+",
            "1.5.2",
            "0x1p4",
            "Infinity",
            "inf",
            "1.5e400",
            "12:30:45",
            "yes",
            "on",
            "2001-13-01",
            "2001-02-30",
            "--1",
            "2001-01-01 00:00:00Z",
        ] {
            assert!(plain(text) == Some(Scalar::text(text)), "{text}");
        }
        assert!(plain("18446744073709551615").is_none());
    }

    #[test]
    fn timestamps_are_those_of_sops() {
        for (text, expect) in [
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43.1-05:00"),
            ("2001-12-14 21:59:43.10", "2001-12-14T21:59:43.1Z"),
            ("2001-1-2", "2001-01-02T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2001-01-02T3:4:5Z", "2001-01-02T03:04:05Z"),
        ] {
            assert!(plain(text) == Some(Scalar::Time(expect.to_owned())), "{text}");
        }
    }
}
