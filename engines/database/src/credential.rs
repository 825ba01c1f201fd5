use std::collections::BTreeMap;

use base_types::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::certificate::Issuing;
use crate::driver::Plugin;
use crate::key::RSA_BITS;
use crate::sql::mentions;

/// By what a user shows who it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Credential {
    /// Signed by an authority that the database trusts; the database is told the subject.
    ClientCertificate(Box<Issuing>),
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

impl Credential {
    /// Takes what a request says. Another type begins with the defaults of that type.
    pub(crate) fn apply(
        &mut self,
        kind: Option<&str>,
        config: Option<&BTreeMap<String, String>>,
    ) -> Result<()> {
        let changes = kind.is_some_and(|kind| kind != self.kind());
        let Some(config) = config.or(changes.then_some(const { &BTreeMap::new() })) else {
            return Ok(());
        };
        let text = |name: &str| config.get(name).map(String::as_str).unwrap_or_default();
        *self = match kind.unwrap_or_else(|| self.kind()) {
            "client_certificate" => {
                let issuing = Issuing::read(config);
                Self::ClientCertificate(Box::new(issuing.map_err(invalid)?))
            }
            "password" => Self::Password { password_policy: text("password_policy").to_owned() },
            "rsa_private_key" => {
                let key_bits = match text("key_bits") {
                    "" => Some(RSA_BITS[0]),
                    bits => bits.parse().ok().filter(|bits| RSA_BITS.contains(bits)),
                };
                let fault = || Error::invalid(format!("invalid key_bits: {}", text("key_bits")));
                let key_bits = key_bits.ok_or_else(|| invalid(fault()))?;
                if !["", FORMAT].contains(&text("format")) {
                    let fault = format!("invalid format: {}", text("format"));
                    return Err(invalid(Error::invalid(fault)));
                }
                Self::RsaPrivateKey { key_bits, format: FORMAT.to_owned() }
            }
            kind => return Err(Error::invalid(format!("invalid credential_type {kind:?}"))),
        };
        Ok(())
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::ClientCertificate(_) => "client_certificate",
            Self::Password { .. } => "password",
            Self::RsaPrivateKey { .. } => "rsa_private_key",
        }
    }

    /// As answers show it, without what is empty or secret.
    pub(crate) fn config(&self) -> BTreeMap<&'static str, Value> {
        match self {
            Self::ClientCertificate(issuing) => {
                let mut config = BTreeMap::from([
                    ("ca_cert", issuing.ca_cert.as_str().into()),
                    ("common_name_template", issuing.common_name_template.as_str().into()),
                    ("key_type", issuing.key_type.name().into()),
                    ("signature_bits", issuing.signature_bits.into()),
                ]);
                if issuing.key_bits > 0 {
                    config.insert("key_bits", issuing.key_bits.into());
                }
                config
            }
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
    /// `Invalid` if it is no password: of the users that stay nothing else is changed.
    pub(crate) fn password_policy(&self) -> Result<&str> {
        match self {
            Self::Password { password_policy } => Ok(password_policy),
            Self::ClientCertificate(_) | Self::RsaPrivateKey { .. } => {
                Err(unsupported(self.kind()))
            }
        }
    }

    /// # Errors
    /// `Invalid` if users of such a database have passwords alone.
    pub(crate) fn check_plugin(&self, plugin: &Plugin) -> Result<()> {
        let is_password = matches!(self, Self::Password { .. });
        if is_password || plugin.takes_keys { Ok(()) } else { Err(unsupported(self.kind())) }
    }

    /// # Errors
    /// `Invalid` if the creation statements are for another type: a database knows no keys but
    /// those that a statement tells it of, and what stands in the place of a password that nobody
    /// has made would be one that everybody knows.
    pub(crate) fn check_creation(&self, scripts: &[String]) -> Result<()> {
        let has = |placeholder| scripts.iter().any(|script| mentions(script, placeholder));
        match self {
            Self::Password { .. } => Ok(()),
            Self::RsaPrivateKey { .. } if !has("public_key") => Err(unsupported(self.kind())),
            Self::ClientCertificate(_) | Self::RsaPrivateKey { .. } if has("password") => {
                Err(Error::invalid(format!(
                    "creation_statements have {{{{password}}}} in them, and there is none with \
                     credential_type {:?}",
                    self.kind()
                )))
            }
            Self::ClientCertificate(_) | Self::RsaPrivateKey { .. } => Ok(()),
        }
    }
}

const FORMAT: &str = "pkcs8";

pub(crate) fn unsupported(kind: &str) -> Error {
    Error::invalid(format!("unsupported credential_type: {kind:?}"))
}

fn invalid(error: Error) -> Error {
    error.at("credential_config validation failed")
}
