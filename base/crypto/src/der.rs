//! The few forms of DER (X.690) in which keys are handed to the library. The values may be secrets
//! and are wiped.

use zeroize::Zeroizing;

type Der = Zeroizing<Vec<u8>>;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// An unsigned number, big-endian.
pub(crate) fn integer(number: &[u8]) -> Der {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let digits = &number[start..];
    // Without a zero in front the number would be negative, or have no digit at all.
    let sign: &[u8] = if digits.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    value(INTEGER, &[sign, digits])
}

pub(crate) fn bit_string(bytes: &[u8]) -> Der {
    value(BIT_STRING, &[&[0], bytes])
}

pub(crate) fn octet_string(bytes: &[u8]) -> Der {
    value(OCTET_STRING, &[bytes])
}

pub(crate) fn sequence(parts: &[Der]) -> Der {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
    value(SEQUENCE, &parts)
}

/// The `AlgorithmIdentifier` of `rsaEncryption` (RFC 8017, appendix A.1).
pub(crate) fn rsa_algorithm() -> Der {
    const ALGORITHM: [u8; 13] =
        [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    value(SEQUENCE, &[&ALGORITHM])
}

fn value(tag: u8, parts: &[&[u8]]) -> Der {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    // The whole length at once: where it grew, a part of a key would stay behind.
    let mut der = Zeroizing::new(Vec::with_capacity(length + 6));
    der.push(tag);
    let digits = length.to_be_bytes();
    let digits = &digits[digits.iter().position(|byte| *byte != 0).unwrap_or(digits.len() - 1)..];
    if length >= 0x80 {
        der.push(0x80 | u8::try_from(digits.len()).expect("a length has at most eight bytes"));
    }
    der.extend_from_slice(digits);
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_have_their_shortest_form() {
        assert_eq!(*integer(&[0, 0, 0x7f]), [0x02, 1, 0x7f]);
        assert_eq!(*integer(&[0x80]), [0x02, 2, 0, 0x80]);
        assert_eq!(*integer(&[0]), [0x02, 1, 0]);
        assert_eq!(octet_string(&[7; 0x7f])[..2], [0x04, 0x7f]);
        assert_eq!(octet_string(&[7; 0x80])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(octet_string(&[7; 0x100])[..4], [0x04, 0x82, 0x01, 0x00]);
        assert_eq!(
            sequence(&[integer(&[1]), bit_string(&[2])])[..],
            [0x30, 7, 2, 1, 1, 3, 2, 0, 2]
        );
    }
}
