use std::fmt;

use base_types::{Error, Result, Ttl};

use crate::capability::{Capability, Operation};
use crate::parameters::Parameters;

/// What somebody wants to do.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub operation: Operation,
    /// With the namespace in front and no leading slash: `ns1/secret/data/x`.
    pub path: &'a str,
    /// Reads the parameters, or answers `None` if they cannot be read. It is called only if a rule
    /// for this path restricts them, and then at most once.
    pub parameters: &'a (dyn Fn() -> Option<Parameters> + Sync),
    /// How long the response is to stay wrapped, if it is to be wrapped.
    pub wrap_ttl: Option<Ttl>,
    /// The path is one of those that need `sudo` besides the operation's own capability.
    pub sudo_required: bool,
}

impl<'a> Request<'a> {
    /// A request without parameters, wrapping or need for sudo.
    pub fn new(operation: Operation, path: &'a str) -> Self {
        let parameters = &|| Some(Parameters::default());
        Self { operation, path, parameters, wrap_ttl: None, sudo_required: false }
    }
}

/// The answer to a [`Request`].
#[derive(Debug)]
pub enum Decision {
    Denied(Refusal),
    Granted(Granted),
}

impl Decision {
    /// # Errors
    /// `Denied`, whose public text tells nothing and whose log text has the reason.
    pub fn into_result(self) -> Result<Granted> {
        match self {
            Self::Denied(refusal) => Err(Error::denied().because(refusal)),
            Self::Granted(granted) => Ok(granted),
        }
    }

    pub fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }
}

/// Proof that somebody may do what they asked for. Only this crate can make one.
#[derive(Debug)]
pub struct Granted {
    pub(crate) grounds: Grounds,
    pub(crate) operation: Operation,
    pub(crate) list_limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grounds {
    /// The operation needs no capability.
    Free,
    /// The path is open to everybody.
    Open,
    /// A policy called root.
    Root,
    /// The rule with this number in its [`crate::Acl`].
    Rule(usize),
}

impl Granted {
    /// Proof for a path that its route table declares open to callers without a token, such as a
    /// login. Every use is a place to review.
    pub fn by_open_route(operation: Operation) -> Self {
        Self { grounds: Grounds::Open, operation, list_limit: None }
    }

    pub fn is_root(&self) -> bool {
        self.grounds == Grounds::Root
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// How many entries a listing may answer, whatever the request says. `None` for no limit.
    pub fn list_limit(&self) -> Option<u32> {
        self.list_limit
    }
}

/// Why a request was refused: for logs and for [`crate::Acl::explain`], never for the caller. It
/// names keys of parameters but never a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The deciding rule does not have the capability.
    Capability(Capability),
    /// The deciding rule says deny.
    Deny,
    /// A listing asks for more than it may, or not for a number.
    Limit {
        most: u32,
    },
    NoRule,
    ParameterDenied(String),
    ParameterMissing(String),
    /// The parameters matter but are not a JSON object with distinct keys.
    Unreadable,
    /// A rule that denies could not be filled in for this identity, so nothing is certain.
    Unfit,
    /// The response is to be wrapped for too long, too short, or not at all.
    Wrapping {
        min: Ttl,
        max: Ttl,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(capability) => write!(f, "the rule does not grant {}", capability.name()),
            Self::Deny => f.write_str("the rule denies everything"),
            Self::Limit { most } => write!(f, "limit must be a number from 0 to {most}, or max"),
            Self::NoRule => f.write_str("no rule matches the path"),
            Self::ParameterDenied(key) => {
                write!(f, "the rule does not allow the parameter {key:?}, or not with this value")
            }
            Self::ParameterMissing(key) => write!(f, "the rule requires the parameter {key:?}"),
            Self::Unreadable => f.write_str("the rule restricts parameters, and they cannot be read"),
            Self::Unfit => {
                f.write_str("a rule that denies names a value of the identity which holds /, *, +, comma or control characters")
            }
            Self::Wrapping { min, max } if max.is_zero() => {
                write!(f, "the response must be wrapped for at least {min}")
            }
            Self::Wrapping { min, max } if min.is_zero() => {
                write!(f, "the response must be wrapped for at most {max}")
            }
            Self::Wrapping { min, max } => write!(f, "the response must be wrapped for {min} to {max}"),
        }
    }
}
