use std::io::{self, Read};

use crate::sniff::Wide;

/// Text of two or four bytes a unit, read as UTF-8. What is no text becomes U+FFFD, so that lines and what is around stay.
pub(crate) struct WideText<R> {
    inner: R,
    wide: Wide,
    /// Bytes of the inner reader that are not yet a character.
    raw: Vec<u8>,
    /// Text that nobody has taken yet, and how much of it was taken.
    text: String,
    taken: usize,
}

impl<R: Read> WideText<R> {
    pub(crate) fn new(inner: R, wide: Wide) -> Self {
        Self { inner, wide, raw: Vec::new(), text: String::new(), taken: 0 }
    }

    /// Reads more. Nothing more is there if nothing was added.
    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 8192];
        let read = self.inner.read(&mut chunk)?;
        self.raw.extend_from_slice(&chunk[..read]);
        self.text.clear();
        self.taken = 0;
        let used = match self.wide {
            Wide::Utf16Be => self.utf16(u16::from_be_bytes, read == 0),
            Wide::Utf16Le => self.utf16(u16::from_le_bytes, read == 0),
            Wide::Utf32Be => self.utf32(u32::from_be_bytes),
            Wide::Utf32Le => self.utf32(u32::from_le_bytes),
        };
        self.raw.drain(..used);
        if read == 0 {
            self.raw.clear();
        } else if self.text.is_empty() {
            return self.fill();
        }
        Ok(())
    }

    /// Makes text of whole characters, and says how many bytes those were.
    fn utf16(&mut self, unit: impl Fn([u8; 2]) -> u16, is_end: bool) -> usize {
        let (pairs, _) = self.raw.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        // A surrogate needs its other half, which may come with the next read.
        if !is_end && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
        }
        let used = 2 * units.len();
        let characters = char::decode_utf16(units);
        self.text
            .extend(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)));
        used
    }

    /// As [`Self::utf16`].
    fn utf32(&mut self, unit: impl Fn([u8; 4]) -> u32) -> usize {
        let (units, rest) = self.raw.as_chunks::<4>();
        let character =
            |bytes: &[u8; 4]| char::from_u32(unit(*bytes)).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.text.extend(units.iter().map(character));
        self.raw.len() - rest.len()
    }
}

impl<R: Read> Read for WideText<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.text.len() {
            self.fill()?;
        }
        let length = into.len().min(self.text.len() - self.taken);
        into[..length].copy_from_slice(&self.text.as_bytes()[self.taken..][..length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Gives one byte at a time, so that every character is cut.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = into.len().min(1);
            self.0.read(&mut into[..length])
        }
    }

    #[test]
    fn both_orders_are_read_and_broken_text_keeps_its_length() {
        let check = |bytes: &[u8], wide, expected: &str| {
            let mut text = String::new();
            WideText::new(Trickle(bytes), wide).read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        };
        check(b"k\0e\0y\0\n\0", Wide::Utf16Le, "key\n");
        check(b"\0k\0e\0y", Wide::Utf16Be, "key");
        check(b"\x3d\xd8\x11\xdd!\0", Wide::Utf16Le, "\u{1f511}!");
        check(b"\x3d\xd8a\0", Wide::Utf16Le, "\u{fffd}a");
        check(b"k\0\0\0e\0\0\0\x11\xf5\x01\0\0\0\x11\0!\0\0", Wide::Utf32Le, "ke\u{1f511}\u{fffd}");
        check(b"\0\0\0k\0\0\0\n", Wide::Utf32Be, "k\n");
        check(b"a\0b", Wide::Utf16Le, "a");
    }
}
