use std::io::{self, Read};

/// Text of two bytes a unit, read as UTF-8. What is no text becomes U+FFFD, so that lines and what is around stay.
pub(crate) struct Utf16<R> {
    inner: R,
    big_endian: bool,
    /// Bytes of the inner reader that are not yet a character.
    raw: Vec<u8>,
    /// Text that nobody has taken yet, and how much of it was taken.
    text: String,
    taken: usize,
}

impl<R: Read> Utf16<R> {
    pub(crate) fn new(inner: R, big_endian: bool) -> Self {
        Self { inner, big_endian, raw: Vec::new(), text: String::new(), taken: 0 }
    }

    /// Reads more. Nothing more is there if nothing was added.
    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 8192];
        let read = self.inner.read(&mut chunk)?;
        self.raw.extend_from_slice(&chunk[..read]);
        // A surrogate needs its other half, which may come with the next read.
        let whole = self.raw.len() / 2 * 2;
        let cut = match self.raw[..whole].chunks_exact(2).next_back() {
            Some(last) if read > 0 && (0xd800..0xdc00).contains(&self.unit(last)) => whole - 2,
            _ => whole,
        };
        let units: Vec<u16> = self.raw[..cut].chunks_exact(2).map(|pair| self.unit(pair)).collect();
        self.text.clear();
        self.taken = 0;
        let characters = char::decode_utf16(units);
        self.text
            .extend(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)));
        self.raw.drain(..cut);
        if read == 0 {
            self.raw.clear();
        } else if self.text.is_empty() {
            return self.fill();
        }
        Ok(())
    }

    fn unit(&self, pair: &[u8]) -> u16 {
        let pair = [pair[0], pair[1]];
        if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }
}

impl<R: Read> Read for Utf16<R> {
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
        let check = |bytes: &[u8], big_endian, expected: &str| {
            let mut text = String::new();
            Utf16::new(Trickle(bytes), big_endian).read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        };
        check(b"k\0e\0y\0\n\0", false, "key\n");
        check(b"\0k\0e\0y", true, "key");
        check(b"\x3d\xd8\x11\xdd!\0", false, "\u{1f511}!");
        check(b"\x3d\xd8a\0", false, "\u{fffd}a");
        check(b"a\0b", false, "a");
    }
}
