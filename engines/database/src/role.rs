use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Listing, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Database;
use crate::connection::{self, Connection};
use crate::credential::Credential;
use crate::names::{self, Named};
use crate::statements::Statements;
use crate::static_role::StaticRole;

/// How users are made, as it is stored.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Role {
    pub(crate) db_name: String,
    pub(crate) creation_statements: Statements,
    pub(crate) revocation_statements: Statements,
    pub(crate) rollback_statements: Statements,
    pub(crate) renew_statements: Statements,
    pub(crate) default_ttl: Ttl,
    pub(crate) max_ttl: Ttl,
    pub(crate) credential: Credential,
}

impl Record for Role {
    const KIND: &'static str = "database role";
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteRole {
    /// The name of the role.
    name: String,
    /// The connection to the database.
    db_name: Option<String>,
    /// What makes a user: scripts with `{{name}}`, `{{expiration}}`, and one of `{{password}}`,
    /// `{{subject}}` and `{{public_key}}`.
    creation_statements: Option<Statements>,
    /// What removes a user, where the driver's own way does not do.
    revocation_statements: Option<Statements>,
    /// What is run when making a user fails half way.
    rollback_statements: Option<Statements>,
    /// What lets a user live on, where the driver's own way does not do.
    renew_statements: Option<Statements>,
    /// How long users live; the mount's default if zero.
    default_ttl: Option<Ttl>,
    /// How long users may live with renewals; the mount's maximum if zero.
    max_ttl: Option<Ttl>,
    /// `password`, the default; `client_certificate`, for PostgreSQL and MySQL; or `rsa_private_key`,
    /// for statements that do something with `{{public_key}}`.
    credential_type: Option<String>,
    /// More about the credential: `password_policy`; `common_name_template`, `ca_cert`,
    /// `ca_private_key`, `key_type`, `key_bits` and `signature_bits`; `key_bits` and `format`.
    credential_config: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    creation_statements: &'a Statements,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    credential_config: BTreeMap<&'static str, serde_json::Value>,
    credential_type: &'static str,
    db_name: &'a str,
    default_ttl: Ttl,
    max_ttl: Ttl,
    renew_statements: &'a Statements,
    revocation_statements: &'a Statements,
    rollback_statements: &'a Statements,
}

impl Database {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.storage, "role/").await
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let role = self.role(&named.name).await?;
        Response::data(&role.ok_or_else(|| Error::not_found(""))?.answer())
    }

    pub(crate) async fn role_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.role(&named.name).await?.is_some())
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        request: WriteRole,
    ) -> Result<Response> {
        names::check(&request.name)?;
        let request = &request;
        let write = |tx: Tx| async move {
            let stored: Option<Role> = tx.get(&key(&request.name)).await?;
            let mut role = stored.unwrap_or_default();
            role.apply(request)?;
            let connection: Option<Connection> = tx.get(&connection::key(&role.db_name)).await?;
            if let Some(connection) = connection {
                role.credential.check_plugin(connection.plugin()?)?;
            }
            if StaticRole::get(&tx, &request.name).await?.is_some() {
                return Err(Error::invalid("Role and Static Role names must be unique"));
            }
            tx.put(&key(&request.name), &role)
        };
        self.storage.transact(write).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        self.storage.delete(&key(&named.name)).await?;
        Ok(Response::none())
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>> {
        self.storage.get(&key(name)).await
    }
}

pub(crate) fn key(name: &str) -> String {
    format!("role/{name}")
}

impl Role {
    fn apply(&mut self, request: &WriteRole) -> Result<()> {
        fn set<T: Clone>(field: &mut T, given: &Option<T>) {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        set(&mut self.db_name, &request.db_name);
        if self.db_name.is_empty() {
            return Err(Error::invalid("database name is required"));
        }
        set(&mut self.creation_statements, &request.creation_statements);
        set(&mut self.revocation_statements, &request.revocation_statements);
        set(&mut self.rollback_statements, &request.rollback_statements);
        set(&mut self.renew_statements, &request.renew_statements);
        set(&mut self.default_ttl, &request.default_ttl);
        set(&mut self.max_ttl, &request.max_ttl);
        self.credential
            .apply(request.credential_type.as_deref(), request.credential_config.as_ref())
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            creation_statements: &self.creation_statements,
            credential_config: self.credential.config(),
            credential_type: self.credential.kind(),
            db_name: &self.db_name,
            default_ttl: self.default_ttl,
            max_ttl: self.max_ttl,
            renew_statements: &self.renew_statements,
            revocation_statements: &self.revocation_statements,
            rollback_statements: &self.rollback_statements,
        }
    }
}
