use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base_crypto::random_base62;
use base_template::Template;
use base_types::{Error, Result};
use core_barrier::{Record, Sealed};
use core_engine_api::{Call, Listing, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Database;
use crate::details::{Details, SECRET_FIELDS};
use crate::driver::{Driver, Plugin};
use crate::names::{self, Named};
use crate::statements::Statements;
use crate::url::masked;

/// How a database is reached, as it is stored.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Connection {
    pub(crate) plugin_name: String,
    /// All that was given for the driver but the secrets, even what it does not know.
    pub(crate) details: Map<String, Value>,
    pub(crate) secrets: BTreeMap<String, Sealed>,
    /// The next password of the administrator, which the database may or may not know already.
    pub(crate) pending_password: Option<Sealed>,
    pub(crate) allowed_roles: Vec<String>,
    pub(crate) password_policy: String,
    pub(crate) root_rotation_statements: Statements,
    /// Another one with every change, so that nobody keeps using what was opened before.
    pub(crate) revision: String,
}

impl Record for Connection {
    const KIND: &'static str = "database connection";
}

/// The fields of a request about a connection that are the engine's own.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct OwnFields {
    /// The name of the connection.
    name: String,
    /// Which kind of database it is, such as `postgresql-database-plugin`.
    plugin_name: Option<String>,
    /// Taken for compatibility; there is one version.
    plugin_version: Option<String>,
    /// The roles that may use it, with `*` for anything at either end; none by default.
    allowed_roles: Option<Vec<String>>,
    /// Connects before it is stored, and refuses what does not work; the default.
    verify_connection: Option<bool>,
    /// How the administrator's password is changed, where the driver's own way does not do.
    root_rotation_statements: Option<Statements>,
    /// The policy for all passwords that are made for it.
    password_policy: Option<String>,
}

/// The request: [`OwnFields`] and [`Details`] side by side, and whatever else is given. It is read as
/// a map, so that nothing in it is unknown; the handler finds the fields in the body.
pub(crate) struct WriteConnection {
    name: String,
}

impl<'de> Deserialize<'de> for WriteConnection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = WriteConnection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WriteConnection, A::Error> {
                let mut name = String::new();
                while let Some(field) = map.next_key::<String>()? {
                    if field == "name" {
                        name = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(WriteConnection { name })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl JsonSchema for WriteConnection {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "WriteConnection".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = OwnFields::json_schema(generator);
        let mut details = Details::json_schema(generator);
        let fields = details.remove("properties");
        if let (Some(all), Some(Value::Object(fields))) =
            (schema.get_mut("properties").and_then(Value::as_object_mut), fields)
        {
            all.extend(fields);
        }
        schema
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    allowed_roles: &'a [String],
    connection_details: Map<String, Value>,
    password_policy: &'a str,
    plugin_name: &'a str,
    plugin_version: &'a str,
    root_credentials_rotate_statements: &'a Statements,
}

impl Database {
    pub(crate) async fn list_connections(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        listing.of(&self.storage, "config/").await
    }

    pub(crate) async fn read_connection(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let connection: Option<Connection> = self.storage.get(&key(&named.name)).await?;
        connection.ok_or_else(|| Error::not_found(""))?.answer()
    }

    pub(crate) async fn connection_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.storage.get::<Connection>(&key(&named.name)).await?.is_some())
    }

    pub(crate) async fn write_connection(
        self: Arc<Self>,
        call: Call,
        request: WriteConnection,
    ) -> Result<Response> {
        let name = &request.name;
        names::check(name)?;
        let own: OwnFields = call.body.read()?;
        let _turn = self.locks.turn(&key(name)).await;
        let stored: Option<Connection> = self.storage.get(&key(name)).await?;
        let mut connection = stored.unwrap_or_default();
        connection.apply(&own, &call)?;
        connection.revision = random_base62(&*self.random, REVISION_LENGTH);
        let driver =
            connection.open().map_err(|error| error.at("error creating database object"))?;
        if own.verify_connection.unwrap_or(true) {
            let verified = driver.verify().await;
            driver.close();
            verified.map_err(|error| {
                let text = error.public().to_owned();
                let place = "error creating database object: error verifying connection";
                Error::invalid(text).at(place)
            })?;
        }
        self.storage.put(&key(name), &connection).await?;
        self.connections.close(name);
        let response = Response::none();
        Ok(if connection.url().is_some_and(|url| masked(url).is_some()) {
            response.warn(
                "Password found in connection_url, use a templated url to enable root rotation \
                 and prevent read access to password information.",
            )
        } else {
            response
        })
    }

    pub(crate) async fn delete_connection(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let _turn = self.locks.turn(&key(&named.name)).await;
        self.storage.delete(&key(&named.name)).await?;
        self.connections.close(&named.name);
        Ok(Response::none())
    }

    pub(crate) async fn reset(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        self.connection(&named.name).await?;
        self.connections.close(&named.name);
        Ok(Response::none())
    }

    /// # Errors
    /// `Invalid` if there is none.
    pub(crate) async fn connection(&self, name: &str) -> Result<Connection> {
        let connection = self.storage.get(&key(name)).await?;
        connection.ok_or_else(|| unknown(name))
    }
}

const REVISION_LENGTH: usize = 16;

pub(crate) fn key(name: &str) -> String {
    format!("config/{name}")
}

fn unknown(name: &str) -> Error {
    Error::invalid(format!("failed to find entry for connection with name: {name:?}"))
}

impl Connection {
    fn apply(&mut self, own: &OwnFields, call: &Call) -> Result<()> {
        if let Some(plugin) = &own.plugin_name {
            self.plugin_name.clone_from(plugin);
        }
        if self.plugin_name.is_empty() {
            return Err(Error::invalid("empty plugin name"));
        }
        if let Some(version) = own.plugin_version.as_deref().filter(|version| !version.is_empty()) {
            let text = format!("there is no version {version:?} of this plugin: leave it out");
            return Err(Error::invalid(text));
        }
        if let Some(roles) = &own.allowed_roles {
            self.allowed_roles.clone_from(roles);
        }
        if let Some(policy) = &own.password_policy {
            self.password_policy.clone_from(policy);
        }
        if let Some(statements) = &own.root_rotation_statements {
            self.root_rotation_statements = statements.clone();
        }
        for (field, value) in details_of(call)? {
            match value {
                Value::String(secret) if SECRET_FIELDS.contains(&field.as_str()) => {
                    if field == "password" {
                        // Whoever sets it knows better than a change that was cut short.
                        self.pending_password = None;
                    }
                    self.secrets.insert(field, Sealed::from(base_types::Secret::new(secret)));
                }
                _ if SECRET_FIELDS.contains(&field.as_str()) => {
                    return Err(Error::invalid(format!(
                        "error converting input for field {field:?}: expected a string"
                    )));
                }
                value => drop(self.details.insert(field, value)),
            }
        }
        Ok(())
    }

