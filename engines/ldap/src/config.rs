use std::sync::Arc;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_barrier::{Record, Sealed};
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::directory::{Directory, tls};
use crate::ldif::is_attribute;
use crate::url::ServerUrl;

/// How the directory is reached, as it is stored.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) url: String,
    pub(crate) binddn: String,
    pub(crate) bindpass: Sealed,
    /// The administrator's next password, which the directory may or may not know already.
    pub(crate) pending_bindpass: Option<Sealed>,
    pub(crate) last_bind_password_rotation: Option<Timestamp>,
    pub(crate) schema: Schema,
    pub(crate) userdn: String,
    pub(crate) userattr: String,
    pub(crate) upndomain: String,
    pub(crate) password_policy: String,
    pub(crate) certificate: String,
    pub(crate) client_tls_cert: String,
    pub(crate) client_tls_key: Sealed,
    pub(crate) insecure_tls: bool,
    pub(crate) starttls: bool,
    pub(crate) connection_timeout: Ttl,
    pub(crate) request_timeout: Ttl,
    pub(crate) skip_static_role_import_rotation: bool,
}

impl Record for Config {
    const KIND: &'static str = "LDAP configuration";
}

/// In which attributes a kind of directory keeps passwords.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Schema {
    Ad,
    Openldap,
    Racf,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteConfig {
    /// The servers, separated by commas, which are tried in this order: `ldaps://host:port`.
    url: Option<String>,
    /// The name of the administrator: a DN, or with `upndomain` a name in it.
    binddn: Option<String>,
    /// The administrator's password.
    bindpass: Option<Secret<String>>,
    /// `openldap`, the default, `ad` or `racf`: where passwords are kept.
    schema: Option<String>,
    /// Where entries are looked for by their name.
    userdn: Option<String>,
    /// The attribute that is their name; as is usual for the schema by default.
    userattr: Option<String>,
    /// The domain of Active Directory in which the administrator logs in.
    upndomain: Option<String>,
    /// The policy for all passwords that are made for it.
    password_policy: Option<String>,
    /// The authorities to trust, as PEM; those of the machine by default.
    certificate: Option<String>,
    /// The certificate to show, as PEM.
    client_tls_cert: Option<String>,
    /// The key of that certificate, as PEM.
    client_tls_key: Option<Secret<String>>,
    /// Takes any certificate for the server's.
    insecure_tls: Option<bool>,
    /// Changes over to TLS on a plain connection.
    starttls: Option<bool>,
    /// How long a server may take to be connected to; 30 seconds by default.
    connection_timeout: Option<Ttl>,
    /// How long a server may take to answer; 90 seconds by default.
    request_timeout: Option<Ttl>,
    /// Leaves accounts of new static roles with the password that they have until it is due.
    skip_static_role_import_rotation: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
struct Answer<'a> {
    binddn: &'a str,
    certificate: &'a str,
    client_tls_cert: &'a str,
    connection_timeout: Ttl,
    insecure_tls: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_bind_password_rotation: Option<Timestamp>,
    #[serde(skip_serializing_if = "str::is_empty")]
    password_policy: &'a str,
    request_timeout: Ttl,
    schema: Schema,
    skip_static_role_import_rotation: bool,
    starttls: bool,
    upndomain: &'a str,
    url: &'a str,
    userattr: &'a str,
    userdn: &'a str,
}

pub(crate) const KEY: &str = "config";
const URL: &str = "ldap://127.0.0.1";
const CONNECTION_TIMEOUT: Ttl = Ttl::from_seconds(30);
const REQUEST_TIMEOUT: Ttl = Ttl::from_seconds(90);

impl Ldap {
    pub(crate) async fn read_config(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let config: Option<Config> = self.storage.get(KEY).await?;
        config.ok_or_else(|| Error::not_found(""))?.answer()
    }

    pub(crate) async fn config_exists(self: Arc<Self>, _: Nothing) -> Result<bool> {
        Ok(self.stored_config().await?.is_some())
    }

