use std::ops::Range;

use super::{Encoding, base64, digit, is_printable, unicode};
use crate::reach::lines_of;

/// A piece of text that looks encoded.
pub(super) struct Encoded {
    pub(super) encoding: Encoding,
    pub(super) at: Range<usize>,
}

/// So long must be what may be base64.
const BASE64_MIN: usize = 16;

/// So many digits must be what may be hexadecimal.
const HEX_MIN: usize = 32;

impl Encoded {
    /// What it says, or `None` if it is not encoded after all.
    pub(super) fn decode(&self, text: &[u8]) -> Option<Vec<u8>> {
        let text = &text[self.at.clone()];
        match self.encoding {
            Encoding::Percent => percent(text),
            Encoding::Unicode => unicode::decode(text),
            Encoding::Hex => hex(text),
            Encoding::Base64 => base64::decode(text),
        }
        .filter(|decoded| !decoded.is_empty())
    }
}

/// The lines of a text of which something can be decoded if it goes before its neighbours.
pub(crate) fn lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    for encoded in all(text, 0..text.len()) {
        // Most of what is found is in a line that is known, or nothing.
        if lines.last().is_some_and(|last| encoded.at.end <= last.end)
            || encoded.decode(text).is_none()
        {
            continue;
        }
        let mut at = encoded.at.start;
        while at < encoded.at.end {
            let line = lines_of(text, &(at..at));
            at = line.end + 1;
            if lines.last().is_none_or(|last| last.end < line.start) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Everything in whole lines of a text that looks encoded, without what touches a neighbour that goes before it.
pub(super) fn find(text: &[u8], region: Range<usize>) -> Vec<Encoded> {
    let all = all(text, region);
    let beaten = |i: usize, other: Option<usize>| {
        let Some(other) = other.and_then(|other| all.get(other)) else { return false };
        let touches = other.at.start <= all[i].at.end && all[i].at.start <= other.at.end;
        touches && other.encoding < all[i].encoding
    };
    let keep: Vec<bool> =
        (0..all.len()).map(|i| !beaten(i, i.checked_sub(1)) && !beaten(i, Some(i + 1))).collect();
    all.into_iter().zip(keep).filter_map(|(encoded, keep)| keep.then_some(encoded)).collect()
}

/// The leftmost, then the next behind it, and so on.
fn all(text: &[u8], region: Range<usize>) -> Vec<Encoded> {
    let mut list = Vec::new();
    let mut at = region.start;
    let text = &text[..region.end];
    let mut kinds: [Finder<'_>; 3] = [
        Finder::new(text, next_percent),
        Finder::new(text, next_unicode),
        Finder::new(text, next_run),
    ];
    loop {
        let first =
            kinds.iter_mut().filter_map(|finder| finder.from(at)).min_by_key(|(at, _)| at.start);
        let Some((range, encoding)) = first else { return list };
        at = range.end;
        list.push(Encoded { encoding, at: range });
    }
}

type Next = fn(&[u8], usize) -> Option<(Range<usize>, Encoding)>;

/// Remembers the next piece of one kind until the search has gone past it.
struct Finder<'t> {
    text: &'t [u8],
    next: Next,
    found: Option<(Range<usize>, Encoding)>,
    ended: bool,
}

impl<'t> Finder<'t> {
    fn new(text: &'t [u8], next: Next) -> Self {
        Self { text, next, found: None, ended: false }
    }

    fn from(&mut self, at: usize) -> Option<(Range<usize>, Encoding)> {
        if !self.ended && self.found.as_ref().is_none_or(|(range, _)| range.start < at) {
            self.found = (self.next)(self.text, at);
            self.ended = self.found.is_none();
        }
        self.found.clone()
    }
}

/// `%41`, and all up to the last of its kind in the same line.
fn next_percent(text: &[u8], from: usize) -> Option<(Range<usize>, Encoding)> {
    let is_escape = |at: usize| {
        text.len() >= at + 3
            && text[at] == b'%'
            && digit(text[at + 1]).is_some()
            && digit(text[at + 2]).is_some()
    };
    let start =
        memchr::memchr_iter(b'%', &text[from..]).map(|at| from + at).find(|at| is_escape(*at))?;
    let line = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
    let last = memchr::memrchr_iter(b'%', &text[start..line])
        .map(|at| start + at)
        .find(|at| is_escape(*at) && at + 3 <= line && (*at == start || *at >= start + 3))
        .unwrap_or(start);
    Some((start..last + 3, Encoding::Percent))
}

fn next_unicode(text: &[u8], from: usize) -> Option<(Range<usize>, Encoding)> {
    memchr::memchr2_iter(b'\\', b'U', &text[from..]).find_map(|at| {
        let start = from + at;
        unicode::length(&text[start..]).map(|length| (start..start + length, Encoding::Unicode))
    })
}

/// A run of characters of base64, or of hexadecimal digits.
fn next_run(text: &[u8], from: usize) -> Option<(Range<usize>, Encoding)> {
    let start = run_start(text, from)?;
    let length = |is: fn(u8) -> bool| text[start..].iter().take_while(|byte| is(**byte)).count();
    let digits = length(|byte| byte.is_ascii_hexdigit());
    if digits >= HEX_MIN {
        return Some((start..start + digits, Encoding::Hex));
    }
    let end = start + length(base64::is_digit);
    let padding = text[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    Some((start..end + padding, Encoding::Base64))
}

/// Where the next run of [`BASE64_MIN`] characters begins. Looks at the last of them first, and so at few bytes of a text
/// that has none.
fn run_start(text: &[u8], from: usize) -> Option<usize> {
    let mut start = from;
    loop {
        let window = text.get(start..start + BASE64_MIN)?;
        match window.iter().rposition(|byte| !base64::is_digit(*byte)) {
            Some(at) => start += at + 1,
            None => return Some(start),
        }
    }
}

fn percent(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, more @ ..] = rest {
        let pair = match more {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                let byte = high << 4 | low;
                if !is_printable(byte) {
                    return None;
                }
                decoded.push(byte);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*first);
                rest = more;
            }
        }
    }
    Some(decoded)
}

