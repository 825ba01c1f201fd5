use std::sync::Arc;

use base_crypto::random_uuid;
use base_types::{Error, Name, Result, Ttl};
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Response, TokenFields, TokenParams, deprecated};
use serde::{Deserialize, Serialize};

use crate::keys::Marker;
use crate::requests::{Listing, RoleName, WriteRole, WriteRoleId};
use crate::{Approle, cidrs, keys, no_role};

/// A stored role.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Role {
    /// Where its secret ids are; no other role, past or future, has the same.
    pub(crate) folder: String,
    pub(crate) role_id: String,
    pub(crate) bind_secret_id: bool,
    pub(crate) local_secret_ids: bool,
    /// As they were written.
    pub(crate) secret_id_bound_cidrs: Vec<String>,
    /// Zero is unlimited.
    pub(crate) secret_id_num_uses: u64,
    /// Zero is for ever.
    pub(crate) secret_id_ttl: Ttl,
    pub(crate) token: TokenParams,
    shown: Shown,
}

impl Record for Role {
    const KIND: &'static str = "role";
}

/// Which values answers repeat under their deprecated names.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Shown {
    period: bool,
    policies: bool,
}

/// Which role has an id.
#[derive(Deserialize, Serialize)]
pub(crate) struct RoleIndex {
    pub(crate) role: String,
}

impl Record for RoleIndex {
    const KIND: &'static str = "index of role ids";
}

#[derive(Serialize)]
pub(crate) struct RoleAnswer<'a> {
    bind_secret_id: bool,
    local_secret_ids: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<&'a [String]>,
    secret_id_bound_cidrs: Option<&'a [String]>,
    secret_id_num_uses: u64,
    secret_id_ttl: Ttl,
    #[serde(flatten)]
    token: TokenFields<'a>,
}

#[derive(Serialize)]
struct RoleIdAnswer<'a> {
    role_id: &'a str,
}

#[derive(Serialize)]
struct LocalSecretIdsAnswer {
    local_secret_ids: bool,
}

impl Approle {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        Response::keys(self.storage.list("role/", &listing.after, listing.limit()).await?)
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, request: RoleName) -> Result<Response> {
        let role = self.role_or_nothing(&request).await?;
        Response::data(&role.answer())
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        request: WriteRole,
    ) -> Result<Response> {
        let name = Name::parse(&request.role_name)?;
        let fresh = Role::new(&*self.random);
        let (name, fresh, request) = (&name, &fresh, &request);
        let hasher = &self.hasher;
        let write = |tx: Tx| async move {
            let stored: Option<Role> = tx.get(&keys::role(name)).await?;
            if stored.is_some() && request.local_secret_ids.is_some() {
                return Err(Error::invalid(
                    "local_secret_ids can only be modified during role creation",
                ));
            }
            let mut role = stored.clone().unwrap_or_else(|| fresh.clone());
            role.apply(request)?;
            let old = stored.map(|stored| hasher.role_id(&stored.role_id));
            claim_role_id(&tx, name, old, hasher.role_id(&role.role_id)).await?;
            tx.put(&keys::role(name), &role)?;
            Ok(role)
        };
        let role = self.storage.transact(write).await?;
        let max_ttl = self.services.tuning().max_ttl;
        if role.token.max_ttl > max_ttl && !max_ttl.is_zero() {
            return Ok(Response::none().warn(
                "token_max_ttl is greater than the backend mount's maximum TTL value; issued \
                 tokens' max TTL value will be truncated",
            ));
        }
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let name = &Name::parse(&request.role_name)?;
        let hasher = &self.hasher;
        let delete = |tx: Tx| async move {
            if let Some(role) = tx.get::<Role>(&keys::role(name)).await? {
                tx.delete(&keys::role(name));
                tx.delete(&hasher.role_id(&role.role_id));
                tx.put(&keys::gone(&role.folder), &Marker {})?;
            }
            Ok(())
        };
        self.storage.transact(delete).await?;
        Ok(Response::none())
    }

    pub(crate) async fn read_role_id(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let role = self.role_or_nothing(&request).await?;
        Response::data(&RoleIdAnswer { role_id: &role.role_id })
    }

    pub(crate) async fn write_role_id(
        self: Arc<Self>,
        _: Call,
        request: WriteRoleId,
    ) -> Result<Response> {
        let name = &Name::parse(&request.role_name)?;
        let (role_id, hasher) = (request.role_id.trim(), &self.hasher);
        if role_id.is_empty() {
            return Err(Error::invalid("missing role_id"));
        }
        let write = |tx: Tx| async move {
            let role: Option<Role> = tx.get(&keys::role(name)).await?;
            let mut role = role.ok_or_else(|| no_role(name))?;
            let old = Some(hasher.role_id(&role.role_id));
            role.role_id = role_id.to_owned();
            claim_role_id(&tx, name, old, hasher.role_id(role_id)).await?;
            tx.put(&keys::role(name), &role)
        };
        self.storage.transact(write).await?;
        Ok(Response::none())
    }

    pub(crate) async fn read_local_secret_ids(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let role = self.role_or_nothing(&request).await?;
        Response::data(&LocalSecretIdsAnswer { local_secret_ids: role.local_secret_ids })
    }

    pub(crate) async fn exists(self: Arc<Self>, request: RoleName) -> Result<bool> {
        let name = Name::parse(&request.role_name)?;
        Ok(self.storage.get::<Role>(&keys::role(&name)).await?.is_some())
    }

    /// # Errors
    /// `NotFound` without a text, which is how a read says that there is nothing.
    pub(crate) async fn role_or_nothing(&self, request: &RoleName) -> Result<Role> {
        let name = Name::parse(&request.role_name)?;
        let role = self.storage.get(&keys::role(&name)).await?;
        role.ok_or_else(|| Error::not_found(""))
    }
}

