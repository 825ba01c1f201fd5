use super::digit;

/// How long the code points or escapes are that `text` begins with: `U+0041 U+0042 `, `\u0041\u0042`, `\\u0041`.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let point = if text.first() == Some(&b'U') { code_point } else { escape };
    let mut length = 0;
    while let Some((_, taken)) = point(&text[length..]) {
        length += taken;
    }
    (length > 0).then_some(length)
}

/// Reads what [`length`] has measured.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let point = if text.first() == Some(&b'U') { code_point } else { escape };
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((c, taken)) = point(rest) {
        decoded.push(c);
        rest = &rest[taken..];
    }
    Some(decoded.into_bytes())
}

/// `U+0041` with the space behind it, or the end of the text.
fn code_point(text: &[u8]) -> Option<(char, usize)> {
    let digits = text.strip_prefix(b"U+")?;
    let c = four_digits(digits)?;
    match digits.get(4) {
        Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0C) => Some((c, 7)),
        Some(_) => None,
        None => Some((c, 6)),
    }
}

/// `\u0041` or `\\u0041`.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let slashes = text.iter().take(2).take_while(|byte| **byte == b'\\').count();
    match text.get(slashes) {
        Some(b'u' | b'U') if slashes > 0 => Some((four_digits(&text[slashes + 1..])?, slashes + 5)),
        _ => None,
    }
}

/// Half of a surrogate pair is the character for what cannot be shown.
fn four_digits(text: &[u8]) -> Option<char> {
    let digits = text.get(..4)?;
    let value =
        digits.iter().try_fold(0u32, |value, byte| Some(value << 4 | u32::from(digit(*byte)?)))?;
    Some(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
}
