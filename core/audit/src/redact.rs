use std::borrow::Cow;

use base_crypto::{HmacKey, constant_time_eq};
use base_types::Secret;
use serde_json::value::RawValue;

/// How one or several devices hide values. Devices with an equal style share the formatted text.
pub(crate) struct Style {
    salt: Secret<[u8; 32]>,
    hmac: HmacKey,
    /// Values are written as they are. Headers keep their own rule.
    pub(crate) log_raw: bool,
    pub(crate) hmac_accessor: bool,
    /// The lists in the replies to `list` are written as their lengths.
    pub(crate) elide_list_responses: bool,
}

impl Style {
    pub(crate) fn new(
        salt: Secret<[u8; 32]>,
        log_raw: bool,
        hmac_accessor: bool,
        elide_list_responses: bool,
    ) -> Self {
        let hmac = HmacKey::new(salt.expose());
        Self { salt, hmac, log_raw, hmac_accessor, elide_list_responses }
    }

    pub(crate) fn equals(&self, other: &Self) -> bool {
        constant_time_eq(self.salt.expose(), other.salt.expose())
            && self.log_raw == other.log_raw
            && self.hmac_accessor == other.hmac_accessor
            && self.elide_list_responses == other.elide_list_responses
    }

    /// `hmac-sha256:` and the keyed hash of `value` in hexadecimal, as Vault's `sys/audit-hash`
    /// gives it.
    pub(crate) fn hash(&self, value: &[u8]) -> String {
        let mut out = Vec::with_capacity(TAG_PREFIX.len() + 64);
        self.push_hash(value, &mut out);
        String::from_utf8(out).expect("hexadecimal is ASCII")
    }

    /// Appends what [`hash`](Self::hash) returns.
    pub(crate) fn push_hash(&self, value: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(TAG_PREFIX.as_bytes());
        push_hex(&self.hmac.sign(value), out);
    }

    /// Appends the JSON string that stands for the secret `value`.
    pub(crate) fn push_secret(&self, value: &str, out: &mut Vec<u8>) {
        if self.log_raw {
            push_text(value, out);
        } else {
            self.push_hidden(value.as_bytes(), out);
        }
    }

    /// Appends the JSON string of the hash of `value`, whatever the options are.
    pub(crate) fn push_hidden(&self, value: &[u8], out: &mut Vec<u8>) {
        out.push(b'"');
        self.push_hash(value, out);
        out.push(b'"');
    }
}

const TAG_PREFIX: &str = "hmac-sha256:";

/// Deeper values than this are written as the hash of their JSON text, so that every reader of the
/// log can parse every line.
const DEPTH_MAX: usize = 100;

/// Appends `data` with every string value hidden, in one pass and without recursion. Keys,
/// numbers, booleans and null stay as they are written; so do strings whose nearest key is one of
/// `plain_keys`, and RFC 3339 times, which Vault leaves readable too. Space between the tokens is
/// dropped, so that the result is one line.
pub(crate) fn push_redacted(
    data: &RawValue,
    style: &Style,
    plain_keys: &[String],
    elide_lists: bool,
    out: &mut Vec<u8>,
) {
    let json = data.get().as_bytes();
    let mut levels: Vec<Level> = Vec::with_capacity(8);
    let mut key: &[u8] = b"";
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let mut end = at + 1;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' => {
                end = string_end(json, at);
                let token = json.get(at..end).unwrap_or_default();
                match levels.last_mut() {
                    Some(level) if level.at_key => {
                        level.at_key = false;
                        key = inner(token);
                        level.plain = is_listed(key, plain_keys);
                        out.extend_from_slice(token);
                    }
                    level => {
                        let plain = style.log_raw || level.is_some_and(|level| level.plain);
                        push_string(token, plain, style, out);
                    }
                }
            }
            b'{' | b'[' if levels.len() == DEPTH_MAX => {
                end = value_end(json, at);
                style.push_hidden(json.get(at..end).unwrap_or_default(), out);
            }
            b'{' | b'[' if elide_lists && levels.len() == 1 && is_list(key, byte) => {
                end = value_end(json, at);
                let length = element_count(json.get(at..end).unwrap_or_default());
                out.extend_from_slice(length.to_string().as_bytes());
            }
            b'{' | b'[' => {
                let plain = byte == b'[' && levels.last().is_some_and(|level| level.plain);
                levels.push(Level { object: byte == b'{', at_key: byte == b'{', plain });
                out.push(byte);
            }
            b'}' | b']' => {
                levels.pop();
                out.push(byte);
            }
            b',' => {
                if let Some(level) = levels.last_mut() {
                    level.at_key = level.object;
                }
                out.push(byte);
            }
            _ => out.push(byte),
        }
        at = end;
    }
}

/// An object or array that is open.
struct Level {
    object: bool,
    /// The next string is a key.
    at_key: bool,
    /// Strings are written as they are: the nearest key is listed.
    plain: bool,
}

