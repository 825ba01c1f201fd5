use std::fmt;
use std::str::FromStr;

use base_crypto::{hex, unhex};
use base_types::Error;

/// A place in a chain: the number of a line and the SHA-256 of its bytes without the line end.
///
/// It prints as `NUMBER:HASH`. Kept somewhere that the server cannot write, it proves later that
/// nothing up to that line was changed or cut off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    pub seq: u64,
    pub hash: [u8; 32],
}

impl Head {
    /// The place before the first line.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, hex(&self.hash))
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || {
            Error::invalid("not the head of a chain: write NUMBER:HASH as `audit verify` prints it")
        };
        let (seq, hash) = text.trim().split_once(':').ok_or_else(malformed)?;
        let hash = unhex(hash).and_then(|hash| hash.try_into().ok()).ok_or_else(malformed)?;
        Ok(Self { seq: seq.parse().map_err(|_| malformed())?, hash })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints_and_nothing_else() {
        let head = Head { seq: 42, hash: [0xab; 32] };
        assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        for bad in ["", "42", "42:", "42:ab", "x:ab", &format!("-1:{}", "ab".repeat(32))] {
            assert!(bad.parse::<Head>().is_err(), "{bad:?}");
        }
    }
}