    /// What the driver is configured with.
    pub(crate) fn details(&self) -> Result<Details> {
        let mut details = Details::read(&self.details)?;
        let secret = |name: &str| self.secrets.get(name).map(|secret| secret.open().clone());
        details.connection_url = secret("connection_url").unwrap_or_default();
        details.password = secret("password").unwrap_or_default();
        details.private_key = secret("private_key").unwrap_or_default();
        details.tls_certificate_key = secret("tls_certificate_key").unwrap_or_default();
        Ok(details)
    }

    pub(crate) fn plugin(&self) -> Result<&'static Plugin> {
        let name = &self.plugin_name;
        Plugin::named(name)
            .ok_or_else(|| Error::invalid(format!("plugin not found in the catalog: {name}")))
    }

    /// A driver for it, connected to nothing yet.
    pub(crate) fn open(&self) -> Result<Arc<dyn Driver>> {
        let details = self.details()?;
        self.username_template()?;
        (self.plugin()?.open)(&details)
    }

    pub(crate) fn username_template(&self) -> Result<Template> {
        let own = self.details()?.username_template;
        let text = if own.is_empty() { self.plugin()?.username_template } else { own.as_str() };
        Template::parse(text, &["DisplayName", "RoleName"])
            .map_err(|error| error.at("unable to initialize username template"))
    }

    pub(crate) fn url(&self) -> Option<&str> {
        self.secrets.get("connection_url").map(|url| url.open().expose().as_str())
    }

    /// # Errors
    /// `Invalid` if the role may not use it.
    pub(crate) fn check_role(&self, role: &str) -> Result<()> {
        if names::is_allowed(&self.allowed_roles, role) {
            return Ok(());
        }
        Err(Error::invalid(format!("{role:?} is not an allowed role")))
    }

    fn answer(&self) -> Result<Response> {
        let mut connection_details = self.details.clone();
        if let Some(url) = self.url() {
            let shown = masked(url).unwrap_or_else(|| url.to_owned());
            connection_details.insert("connection_url".to_owned(), shown.into());
        }
        Response::data(&Answer {
            allowed_roles: &self.allowed_roles,
            connection_details,
            password_policy: &self.password_policy,
            plugin_name: &self.plugin_name,
            plugin_version: "",
            root_credentials_rotate_statements: &self.root_rotation_statements,
        })
    }
}

/// The fields of the request that are not the engine's own.
fn details_of(call: &Call) -> Result<Map<String, Value>> {
    const OWN: [&str; 7] = [
        "name",
        "plugin_name",
        "plugin_version",
        "allowed_roles",
        "verify_connection",
        "root_rotation_statements",
        "password_policy",
    ];
    let Some(text) = call.body.to_json() else { return Ok(Map::new()) };
    let all: Map<String, Value> = serde_json::from_str(text.get())
        .map_err(|_| Error::invalid("the body is not a JSON object"))?;
    Ok(all.into_iter().filter(|(name, _)| !OWN.contains(&name.as_str())).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_types::Secret;

    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let secret = |text: &str| Sealed::from(Secret::new(text.to_owned()));
        let connection = Connection {
            plugin_name: "p".into(),
            details: Map::from_iter([("username".to_owned(), "u".into())]),
            secrets: BTreeMap::from([("password".to_owned(), secret("s"))]),
            pending_password: Some(secret("n")),
            allowed_roles: vec!["*".into()],
            password_policy: "".into(),
            root_rotation_statements: Statements(vec!["x".into()]),
            revision: "r".into(),
        };
        let golden = r#"{"plugin_name":"p","details":{"username":"u"},"secrets":{"password":"s"},"pending_password":"n","allowed_roles":["*"],"password_policy":"","root_rotation_statements":["x"],"revision":"r"}"#;
        assert_eq!(serde_json::to_string(&connection).unwrap(), golden);
        let read: Connection = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
    }
}
