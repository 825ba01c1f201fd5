use std::fmt;

use base_types::{Error, Result};

/// What a rule can grant on a path, and `deny`, which takes everything away.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Capability {
    Create,
    Delete,
    Deny,
    List,
    Patch,
    Read,
    Recover,
    Scan,
    Sudo,
    Update,
}

impl Capability {
    /// In the order of their names.
    pub const ALL: [Self; 10] = [
        Self::Create,
        Self::Delete,
        Self::Deny,
        Self::List,
        Self::Patch,
        Self::Read,
        Self::Recover,
        Self::Scan,
        Self::Sudo,
        Self::Update,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Deny => "deny",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Recover => "recover",
            Self::Scan => "scan",
            Self::Sudo => "sudo",
            Self::Update => "update",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

/// A set of capabilities. `deny` is only ever alone in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities(u16);

impl Capabilities {
    pub const DENY: Self = Self(1 << Capability::Deny as u16);

    pub fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u16) != 0
    }

    pub fn denies(self) -> bool {
        self == Self::DENY
    }

    /// The set that grants nothing although it does not say `deny`.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together, where `deny` swallows the rest.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let all = Self(self.0 | other.0);
        if all.contains(Capability::Deny) { Self::DENY } else { all }
    }

    /// The names in alphabetical order.
    pub fn names(self) -> Vec<&'static str> {
        Capability::ALL
            .into_iter()
            .filter(|one| self.contains(*one))
            .map(Capability::name)
            .collect()
    }
}

impl From<Capability> for Capabilities {
    fn from(capability: Capability) -> Self {
        Self(1 << capability as u16)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::default(), |all, one| all.union(one.into()))
    }
}

/// What a request wants to do.
///
/// `Renew`, `Revoke` and `Rollback`, which the server asks of an engine when a caller renews or
/// revokes a lease by its id, need `update`. `Help` needs nothing: whoever has a valid token may
/// read what a path is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    Create,
    Delete,
    Help,
    List,
    Patch,
    Read,
    Recover,
    Renew,
    Revoke,
    Rollback,
    Scan,
    Update,
}

impl Operation {
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::Delete,
        Self::Help,
        Self::List,
        Self::Patch,
        Self::Read,
        Self::Recover,
        Self::Renew,
        Self::Revoke,
        Self::Rollback,
        Self::Scan,
        Self::Update,
    ];

    /// # Errors
    /// `Invalid` for a word that is no operation.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::invalid(format!("{name:?} is no operation: use one of {names}"))
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Help => "help",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Read => "read",
            Self::Recover => "recover",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
            Self::Rollback => "rollback",
            Self::Scan => "scan",
            Self::Update => "update",
        }
    }

    /// The capability that a rule must grant; `None` if none is needed.
    pub fn needs(self) -> Option<Capability> {
        match self {
            Self::Create => Some(Capability::Create),
            Self::Delete => Some(Capability::Delete),
            Self::Help => None,
            Self::List => Some(Capability::List),
            Self::Patch => Some(Capability::Patch),
            Self::Read => Some(Capability::Read),
            Self::Recover => Some(Capability::Recover),
            Self::Scan => Some(Capability::Scan),
            Self::Renew | Self::Revoke | Self::Rollback | Self::Update => Some(Capability::Update),
        }
    }

    /// Its path names a folder, with or without the trailing slash.
    pub(crate) fn is_listing(self) -> bool {
        matches!(self, Self::List | Self::Scan)
    }

    /// Rules may restrict its parameters.
    pub(crate) fn has_parameters(self) -> bool {
        match self {
            Self::Create | Self::Patch | Self::Read | Self::Recover | Self::Update => true,
            Self::Delete | Self::Help | Self::List | Self::Scan => false,
            Self::Renew | Self::Revoke | Self::Rollback => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