/// Moves the index entry of a role from its `old` id to the `new` one.
async fn claim_role_id(tx: &Tx, name: &Name, old: Option<String>, new: String) -> Result<()> {
    if old.as_ref() == Some(&new) {
        return Ok(());
    }
    if tx.get::<RoleIndex>(&new).await?.is_some() {
        return Err(Error::invalid("role_id already in use"));
    }
    if let Some(old) = old {
        tx.delete(&old);
    }
    tx.put(&new, &RoleIndex { role: name.to_string() })
}

impl Role {
    fn new(random: &dyn base_crypto::Random) -> Self {
        Self {
            folder: random_uuid(random),
            role_id: random_uuid(random),
            bind_secret_id: true,
            local_secret_ids: false,
            secret_id_bound_cidrs: Vec::new(),
            secret_id_num_uses: 0,
            secret_id_ttl: Ttl::ZERO,
            token: TokenParams::default(),
            shown: Shown::default(),
        }
    }

    pub(crate) fn apply(&mut self, request: &WriteRole) -> Result<()> {
        let mut token = request.token_update();
        deprecated(&mut token.period, request.period, &mut self.shown.period);
        deprecated(&mut token.policies, request.policies.clone(), &mut self.shown.policies);
        self.token.apply(token)?;
        if let Some(id) = &request.role_id {
            if id.trim().is_empty() {
                let fault = "invalid role_id supplied, or failed to generate a role_id";
                return Err(Error::invalid(fault));
            }
            self.role_id = id.trim().to_owned();
        }
        let cidrs = request.secret_id_bound_cidrs.as_ref().or(request.bound_cidr_list.as_ref());
        if let Some(blocks) = cidrs {
            cidrs::check(blocks, "failed to validate CIDR blocks")?;
            self.secret_id_bound_cidrs.clone_from(blocks);
        }
        if let Some(uses) = request.secret_id_num_uses {
            self.secret_id_num_uses = u64::try_from(uses)
                .map_err(|_| Error::invalid("secret_id_num_uses cannot be negative"))?;
        }
        self.secret_id_ttl = request.secret_id_ttl.unwrap_or(self.secret_id_ttl);
        self.bind_secret_id = request.bind_secret_id.unwrap_or(self.bind_secret_id);
        self.local_secret_ids = request.local_secret_ids.unwrap_or(self.local_secret_ids);
        let bound = self.bind_secret_id
            || !self.secret_id_bound_cidrs.is_empty()
            || !self.token.bound_cidrs.is_empty();
        if bound {
            Ok(())
        } else {
            Err(Error::invalid("at least one constraint should be enabled on the role"))
        }
    }

    pub(crate) fn answer(&self) -> RoleAnswer<'_> {
        let Self { token, shown, .. } = self;
        RoleAnswer {
            bind_secret_id: self.bind_secret_id,
            local_secret_ids: self.local_secret_ids,
            period: Some(token.period).filter(|period| shown.period && !period.is_zero()),
            policies: Some(&*token.policies).filter(|all| shown.policies && !all.is_empty()),
            secret_id_bound_cidrs: Some(&*self.secret_id_bound_cidrs).filter(|all| !all.is_empty()),
            secret_id_num_uses: self.secret_id_num_uses,
            secret_id_ttl: self.secret_id_ttl,
            token: token.fields(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    #[test]
    fn the_stored_forms_are_fixed() {
        let mut role = Role::new(&SeededRandom::new(1));
        (role.folder, role.role_id) = ("f".into(), "id".into());
        let golden = "{\"folder\":\"f\",\"role_id\":\"id\",\"bind_secret_id\":true,\
            \"local_secret_ids\":false,\"secret_id_bound_cidrs\":[],\"secret_id_num_uses\":0,\
            \"secret_id_ttl\":0,\"token\":{\"bound_cidrs\":[],\"explicit_max_ttl\":0,\"max_ttl\":0,\
            \"no_default_policy\":false,\"num_uses\":0,\"period\":0,\"policies\":[],\
            \"strictly_bind_ip\":false,\"ttl\":0,\"token_type\":\"default\"},\
            \"shown\":{\"period\":false,\"policies\":false}}";
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        let read: Role = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
        let index = RoleIndex { role: "r".into() };
        assert_eq!(serde_json::to_string(&index).unwrap(), "{\"role\":\"r\"}");
    }
}
