use crate::pattern::Pattern;
use crate::{Failure, FailureKind, Result};

/// Which values of a file are encrypted.
#[derive(Clone, Debug)]
pub enum Selector {
    /// Those with a matching comment above them, or above what they are in.
    EncryptedComment(SelectorPattern),
    /// Those below a matching key.
    EncryptedRegex(SelectorPattern),
    /// Those below a key that ends so.
    EncryptedSuffix(String),
    /// All but those with a matching comment above them, or above what they are in.
    UnencryptedComment(SelectorPattern),
    /// All but those below a matching key.
    UnencryptedRegex(SelectorPattern),
    /// All but those below a key that ends so.
    UnencryptedSuffix(String),
}

/// A regular expression in Go's syntax that matches anywhere in a key or a comment.
#[derive(Clone, Debug)]
pub struct SelectorPattern(Pattern);

/// The names that select values in metadata and configuration, in the order in which metadata has
/// them.
pub(crate) const NAMES: [&str; 6] = [
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
];

/// What sops does where nothing else is said.
const SUFFIX: &str = "_unencrypted";

impl Default for Selector {
    fn default() -> Self {
        Self::UnencryptedSuffix(SUFFIX.to_owned())
    }
}

impl Selector {
    /// The selector by its name in metadata and configuration.
    ///
    /// # Errors
    /// `Invalid` for another name, or a text that is no pattern where there must be one.
    pub fn of_name(name: &str, text: &str) -> Result<Self> {
        let pattern = || Pattern::parse(text).map(SelectorPattern).map_err(|error| error.at(name));
        Ok(match name {
            "encrypted_comment_regex" => Self::EncryptedComment(pattern()?),
            "encrypted_regex" => Self::EncryptedRegex(pattern()?),
            "encrypted_suffix" => Self::EncryptedSuffix(text.to_owned()),
            "unencrypted_comment_regex" => Self::UnencryptedComment(pattern()?),
            "unencrypted_regex" => Self::UnencryptedRegex(pattern()?),
            "unencrypted_suffix" => Self::UnencryptedSuffix(text.to_owned()),
            _ => return Err(Failure::invalid(format!("'{name}' selects no values"))),
        })
    }

    /// The one selector among what was given by name; an empty text counts as not given.
    ///
    /// # Errors
    /// `Invalid` for more than one, and as [`Selector::of_name`].
    pub fn choose<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Option<Self>> {
        let mut given = given.into_iter().filter(|(_, text)| !text.is_empty());
        let Some((name, text)) = given.next() else { return Ok(None) };
        match given.next() {
            None => Self::of_name(name, text).map(Some),
            Some((other, _)) => Err(Failure::invalid(format!(
                "{name} and {other} cannot be used together: keep one of them"
            ))),
        }
    }

    /// Its name and text as in metadata.
    pub fn named(&self) -> (&'static str, &str) {
        match self {
            Self::EncryptedComment(pattern) => ("encrypted_comment_regex", pattern.0.source()),
            Self::EncryptedRegex(pattern) => ("encrypted_regex", pattern.0.source()),
            Self::EncryptedSuffix(suffix) => ("encrypted_suffix", suffix),
            Self::UnencryptedComment(pattern) => ("unencrypted_comment_regex", pattern.0.source()),
            Self::UnencryptedRegex(pattern) => ("unencrypted_regex", pattern.0.source()),
            Self::UnencryptedSuffix(suffix) => ("unencrypted_suffix", suffix),
        }
    }

    /// What the keys and comments of an inner place decide, given what those around it did.
    pub(crate) fn by_key(&self, key: &str) -> bool {
        match self {
            Self::EncryptedRegex(pattern) | Self::UnencryptedRegex(pattern) => pattern.0.is_in(key),
            Self::EncryptedSuffix(suffix) | Self::UnencryptedSuffix(suffix) => {
                key.ends_with(suffix)
            }
            Self::EncryptedComment(_) | Self::UnencryptedComment(_) => false,
        }
    }

    /// Whether the comment selects what follows it.
    pub(crate) fn by_comment(&self, comment: &str) -> bool {
        match self {
            Self::EncryptedComment(pattern) | Self::UnencryptedComment(pattern) => {
                pattern.0.is_in(comment)
            }
            Self::EncryptedRegex(_)
            | Self::EncryptedSuffix(_)
            | Self::UnencryptedRegex(_)
            | Self::UnencryptedSuffix(_) => false,
        }
    }

    /// Whether a value that was selected, or was not, is encrypted.
    pub(crate) fn encrypts(&self, selected: bool) -> bool {
        match self {
            Self::EncryptedComment(_) | Self::EncryptedRegex(_) | Self::EncryptedSuffix(_) => {
                selected
            }
            Self::UnencryptedComment(_)
            | Self::UnencryptedRegex(_)
            | Self::UnencryptedSuffix(_) => !selected,
        }
    }

    /// Whether the comment could be taken for one that keeps values as they are. An encrypted
    /// comment that is so by chance would change what is decrypted later.
    ///
    /// # Errors
    /// `Encrypt` if it could.
    pub(crate) fn refuse_chance_match(&self, sealed: &str) -> Result<()> {
        match self {
            Self::UnencryptedComment(pattern) | Self::EncryptedComment(pattern)
                if pattern.0.is_in(sealed) =>
            {
                let text = format!(
                    "an encrypted comment would match the pattern '{}' of comments; make the pattern \
                     longer",
                    pattern.0.source()
                );
                Err(Failure::new(FailureKind::Encrypt, text))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_selector_at_most() {
        assert!(Selector::choose([]).unwrap().is_none());
        let chosen = Selector::choose([("encrypted_regex", "^a$"), ("encrypted_suffix", "")]);
        assert_eq!(chosen.unwrap().unwrap().named(), ("encrypted_regex", "^a$"));
        let both = Selector::choose([("encrypted_regex", "a"), ("unencrypted_suffix", "b")]);
        let text = both.unwrap_err().text;
        assert!(text.contains("encrypted_regex and unencrypted_suffix"), "{text}");
        assert!(Selector::of_name("encrypted_regex", "(").is_err());
    }
}