    pub(crate) async fn write_config(
        self: Arc<Self>,
        _: Call,
        request: WriteConfig,
    ) -> Result<Response> {
        let _turn = self.locks.turn(KEY).await;
        let config = request.applied(self.stored_config().await?)?;
        self.storage.put(KEY, &config).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_config(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let _turn = self.locks.turn(KEY).await;
        self.storage.delete(KEY).await?;
        Ok(Response::none())
    }

    pub(crate) async fn stored_config(&self) -> Result<Option<Config>> {
        self.storage.get(KEY).await
    }

    /// # Errors
    /// `Invalid` if there is none.
    pub(crate) async fn config(&self) -> Result<Config> {
        let config = self.stored_config().await?;
        config.ok_or_else(|| Error::invalid("missing LDAP configuration: write config first"))
    }

    /// The directory, ready for work.
    ///
    /// # Errors
    /// As [`Ldap::config`]; `Unavailable` if it is not known with which password it can be reached.
    pub(crate) async fn directory(&self) -> Result<Directory> {
        let mut config = self.config().await?;
        if config.pending_bindpass.is_some() {
            config = self.settle_root().await?;
        }
        Directory::of(&config)
    }
}

impl WriteConfig {
    fn applied(self, stored: Option<Config>) -> Result<Config> {
        let schema = match (self.schema.as_deref(), &stored) {
            (None, Some(stored)) => stored.schema,
            (None, None) => Schema::Openldap,
            (Some(name), _) => Schema::parse(name)?,
        };
        let mut config = stored.unwrap_or_else(|| Config {
            url: URL.to_owned(),
            binddn: String::new(),
            bindpass: Sealed::default(),
            pending_bindpass: None,
            last_bind_password_rotation: None,
            schema,
            userdn: String::new(),
            userattr: schema.user_attribute().to_owned(),
            upndomain: String::new(),
            password_policy: String::new(),
            certificate: String::new(),
            client_tls_cert: String::new(),
            client_tls_key: Sealed::default(),
            insecure_tls: false,
            starttls: false,
            connection_timeout: CONNECTION_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            skip_static_role_import_rotation: false,
        });
        config.schema = schema;
        if let Some(password) = self.bindpass {
            // Whoever sets it knows better than a change that was cut short.
            config.pending_bindpass = None;
            config.bindpass = password.into();
        }
        set(&mut config.url, self.url.map(|url| url.to_ascii_lowercase()));
        set(&mut config.binddn, self.binddn);
        set(&mut config.userdn, self.userdn);
        set(&mut config.userattr, self.userattr);
        set(&mut config.upndomain, self.upndomain);
        set(&mut config.password_policy, self.password_policy);
        set(&mut config.certificate, self.certificate);
        set(&mut config.client_tls_cert, self.client_tls_cert);
        set(&mut config.client_tls_key, self.client_tls_key.map(Sealed::from));
        set(&mut config.insecure_tls, self.insecure_tls);
        set(&mut config.starttls, self.starttls);
        set(&mut config.connection_timeout, self.connection_timeout);
        set(&mut config.request_timeout, self.request_timeout);
        let skip = self.skip_static_role_import_rotation;
        set(&mut config.skip_static_role_import_rotation, skip);
        config.check()?;
        Ok(config)
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

impl Config {
    fn check(&self) -> Result<()> {
        if self.binddn.is_empty() || self.bindpass.open().expose().is_empty() {
            return Err(Error::invalid("binddn and bindpass are required"));
        }
        ServerUrl::parse_all(&self.url)?;
        if !is_attribute(&self.userattr) {
            let text = format!("userattr {:?} is no name of an attribute", self.userattr);
            return Err(Error::invalid(text));
        }
        if self.connection_timeout.is_zero() || self.request_timeout.is_zero() {
            return Err(Error::invalid(
                "connection_timeout and request_timeout are a second or more",
            ));
        }
        let tls = tls(self);
        match (tls.certificate.is_empty(), tls.private_key.expose().is_empty()) {
            (true, true) if tls.ca.is_empty() => Ok(()),
            (true, false) | (false, true) => {
                Err(Error::invalid("both client_tls_cert and client_tls_key must be set"))
            }
            _ => tls.config().map(drop),
        }
    }

    /// As whom the administrator logs in.
    pub(crate) fn bind_name(&self) -> String {
        match self.upndomain.as_str() {
            "" => self.binddn.clone(),
            domain => format!("{}@{domain}", self.binddn),
        }
    }

    fn answer(&self) -> Result<Response> {
        Response::data(&Answer {
            binddn: &self.binddn,
            certificate: &self.certificate,
            client_tls_cert: &self.client_tls_cert,
            connection_timeout: self.connection_timeout,
            insecure_tls: self.insecure_tls,
            last_bind_password_rotation: self.last_bind_password_rotation,
            password_policy: &self.password_policy,
            request_timeout: self.request_timeout,
            schema: self.schema,
            skip_static_role_import_rotation: self.skip_static_role_import_rotation,
            starttls: self.starttls,
            upndomain: &self.upndomain,
            url: &self.url,
            userattr: &self.userattr,
            userdn: &self.userdn,
        })
    }
}

impl Schema {
    fn parse(name: &str) -> Result<Self> {
        match name {
            "ad" => Ok(Self::Ad),
            "openldap" => Ok(Self::Openldap),
            "racf" => Ok(Self::Racf),
            "" => Err(Error::invalid("schema is required")),
            _ => Err(Error::invalid(format!(
                "the configured schema {name} is not valid. Supported schemas: [openldap racf ad]"
            ))),
        }
    }

    fn user_attribute(self) -> &'static str {
        match self {
            Self::Ad => "userPrincipalName",
            Self::Openldap => "cn",
            Self::Racf => "racfid",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"url":"ldap://h","binddn":"cn=a","bindpass":"p","pending_bindpass":"n","last_bind_password_rotation":"1970-01-01T00:00:01Z","schema":"openldap","userdn":"ou=u","userattr":"cn","upndomain":"","password_policy":"","certificate":"","client_tls_cert":"","client_tls_key":"k","insecure_tls":false,"starttls":true,"connection_timeout":30,"request_timeout":90,"skip_static_role_import_rotation":false}"#;
        let config: Config = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), golden);
    }
}
