//! Text that is written in another way: base64, hexadecimal, percent and Unicode escapes.
//!
//! Each pass writes what it decodes in the place of what was encoded, so that a rule sees a secret in its
//! surroundings, and remembers where that was. What one pass wrote, the next may decode again.
//!
//! What is encoded lies in one line, but for `U+0041` and its like, which take the line break behind them with them.

mod base64;
mod encodings;
mod segment;
mod unicode;

pub(crate) use encodings::lines;
pub(crate) use segment::Passes;

/// How something was encoded; the first one goes before the others where they touch.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Encoding {
    Percent,
    Unicode,
    Hex,
    Base64,
}

impl Encoding {
    pub(crate) const ALL: [Self; 4] = [Self::Percent, Self::Unicode, Self::Hex, Self::Base64];

    /// As it is in the tags of a finding.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Unicode => "unicode",
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }
}

/// Only what decodes to printable ASCII counts, tabs and line breaks with it.
fn is_printable(byte: u8) -> bool {
    (0x09..0x7F).contains(&byte)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
