use std::fmt;

use base_types::{Error, ErrorKind};

/// The result of everything here that can fail.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Why a file cannot be worked on, as a sentence for the person who asked. No text holds a value
/// of a file; keys and paths do occur.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    pub text: String,
}

/// What a failure is about. The command line gives each the exit code that sops gives it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureKind {
    /// A file that is to be encrypted is so already.
    AlreadyEncrypted,
    /// The configuration file is wrong, or no rule of it fits.
    Config,
    /// No master key gives the data key.
    DataKey,
    /// A value is not what was encrypted with this key at this place.
    Decrypt,
    /// There is nothing in the file that could be encrypted.
    Empty,
    /// A value cannot be encrypted.
    Encrypt,
    /// Something was asked for that cannot be done; nothing is wrong with the file.
    Invalid,
    /// The message authentication code is missing, or that of another content.
    MacMismatch,
    /// No master key is named that could protect the file.
    NoMasterKey,
    /// The file has no metadata of sops.
    NotEncrypted,
    /// A path, or the value to put there, is none.
    PathInvalid,
    /// A path of keys leads nowhere.
    PathMissing,
    /// The text is not of its format, or its metadata are none.
    Unreadable,
    /// A file or a program cannot be used.
    Unavailable,
}

impl Failure {
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub fn invalid(text: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, text)
    }

    /// Says where it happened: `{place}: {text}`.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.text = format!("{place}: {}", self.text);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Upstream => FailureKind::Unavailable,
            ErrorKind::Corrupt
            | ErrorKind::Denied
            | ErrorKind::Internal
            | ErrorKind::Invalid
            | ErrorKind::NotFound
            | ErrorKind::Precondition
            | ErrorKind::RateLimited
            | ErrorKind::Sealed
            | ErrorKind::TooLarge
            | ErrorKind::Unsupported => FailureKind::Unreadable,
        };
        Self::new(kind, error.log().to_string())
    }
}