/// Letters alone are more likely a word than hexadecimal.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.iter().any(u8::is_ascii_digit) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| {
            let byte = digit(pair[0])? << 4 | digit(pair[1])?;
            is_printable(byte).then_some(byte)
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, Option<&str>)]) {
        let found: Vec<(String, Option<String>)> = find(text.as_bytes(), 0..text.len())
            .iter()
            .map(|encoded| {
                let decoded =
                    encoded.decode(text.as_bytes()).map(|d| String::from_utf8(d).unwrap());
                (text[encoded.at.clone()].to_owned(), decoded)
            })
            .collect();
        let expect: Vec<(String, Option<String>)> =
            expect.iter().map(|(t, d)| ((*t).to_owned(), d.map(str::to_owned))).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn base64_is_a_run_of_sixteen() {
        check("x = bXktc2VjcmV0LXZhbHVl;", &[("bXktc2VjcmV0LXZhbHVl", Some("my-secret-value"))]);
        check(
            "x = bXktc2VjcmV0LXZhbHVlMQ==",
            &[("bXktc2VjcmV0LXZhbHVlMQ==", Some("my-secret-value1"))],
        );
        check(
            "x = bXktc2VjcmV0LXZhbHVlMQ",
            &[("bXktc2VjcmV0LXZhbHVlMQ", Some("my-secret-value1"))],
        );
        check("bXktc2VjcmV0LXZ", &[]);
        check("someLongNameOfAFunction", &[("someLongNameOfAFunction", None)]);
    }

    #[test]
    fn hex_goes_before_base64() {
        let text = "6d792d7365637265742d76616c75652d31";
        check(text, &[(text, Some("my-secret-value-1"))]);
        check("6d792d7365637265742d76616c75652d3", &[("6d792d7365637265742d76616c75652d3", None)]);
    }

    #[test]
    fn percent_takes_all_of_its_line() {
        check("a%3Db%3Dc d", &[("%3Db%3D", Some("=b="))]);
        check("a%3Db\n%3Dc", &[("%3D", Some("=")), ("%3D", Some("="))]);
        check("100%02", &[("%02", None)]);
        check("100% of", &[]);
    }

    #[test]
    fn escapes_of_unicode_are_decoded() {
        check(r"x\u0041\u0042y", &[(r"\u0041\u0042", Some("AB"))]);
        check("U+0041 U+0042 end", &[("U+0041 U+0042 ", Some("AB"))]);
        check(r"\\u0041", &[(r"\\u0041", Some("A"))]);
        check(r"\u00", &[]);
    }
}
