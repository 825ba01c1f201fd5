use std::fmt;

/// What a command comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command stops: a text for standard error and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// Empty if all has been said.
    pub(crate) text: String,
    /// The server's answer behind it.
    pub(crate) cause: Option<client::Error>,
    /// Not a failure at all: what `-output-curl-string` or `-output-policy` asked for.
    pub(crate) preview: Option<String>,
}

impl Failure {
    /// The caller's mistake, or trouble on this machine: exit code 1.
    pub(crate) fn local(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into(), cause: None, preview: None }
    }

    /// The server says no, or is not there: exit code 2.
    pub(crate) fn remote(text: impl Into<String>) -> Self {
        Self { code: 2, ..Self::local(text) }
    }

    /// An exit code that needs no words.
    pub(crate) fn quiet(code: u8) -> Self {
        Self { code, ..Self::local("") }
    }

    pub(crate) fn preview(text: String) -> Self {
        Self { preview: Some(text), ..Self::quiet(0) }
    }

    /// The HTTP status, if a server gave one.
    pub(crate) fn status(&self) -> Option<u16> {
        self.cause.as_ref().and_then(client::Error::status)
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        Self { text: error.to_string(), cause: Some(error), ..Self::quiet(2) }
    }
}

/// Says what was being done when it failed.
pub(crate) trait Doing<T> {
    /// Puts `{what}: ` before the text.
    fn doing(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| {
            let mut failure = error.into();
            if !failure.text.is_empty() {
                failure.text = format!("{what}: {}", failure.text);
            }
            failure
        })
    }
}