/// The two members of a reply to `list` that can be long. Vault's API has them at the top.
fn is_list(key: &[u8], open: u8) -> bool {
    matches!((key, open), (b"keys", b'[') | (b"key_info", b'{'))
}

fn push_string(token: &[u8], plain: bool, style: &Style, out: &mut Vec<u8>) {
    let text = inner(token);
    if plain || is_rfc3339(text) {
        out.extend_from_slice(token);
    } else if text.contains(&b'\\') {
        style.push_hidden(unescaped(token).as_bytes(), out);
    } else {
        style.push_hidden(text, out);
    }
}

fn is_listed(key: &[u8], keys: &[String]) -> bool {
    if keys.is_empty() {
        return false;
    }
    if !key.contains(&b'\\') {
        return keys.iter().any(|listed| listed.as_bytes() == key);
    }
    let token = [b"\"", key, b"\""].concat();
    let key = unescaped(&token);
    keys.iter().any(|listed| *listed == key)
}

/// The text that a JSON string stands for. A string with half of a surrogate pair stands for none;
/// then it is the text as written.
fn unescaped(token: &[u8]) -> Cow<'_, str> {
    match serde_json::from_slice::<String>(token) {
        Ok(text) => Cow::Owned(text),
        Err(_) => String::from_utf8_lossy(inner(token)),
    }
}

/// A string token without its quotes.
fn inner(token: &[u8]) -> &[u8] {
    token.get(1..token.len().saturating_sub(1)).unwrap_or_default()
}

/// The place after the string that starts at `start`.
fn string_end(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// The place after the object or array that starts at `start`.
fn value_end(json: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => at = string_end(json, at) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    json.len()
}

/// How many elements the object or array `json` has at its top.
fn element_count(json: &[u8]) -> usize {
    let (mut depth, mut count, mut at) = (0usize, 0, 0);
    while let Some(&byte) = json.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {
                if depth == 1 && (count == 0 || byte == b',') {
                    count += 1;
                }
                match byte {
                    b'"' => at = string_end(json, at) - 1,
                    b'{' | b'[' => depth += 1,
                    _ => {}
                }
            }
        }
        at += 1;
    }
    count
}

/// Whether `text` is a time as RFC 3339, section 5.6 has it, with at most nine digits of a
/// fraction: more digits would be a place to carry something else.
fn is_rfc3339(text: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| -> Option<u32> {
        text.get(range)?.iter().try_fold(0, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0'))
        })
    };
    let at = |index: usize| text.get(index).copied();
    if at(4) != Some(b'-') || at(7) != Some(b'-') || at(10) != Some(b'T') {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (number(11..13), number(14..16), number(17..19))
    else {
        return false;
    };
    let date = (1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day);
    if !date
        || hour > 23
        || minute > 59
        || second > 59
        || at(13) != Some(b':')
        || at(16) != Some(b':')
    {
        return false;
    }
    let mut zone = 19;
    if at(zone) == Some(b'.') {
        let digits = text[20..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return false;
        }
        zone += 1 + digits;
    }
    match at(zone) {
        Some(b'Z') => text.len() == zone + 1,
        Some(b'+' | b'-') => {
            text.len() == zone + 6
                && at(zone + 3) == Some(b':')
                && number(zone + 1..zone + 3).is_some_and(|hours| hours <= 23)
                && number(zone + 4..zone + 6).is_some_and(|minutes| minutes <= 59)
        }
        _ => false,
    }
}

fn month_days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn push_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, text).expect("a vector takes every byte");
}

