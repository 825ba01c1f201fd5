use std::fmt;
use std::io;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a file cannot be encrypted or decrypted, as sentences for the person who asked. No text holds
/// a secret.
#[derive(Debug)]
pub enum Error {
    /// The armor is damaged.
    Armor(String),
    /// The header is damaged, or a stanza that was meant for an identity is.
    Header(String),
    /// A recipient, an identity or a passphrase cannot be used.
    Invalid(String),
    Io(io::Error),
    /// The header was changed since the file was encrypted.
    Mac,
    /// No identity is one that the file was encrypted for.
    NoMatch,
    /// What follows the header is damaged, or not all there.
    Payload(String),
    /// A plugin, or the person at the terminal, is not there or does not do its part.
    Unavailable(String),
}

impl Error {
    pub(crate) fn header(text: impl Into<String>) -> Self {
        Self::Header(text.into())
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    /// Says where it happened.
    pub fn at(self, place: impl fmt::Display) -> Self {
        let at = |text: String| format!("{place}: {text}");
        match self {
            Self::Armor(text) => Self::Armor(at(text)),
            Self::Header(text) => Self::Header(at(text)),
            Self::Invalid(text) => Self::Invalid(at(text)),
            Self::Io(error) => Self::Io(io::Error::new(error.kind(), at(error.to_string()))),
            Self::Payload(text) => Self::Payload(at(text)),
            Self::Unavailable(text) => Self::Unavailable(at(text)),
            Self::Mac | Self::NoMatch => Self::Invalid(at(self.to_string())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Armor(text) => write!(f, "the armor is damaged: {text}"),
            Self::Header(text) => write!(f, "the header is damaged: {text}"),
            Self::Invalid(text) | Self::Unavailable(text) => f.write_str(text),
            Self::Io(error) => error.fmt(f),
            Self::Mac => f.write_str("the header was changed: its authentication code is another"),
            Self::NoMatch => f.write_str("no identity matched any of the recipients of the file"),
            Self::Payload(text) => write!(f, "the payload is damaged: {text}"),
        }
    }
}

impl std::error::Error for Error {}

/// Readers pass errors of ours on inside those of the standard library.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast::<Self>().unwrap_or_else(Self::Io)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<base_types::Error> for Error {
    fn from(error: base_types::Error) -> Self {
        Self::Invalid(error.log().to_string())
    }
}
