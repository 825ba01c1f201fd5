use std::collections::BTreeMap;

use base_types::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// By what a user shows who it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Credential {
    /// Made by this policy, or by that of the connection if empty.
    Password { password_policy: String },
    /// A key pair of which the database is told the public half.
    RsaPrivateKey { key_bits: u16, format: String },
}

impl Default for Credential {
    fn default() -> Self {
        Self::Password { password_policy: String::new() }
    }
}

const KEY_BITS: [u16; 3] = [2048, 3072, 4096];

impl Credential {
    /// Takes what a request says. Another type begins with the defaults of that type.
    pub(crate) fn apply(
        &mut self,
        kind: Option<&str>,
        config: Option<&BTreeMap<String, String>>,
    ) -> Result<()> {
        if let Some(kind) = kind.filter(|kind| *kind != self.kind()) {
            *self = match kind {
                "password" => Self::default(),
                "rsa_private_key" => {
                    Self::RsaPrivateKey { key_bits: KEY_BITS[0], format: "pkcs8".to_owned() }
                }
                // What signs certificates is not to be kept where none are made.
                "client_certificate" => return Err(unsupported(kind)),
                _ => return Err(Error::invalid(format!("invalid credential_type {kind:?}"))),
            };
        }
        let Some(config) = config else { return Ok(()) };
        let text = |name: &str| config.get(name).filter(|value| !value.is_empty());
        match self {
            Self::Password { password_policy } => {
                *password_policy = text("password_policy").cloned().unwrap_or_default();
            }
            Self::RsaPrivateKey { key_bits, format } => {
                if let Some(bits) = text("key_bits") {
                    let known = bits.parse().ok().filter(|bits| KEY_BITS.contains(bits));
                    *key_bits =
                        known.ok_or_else(|| invalid(&format!("invalid key_bits: {bits}")))?;
                }
                if let Some(name) = text("format") {
                    if name != "pkcs8" {
                        return Err(invalid(&format!("invalid format: {name}")));
                    }
                    format.clone_from(name);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Password { .. } => "password",
            Self::RsaPrivateKey { .. } => "rsa_private_key",
        }
    }

    /// As answers show it, without what is empty.
    pub(crate) fn config(&self) -> BTreeMap<&'static str, Value> {
        match self {
            Self::Password { password_policy } if password_policy.is_empty() => BTreeMap::new(),
            Self::Password { password_policy } => {
                BTreeMap::from([("password_policy", password_policy.as_str().into())])
            }
            Self::RsaPrivateKey { key_bits, format } => BTreeMap::from([
                ("format", format.as_str().into()),
                ("key_bits", (*key_bits).into()),
            ]),
        }
    }

    /// The policy for passwords.
    ///
    /// # Errors
    /// `Invalid` if it is no password: no database here takes anything else.
    pub(crate) fn password_policy(&self) -> Result<&str> {
        match self {
            Self::Password { password_policy } => Ok(password_policy),
            Self::RsaPrivateKey { .. } => Err(unsupported(self.kind())),
        }
    }
}

fn unsupported(kind: &str) -> Error {
    Error::invalid(format!("unsupported credential_type: {kind:?}"))
}

fn invalid(text: &str) -> Error {
    Error::invalid(format!("credential_config validation failed: {text}"))
}