/// Appends `bytes` in lower-case hexadecimal.
pub(crate) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn style(log_raw: bool) -> Style {
        Style::new(Secret::new([7; 32]), log_raw, true, true)
    }

    fn redacted(json: &str, plain_keys: &[&str], elide: bool, log_raw: bool) -> String {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        let keys: Vec<String> = plain_keys.iter().map(|key| (*key).to_owned()).collect();
        let mut out = Vec::new();
        push_redacted(raw, &style(log_raw), &keys, elide, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// `expect` names a hidden value as `H(value)`.
    fn check(json: &str, plain_keys: &[&str], expect: &str) {
        let mut wanted = String::new();
        let mut rest = expect;
        while let Some((before, after)) = rest.split_once("H(") {
            let (value, after) = after.split_once(')').unwrap();
            wanted += &format!("{before}\"{}\"", style(false).hash(value.as_bytes()));
            rest = after;
        }
        assert_eq!(redacted(json, plain_keys, false, false), wanted + rest, "{json}");
    }

    #[test]
    fn hides_every_string_value_and_nothing_else() {
        check("{}", &[], "{}");
        check(" [ ] ", &[], "[]");
        check("\"bare\"", &[], "H(bare)");
        check(
            r#"{"a": "b", "n": -1.50e+3, "t":true, "z":null}"#,
            &[],
            r#"{"a":H(b),"n":-1.50e+3,"t":true,"z":null}"#,
        );
        check(
            r#"{"a":["x",["y",{"b":"z"}],"1"],"":""}"#,
            &[],
            r#"{"a":[H(x),[H(y),{"b":H(z)}],H(1)],"":H()}"#,
        );
        check(
            "{\"a\" :\n\t\"b\" , \"c\":[ \"d\" ,\r\n \"e\" ]}",
            &[],
            r#"{"a":H(b),"c":[H(d),H(e)]}"#,
        );
        check(r#"{"a":"x\"}],{\\","b":"y"}"#, &[], "{\"a\":H(x\"}],{\\),\"b\":H(y)}");
        check(r#"{"a":"\u00fc\n","ü{\"":"ü"}"#, &[], "{\"a\":H(ü\n),\"ü{\\\"\":H(ü)}");
        check(r#"{"a":"\ud800"}"#, &[], r#"{"a":H(\ud800)}"#);
        check(
            r#"{"big":123456789012345678901234567890}"#,
            &[],
            r#"{"big":123456789012345678901234567890}"#,
        );
    }

    /// What OpenBao 2.7.2 wrote for the same body with `audit_non_hmac_request_keys=k`.
    #[test]
    fn a_listed_key_is_the_nearest_one_at_any_depth() {
        check(
            r#"{"K":"u","b":{"k":{"x":"y"}},"c":{"k":[["a"],{"k":"v","z":"w"},"t"]},"k":["a","b"],"x":{"k":"s"}}"#,
            &["k"],
            r#"{"K":H(u),"b":{"k":{"x":H(y)}},"c":{"k":[["a"],{"k":"v","z":H(w)},"t"]},"k":["a","b"],"x":{"k":"s"}}"#,
        );
        check(r#"{"\u006b":"s","k":{},"a":"b"}"#, &["k"], r#"{"\u006b":"s","k":{},"a":H(b)}"#);
    }

    #[test]
    fn times_stay_readable_and_look_alikes_do_not() {
        let time = |text: &str| redacted(&format!("[{text:?}]"), &[], false, false).contains(text);
        for readable in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00.123456789Z",
            "2024-02-29T23:59:59+02:00",
            "0001-01-01T00:00:00Z",
            "2026-01-31T12:00:00-00:00",
        ] {
            assert!(time(readable), "{readable}");
        }
        for hidden in [
            "2026-01-31t12:00:00z",
            "2026-02-29T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00.1234567890Z",
            "2026-01-31T12:00:00,5Z",
            "2026-01-31T12:00:00+25:00",
            "2026-01-31T12:00:00+0200",
            "2026-01-31T12:00:00Zx",
            "2026-01-31",
            "2026-13-01T12:00:00Z",
        ] {
            assert!(!time(hidden), "{hidden}");
        }
    }

    #[test]
    fn lists_become_their_lengths() {
        let json = r#"{"keys":["a", "b,c", ["d","e"]],"key_info":{"a":{"x":1,"y":2},"b":[]},"x":{"keys":[]}}"#;
        assert_eq!(redacted(json, &[], true, true), r#"{"keys":3,"key_info":2,"x":{"keys":[]}}"#);
        let json = r#"{"keys":[ ],"key_info":{}}"#;
        assert_eq!(redacted(json, &[], true, true), r#"{"keys":0,"key_info":0}"#);
        let json = r#"{"keys":{"a":1},"key_info":["b"]}"#;
        assert_eq!(redacted(json, &[], true, true), json, "not the shape of a list reply");
    }

    #[test]
    fn raw_is_the_same_json_on_one_line() {
        let json = "{ \"a b\" : [ \"c  d\" , 1 ,\n true ] }";
        assert_eq!(redacted(json, &[], false, true), r#"{"a b":["c  d",1,true]}"#);
    }

    #[test]
    fn depth_is_cut_without_a_stack() {
        let depth = 1_000_000;
        let json = format!("{}\"planted\"{}", "[".repeat(depth), "]".repeat(depth));
        let text = redacted(&json, &[], false, false);
        assert!(text.len() < 400 && !text.contains("planted"), "{}", text.len());
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        let json = format!("{}{}", "{\"a\":".repeat(depth), "0".to_owned() + &"}".repeat(depth));
        assert!(redacted(&json, &[], false, false).ends_with(&"}".repeat(100)));
        let shallow = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(redacted(&shallow, &[], false, false), shallow);
    }

    #[test]
    fn the_hash_is_hmac_sha256_of_the_text() {
        // From Python: hmac.new(bytes([7])*32, b"hunter2", "sha256").hexdigest()
        assert_eq!(style(false).hash(b"hunter2"), HUNTER2);
    }

    const HUNTER2: &str =
        "hmac-sha256:326eb4f6783e519f198c32929bd28e66c5229387bcad7eaa651b20613622ec9f";
}
