use std::fmt;

/// What kind of value a piece of an expression comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Type {
    /// The element of an empty list, and the like: anything fits.
    Any,
    Nil,
    Truth,
    Number,
    Text,
    List(Box<Self>),
}

impl Type {
    pub(super) fn list_of(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// Whether one may stand where the other does.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(a), Self::List(b)) => a.fits(b),
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "anything",
            Self::Nil => "nil",
            Self::Truth => "a truth value",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
        })
    }
}
