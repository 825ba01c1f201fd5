use std::fmt;

use crate::{Error, Result};

/// The canonical name of a policy, role, user or group: trimmed, lower-case ASCII letters, no
/// control characters. Two spellings that a person would take for one are one here, so that no
/// check on a name can be walked around by case or space (CVE-2025-5999, CVE-2025-6004).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Box<str>);

const LENGTH_MAX: usize = 512;

impl Name {
    /// # Errors
    /// `Invalid` if nothing but space is left, the canonical name is longer than 512 bytes, or it
    /// holds a control character.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::invalid("the name is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("the name holds a control character"));
        }
        // A lower-case letter may take more bytes than its capital: İ becomes i and a dot.
        let name = text.to_lowercase();
        if name.len() > LENGTH_MAX {
            return Err(Error::invalid("the name is longer than 512 bytes"));
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_look_alike_are_one_name() {
        for text in ["root", "ROOT", " root ", "\u{a0}Root\u{2003}"] {
            assert_eq!(Name::parse(text).unwrap().as_str(), "root");
        }
        for text in ["", "  ", "a\0b", "ro\not"] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        assert!(Name::parse(&"A".repeat(LENGTH_MAX)).is_ok());
        assert!(Name::parse(&"A".repeat(LENGTH_MAX + 1)).is_err());
        assert!(Name::parse(&"İ".repeat(LENGTH_MAX / 2)).is_err(), "it grows to 768 bytes");
    }
}
