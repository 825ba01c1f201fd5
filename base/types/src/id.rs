use std::fmt;
use std::sync::Arc;

/// The name under which a token is stored: a keyed hash of it. Whoever holds it can look the token
/// up inside the server, but cannot use it from outside.
#[derive(
    Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize,
)]
pub struct TokenId(pub Arc<str>);

impl TokenId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
