use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_barrier::Record;
use core_engine_api::{Call, Listing, Response};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Rabbitmq;

/// What a user may do.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Role {
    /// Separated by commas, as RabbitMQ takes them.
    pub(crate) tags: String,
    /// By virtual host.
    pub(crate) vhosts: BTreeMap<String, Permission>,
    /// By virtual host, then by exchange.
    pub(crate) vhost_topics: BTreeMap<String, BTreeMap<String, TopicPermission>>,
}

/// Regular expressions for the names of queues and exchanges.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Permission {
    pub(crate) configure: String,
    pub(crate) write: String,
    pub(crate) read: String,
}

/// Regular expressions for routing keys.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct TopicPermission {
    pub(crate) write: String,
    pub(crate) read: String,
}

impl Record for Role {
    const KIND: &'static str = "RabbitMQ role";
}

fn key(name: &str) -> String {
    format!("role/{name}")
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RoleName {
    /// The name of the role.
    pub(crate) name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteRole {
    /// The name of the role.
    name: String,
    /// The tags of its users, separated by commas.
    tags: String,
    /// The permissions in each virtual host, as the text of a JSON object:
    /// `{"/": {"configure": ".*", "write": ".*", "read": ".*"}}`.
    vhosts: String,
    /// The permissions in each virtual host for each topic exchange, as the text of a JSON object:
    /// `{"/": {"amq.topic": {"write": ".*", "read": ".*"}}}`.
    vhost_topics: String,
}

/// The answer is what was stored: nothing of a role is secret.
#[derive(Serialize)]
struct RoleAnswer<'a> {
    tags: &'a str,
    vhosts: &'a BTreeMap<String, Permission>,
    vhost_topics: &'a BTreeMap<String, BTreeMap<String, TopicPermission>>,
}

impl Rabbitmq {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.storage, "role/").await
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, request: RoleName) -> Result<Response> {
        let role = self.role(&request.name).await?.ok_or_else(|| Error::not_found(""))?;
        let Role { tags, vhosts, vhost_topics } = &role;
        Response::data(&RoleAnswer { tags, vhosts, vhost_topics })
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        request: WriteRole,
    ) -> Result<Response> {
        let WriteRole { name, tags, vhosts, vhost_topics } = request;
        if tags.is_empty() && vhosts.is_empty() {
            return Err(Error::invalid("both tags and vhosts not specified"));
        }
        let role = Role {
            tags,
            vhosts: object("vhosts", &vhosts)?,
            vhost_topics: object("vhost_topics", &vhost_topics)?,
        };
        self.storage.put(&key(&name), &role).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        self.storage.delete(&key(&request.name)).await?;
        Ok(Response::none())
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>> {
        self.storage.get(&key(name)).await
    }
}

/// Empty and `null` say nothing.
fn object<T: DeserializeOwned + Default>(field: &str, text: &str) -> Result<T> {
    if text.is_empty() {
        return Ok(T::default());
    }
    let parsed: Option<T> = serde_json::from_str(text)
        .map_err(|error| Error::invalid(format!("failed to unmarshal {field}: {error}")))?;
    Ok(parsed.unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"tags":"a,b","vhosts":{"/":{"configure":"c","write":"w","read":"r"}},"vhost_topics":{"/":{"amq.topic":{"write":"w","read":"r"}}}}"#;
        let role: Role = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
    }

    #[test]
    fn permissions_are_objects_of_texts() {
        for text in ["", "null", "{}", r#"{"/":{}}"#, r#"{"/":{"read":".*","other":1}}"#] {
            assert!(object::<BTreeMap<String, Permission>>("vhosts", text).is_ok(), "{text}");
        }
        for text in ["x", "[]", r#"{"/":"#, r#"{"/":1}"#, r#"{"/":{"read":1}}"#] {
            let error = object::<BTreeMap<String, Permission>>("vhosts", text).err().unwrap();
            assert!(error.public().starts_with("failed to unmarshal vhosts: "), "{error:?}");
        }
    }
}
