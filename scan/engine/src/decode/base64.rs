use super::is_printable;

/// Whether a byte may stand in base64 of either alphabet.
pub(super) fn is_digit(byte: u8) -> bool {
    VALUES[usize::from(byte)] != NONE
}

/// Decodes the alphabet with `+` and `/` and padding, or that with `-` and `_` without; both as far as the text is
/// printable. Words alone, without one of `0123456789+/-_`, are not decoded.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
    let (digits, padding) = text.split_at(end);
    // The first characters tell of most texts that they are none.
    let decoded = values(digits)?;
    let has = |list: &[u8]| digits.iter().any(|byte| list.contains(byte));
    let standard = text.len().is_multiple_of(4) && !has(b"-_");
    let url = padding.is_empty() && digits.len() % 4 != 1 && !has(b"+/");
    ((standard || url) && has(b"0123456789+/-_")).then_some(decoded)
}

fn values(digits: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    for quantum in digits.chunks(4) {
        let bits = quantum
            .iter()
            .fold(0u32, |bits, byte| bits << 6 | u32::from(VALUES[usize::from(*byte)]));
        let bytes = (bits << (6 * (4 - quantum.len()))).to_be_bytes();
        for byte in &bytes[1..quantum.len()] {
            if !is_printable(*byte) {
                return None;
            }
            decoded.push(*byte);
        }
    }
    Some(decoded)
}

const NONE: u8 = 0xFF;

/// The value of each digit.
static VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut i = 0;
    while i < digits.len() {
        values[digits[i] as usize] = i as u8;
        i += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};
