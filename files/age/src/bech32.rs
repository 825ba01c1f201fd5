//! Bech32 (BIP 173) without its limit of length: how recipients and identities are written.

use zeroize::Zeroizing;

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// `bytes` under the lower-case name `hrp`.
pub(crate) fn encode(hrp: &str, bytes: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(regroup(bytes, 8, 5, true).expect("bytes are padded to digits"));
    let mut sum = Checksum::of(hrp);
    digits.iter().for_each(|digit| sum.add(*digit));
    // The whole length at once: where it grew, a part of a key would stay behind.
    let mut text = Zeroizing::new(String::with_capacity(hrp.len() + 7 + digits.len()));
    text.push_str(hrp);
    text.push('1');
    let letters = digits.iter().copied().chain(sum.finish());
    letters.for_each(|digit| text.push(char::from(DIGITS[usize::from(digit)])));
    text
}

/// The name, in lower case, and the bytes of `text`, which is all in lower or all in upper case.
/// Nothing if it is no Bech32, or a letter of it is wrong.
pub(crate) fn decode(text: &str) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let is_lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower && is_upper {
        return None;
    }
    let text = Zeroizing::new(text.to_ascii_lowercase());
    let (hrp, data) = text.rsplit_once('1')?;
    if hrp.is_empty() || !hrp.bytes().all(|byte| (33..=126).contains(&byte)) {
        return None;
    }
    let mut sum = Checksum::of(hrp);
    let mut digits = Zeroizing::new(Vec::with_capacity(data.len()));
    for letter in data.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == letter)?;
        let digit = u8::try_from(digit).ok()?;
        sum.add(digit);
        digits.push(digit);
    }
    let length = digits.len().checked_sub(6).filter(|_| sum.0 == 1)?;
    let bytes = Zeroizing::new(regroup(&digits[..length], 5, 8, false)?);
    Some((hrp.to_owned(), bytes))
}

/// The same bits in groups of another size. What is left over must be zeros, and no whole group,
/// unless it is padded.
fn regroup(groups: &[u8], from: u32, to: u32, pads: bool) -> Option<Vec<u8>> {
    let mut regrouped = Vec::with_capacity(groups.len() * from as usize / to as usize + 1);
    let (mut bits, mut count) = (0_u32, 0);
    for group in groups {
        bits = (bits << from | u32::from(*group)) & 0xffff;
        count += from;
        while count >= to {
            count -= to;
            regrouped.push(u8::try_from(bits >> count & ((1 << to) - 1)).ok()?);
        }
    }
    let rest = bits & ((1 << count) - 1);
    match pads {
        true if count > 0 => regrouped.push(u8::try_from(rest << (to - count)).ok()?),
        true => {}
        false if count >= from || rest != 0 => return None,
        false => {}
    }
    Some(regrouped)
}

/// The state of the checksum.
struct Checksum(u32);

impl Checksum {
    fn of(hrp: &str) -> Self {
        let mut sum = Self(1);
        hrp.bytes().for_each(|byte| sum.add(byte >> 5));
        sum.add(0);
        hrp.bytes().for_each(|byte| sum.add(byte & 31));
        sum
    }

    fn add(&mut self, digit: u8) {
        const GENERATOR: [u32; 5] =
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x01ff_ffff) << 5 ^ u32::from(digit);
        for (at, generator) in GENERATOR.iter().enumerate() {
            if top >> at & 1 == 1 {
                self.0 ^= generator;
            }
        }
    }

    fn finish(mut self) -> [u8; 6] {
        (0..6).for_each(|_| self.add(0));
        let sum = self.0 ^ 1;
        std::array::from_fn(|at| (sum >> (5 * (5 - at)) & 31) as u8)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// BIP 173, "Test vectors"; those that are valid have bytes only where the bits come out even.
    #[test]
    fn agrees_with_the_published_vectors() {
        let (hrp, bytes) = decode("A12UEL5L").unwrap();
        assert_eq!((hrp.as_str(), bytes.len()), ("a", 0));
        let text = "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw";
        let (hrp, bytes) = decode(text).unwrap();
        assert_eq!((hrp.as_str(), bytes.len()), ("abcdef", 20));
        assert_eq!(encode(&hrp, &bytes).as_str(), text);
        for wrong in [
            "\u{20}1nwldj5",
            "pzry9x0s0muk",
            "1pzry9x0s0muk",
            "x1b4n0q5v",
            "li1dgmt3",
            "A1G7SGD8",
            "10a06t8",
            "1qzzfhee",
            "a12UEL5L",
        ] {
            assert!(decode(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn every_length_comes_back_and_no_wrong_letter_does() {
        for length in [0, 1, 4, 5, 32, 1216] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let text = encode("age", &bytes);
            assert_eq!(*decode(&text).unwrap().1, bytes);
            assert_eq!(*decode(&text.to_uppercase()).unwrap().1, bytes);
        }
        let text = encode("age", b"some bytes");
        for at in 4..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'q' { b'p' } else { b'q' };
            assert!(decode(std::str::from_utf8(&wrong).unwrap()).is_none(), "{at}");
        }
    }
}
