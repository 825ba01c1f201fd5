use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_template::{Source, Template};
use base_types::{Error, Result, Secret, Timestamp};
use core_barrier::{Record, Sealed};
use core_engine_api::{Call, ClientTls, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Rabbitmq;
use crate::management::Management;

/// How to reach the management interface, and how users are named.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Connection {
    pub(crate) connection_uri: String,
    pub(crate) username: String,
    pub(crate) password: Sealed,
    /// Empty for 36 characters of base 62.
    pub(crate) password_policy: String,
    /// Empty for [`USERNAME_TEMPLATE`].
    pub(crate) username_template: String,
    #[serde(default)]
    pub(crate) ca_cert: String,
    #[serde(default)]
    pub(crate) client_cert: String,
    #[serde(default)]
    pub(crate) client_key: Sealed,
}

impl Record for Connection {
    const KIND: &'static str = "RabbitMQ connection";
}

const KEY: &str = "config/connection";
const USERNAME_TEMPLATE: &str = r#"{{ printf "%s-%s" (.DisplayName) (uuid) }}"#;
const DISPLAY_NAME: &str = "DisplayName";
const ROLE_NAME: &str = "RoleName";

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteConnection {
    /// The URL of the management interface, such as `http://localhost:15672`.
    connection_uri: String,
    /// An administrator of RabbitMQ.
    username: String,
    /// The administrator's password.
    password: Secret<String>,
    /// The policy that makes passwords; without one they have 36 letters and digits.
    password_policy: String,
    /// How users are named, from `.DisplayName` and `.RoleName`; it needs something random.
    username_template: String,
    /// The authorities that sign the certificate of the management interface, as PEM; those of the
    /// machine if empty.
    ca_cert: String,
    /// Our certificate, as PEM, if RabbitMQ wants to see one.
    client_cert: String,
    /// The key of our certificate, as PEM.
    client_key: Secret<String>,
    /// Log in before anything is stored.
    verify_connection: bool,
}

impl Default for WriteConnection {
    fn default() -> Self {
        Self {
            connection_uri: String::new(),
            username: String::new(),
            password: Secret::default(),
            password_policy: String::new(),
            username_template: String::new(),
            ca_cert: String::new(),
            client_cert: String::new(),
            client_key: Secret::default(),
            verify_connection: true,
        }
    }
}

impl Rabbitmq {
    pub(crate) async fn write_connection(
        self: Arc<Self>,
        _: Call,
        request: WriteConnection,
    ) -> Result<Response> {
        let WriteConnection { connection_uri, username, password, .. } = request;
        let given = [
            ("connection_uri", connection_uri.is_empty()),
            ("username", username.is_empty()),
            ("password", password.expose().is_empty()),
        ];
        if let Some((name, _)) = given.into_iter().find(|(_, is_missing)| *is_missing) {
            return Err(Error::invalid(format!("missing {name}")));
        }
        let connection = Connection {
            connection_uri,
            username,
            password: password.into(),
            password_policy: request.password_policy,
            username_template: request.username_template,
            ca_cert: request.ca_cert,
            client_cert: request.client_cert,
            client_key: request.client_key.into(),
        };
        connection.check_template().map_err(|error| error.at("invalid username template"))?;
        let management = Management::of(self.outbound.clone(), &connection)?;
        management.check_tls()?;
        if request.verify_connection {
            let check = management.check(&connection.username).await;
            check.map_err(|error| error.at("failed to validate the connection"))?;
        }
        self.storage.put(KEY, &connection).await?;
        Ok(Response::none())
    }

    pub(crate) async fn connection(&self) -> Result<Connection> {
        self.storage.get(KEY).await?.ok_or_else(|| {
            Error::invalid("there is no connection to RabbitMQ: write config/connection first")
        })
    }
}

impl Connection {
    /// The name for a new user.
    pub(crate) fn username_for(
        &self,
        display_name: &str,
        role_name: &str,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<String> {
        let text = match self.username_template.as_str() {
            "" => USERNAME_TEMPLATE,
            text => text,
        };
        let template = Template::parse(text, &[DISPLAY_NAME, ROLE_NAME])?;
        let fields = &[(DISPLAY_NAME, display_name), (ROLE_NAME, role_name)];
        template.render_unique(&Source { fields, random, now })
    }

    /// How to speak TLS to it.
    pub(crate) fn tls(&self) -> ClientTls {
        ClientTls {
            ca: self.ca_cert.clone(),
            certificate: self.client_cert.clone(),
            private_key: self.client_key.open().clone(),
            ..ClientTls::default()
        }
    }

    /// A template that gives no names is refused before it is stored.
    fn check_template(&self) -> Result<()> {
        let (random, now) = (SeededRandom::new(1), Timestamp::from_seconds(0));
        self.username_for("display", "role", &random, now).map(drop)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn connection(template: &str) -> Connection {
        Connection {
            connection_uri: "http://localhost:15672".to_owned(),
            username: "admin".to_owned(),
            password: Secret::new("pw".to_owned()).into(),
            password_policy: "long".to_owned(),
            username_template: template.to_owned(),
            ca_cert: "ca".to_owned(),
            client_cert: "cert".to_owned(),
            client_key: Secret::new("key".to_owned()).into(),
        }
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"connection_uri":"http://localhost:15672","username":"admin","password":"pw","password_policy":"long","username_template":"t","ca_cert":"ca","client_cert":"cert","client_key":"key"}"#;
        assert_eq!(serde_json::to_string(&connection("t")).unwrap(), golden);
        let read: Connection = serde_json::from_str(golden).unwrap();
        assert_eq!(read.password.open().expose(), "pw");
        // What was stored before there were certificates.
        let earlier = r#"{"connection_uri":"http://h","username":"a","password":"pw","password_policy":"","username_template":""}"#;
        let read: Connection = serde_json::from_str(earlier).unwrap();
        assert_eq!(read.tls(), ClientTls::default());
    }

    const SAME: &str = "template: it gives different things the same name";

    #[test]
    fn a_template_needs_something_that_changes() {
        for (template, fault) in [
            ("", ""),
            ("{{ .RoleName }}-{{ random 8 }}", ""),
            ("{{ .DisplayName }}-{{ unix_time }}", SAME),
            ("admin", SAME),
            ("{{ .DisplayName }}-{{ .RoleName }}", SAME),
            ("{{ .Nope }}", "template: 1:"),
            ("{{ .DisplayName", "template: 1:"),
        ] {
            match connection(template).check_template() {
                Ok(()) => assert_eq!(fault, "", "{template}"),
                Err(error) => {
                    assert!(!fault.is_empty(), "{template}: {error:?}");
                    assert!(error.public().starts_with(fault), "{template}: {error:?}");
                }
            }
        }
    }
}
