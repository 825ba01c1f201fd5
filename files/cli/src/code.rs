use files_sops::FailureKind;

/// What sops answers with, by what went wrong.
pub(crate) fn of(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::AlreadyEncrypted => 203,
        FailureKind::Config
        | FailureKind::Invalid
        | FailureKind::NotEncrypted
        | FailureKind::PathMissing
        | FailureKind::Unavailable
        | FailureKind::Unreadable => 1,
        FailureKind::DataKey => 128,
        FailureKind::Decrypt => 25,
        FailureKind::Empty => 92,
        FailureKind::Encrypt => 23,
        FailureKind::MacMismatch => 51,
        FailureKind::NoMasterKey => 111,
        FailureKind::PathInvalid => 7,
    }
}

/// The input cannot be read.
pub(crate) const READ: u8 = 2;
/// The output cannot be written.
pub(crate) const WRITE: u8 = 3;
/// Flags contradict each other, or one is missing.
pub(crate) const CONFLICT: u8 = 8;
/// There is no such file.
pub(crate) const NO_FILE: u8 = 100;
/// A kind of key is named twice in the order of decryption.
pub(crate) const DUPLICATE_KIND: u8 = 112;
/// The editor was left without a change.
pub(crate) const UNMODIFIED: u8 = 200;
/// There is no editor.
pub(crate) const NO_EDITOR: u8 = 201;
