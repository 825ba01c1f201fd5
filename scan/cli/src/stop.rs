use base_types::Error;

use crate::dialect::Dialect;

/// Why a command ended without doing what it was asked for.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) text: String,
    /// That of gitleaks; ours has one for all of them.
    pub(crate) code: u8,
}

impl Stop {
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 1 }
    }

    /// gitleaks has an exit code of its own for it.
    pub(crate) fn unknown_flag(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 126 }
    }

    pub(crate) fn code(&self, dialect: Dialect) -> u8 {
        match dialect {
            Dialect::Gitleaks => self.code,
            Dialect::Strongroom => crate::dialect::ERROR,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::error(error.public().to_owned())
    }
}
