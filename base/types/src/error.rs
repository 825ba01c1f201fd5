use std::borrow::Cow;
use std::fmt;

/// The result of everything that can fail in the server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with two texts: what the caller may read and what only the log keeps.
///
/// It does not implement `Display`: whoever shows it decides which of the two is meant,
/// by [`Error::public`] or [`Error::log`]. Neither ever holds a secret value.
pub struct Error {
    kind: ErrorKind,
    public: Cow<'static, str>,
    internal: Option<Box<str>>,
}

/// Who must act on an [`Error`], and so which answer it becomes at the edge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// A stored value failed its integrity check; its key is named, its bytes are never served.
    Corrupt,
    /// The caller may not do this, or does not exist: both look the same.
    Denied,
    /// Something in the server broke its own promise.
    Internal,
    /// The request is wrong and will stay wrong.
    Invalid,
    /// There is nothing at this path.
    NotFound,
    /// A condition that the caller stated did not hold.
    Precondition,
    /// A quota or a limit on attempts was reached; later it may succeed.
    RateLimited,
    /// The server is sealed or not yet initialised.
    Sealed,
    /// The request or a part of it exceeds a limit.
    TooLarge,
    /// The path exists but does not know this operation.
    Unsupported,
    /// A disk, a device or a peer that the request needs does not work at the moment.
    Unavailable,
    /// Another system answered wrongly.
    Upstream,
}

impl Error {
    /// A failure of `kind` with the text that the caller may read.
    pub fn new(kind: ErrorKind, public: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, public: public.into(), internal: None }
    }

    pub fn corrupt(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Corrupt, public)
    }

    /// The one text for every refusal, so that a refusal tells nothing.
    pub fn denied() -> Self {
        Self::new(ErrorKind::Denied, "permission denied")
    }

    /// The caller reads only "internal error"; `log` says what happened.
    pub fn internal(log: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Internal, "internal error").because(log)
    }

    pub fn invalid(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, public)
    }

    /// Nothing here; an empty text is what Vault answers for a missing secret.
    pub fn not_found(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, public)
    }

    pub fn precondition(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Precondition, public)
    }

    pub fn rate_limited(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::RateLimited, public)
    }

    pub fn sealed() -> Self {
        Self::new(ErrorKind::Sealed, "Vault is sealed")
    }

    pub fn too_large(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::TooLarge, public)
    }

    pub fn unavailable(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, public)
    }

    pub fn unsupported() -> Self {
        Self::new(ErrorKind::Unsupported, "unsupported operation")
    }

    pub fn upstream(public: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Upstream, public)
    }

    /// Adds the reason that only the log may keep.
    pub fn because(mut self, log: impl fmt::Display) -> Self {
        self.internal = Some(log.to_string().into());
        self
    }

    /// Says in both texts where it happened: `{place}: {text}`.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.public = format!("{place}: {}", self.public).into();
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn is(&self, kind: ErrorKind) -> bool {
        self.kind == kind
    }

    /// The text that the caller may read.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The whole truth, for the server's log.
    pub fn log(&self) -> impl fmt::Display + '_ {
        struct Log<'a>(&'a Error);
        impl fmt::Display for Log<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.public)?;
                match &self.0.internal {
                    Some(reason) => write!(f, " ({reason})"),
                    None => Ok(()),
                }
            }
        }
        Log(self)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.log())
    }
}
