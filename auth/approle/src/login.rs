use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base_crypto::constant_time_eq;
use base_types::{Error, Name, Result, Timestamp};
use core_barrier::Tx;
use core_engine_api::{Call, LoginGrant, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::requests::Login;
use crate::role::{Role, RoleIndex};
use crate::secret_id::SecretId;
use crate::{Approle, cidrs, keys};

/// What a renewal needs to know of the login.
#[derive(Deserialize, Serialize)]
struct Internal {
    role_name: String,
}

impl Approle {
    /// An unknown role, a wrong secret id, an expired one and one that is used up look alike and
    /// take the same steps.
    pub(crate) async fn login(self: Arc<Self>, call: Call, request: Login) -> Result<Response> {
        let role_id = request.role_id.trim();
        if role_id.is_empty() {
            return Err(Error::invalid("missing role_id"));
        }
        let remote = call.caller.remote.map(|remote| remote.ip());
        let found = self.role_by_id(role_id).await?;
        let secret_id = request.secret_id.expose().as_str();
        let Some((name, role)) = found else {
            let hash = self.hasher.secret_id(secret_id);
            self.live_secret_id("nobody", &hash).await?;
            return Err(refused());
        };
        let secret_id = match (role.bind_secret_id, secret_id) {
            (true, "") => return Err(Error::invalid("missing secret_id")),
            (true, secret_id) => Some(self.use_secret_id(&role, secret_id, remote).await?),
            (false, _) => {
                check_address(&role, None, remote)?;
                None
            }
        };
        grant(&name, &role, secret_id, remote).map(Response::login)
    }

    async fn role_by_id(&self, role_id: &str) -> Result<Option<(String, Role)>> {
        let index: Option<RoleIndex> = self.storage.get(&self.hasher.role_id(role_id)).await?;
        // Nothing is stored at the empty name, but it takes as long to find out.
        let name = index.map(|index| index.role).unwrap_or_default();
        let role: Option<Role> = self.storage.get(&format!("role/{name}")).await?;
        let same = |role: &Role| constant_time_eq(role.role_id.as_bytes(), role_id.as_bytes());
        Ok(role.filter(same).map(|role| (name, role)))
    }

    /// Counts the use, if uses are limited; the last one removes the secret id.
    async fn use_secret_id(
        &self,
        role: &Role,
        secret_id: &str,
        remote: Option<IpAddr>,
    ) -> Result<SecretId> {
        let hash = &self.hasher.secret_id(secret_id);
        let found = self.live_secret_id(&role.folder, hash).await?.ok_or_else(refused)?;
        check_address(role, Some(&found), remote)?;
        if found.num_uses == 0 {
            return Ok(found);
        }
        let now = self.clock.now();
        let count = |tx: Tx| async move {
            // Others may have used it since it was read above.
            let key = keys::secret(&role.folder, hash);
            let found: Option<SecretId> = tx.get(&key).await?;
            let mut found = found.filter(|found| found.is_live(now)).ok_or_else(refused)?;
            count_use(&tx, &role.folder, hash, &mut found, now)?;
            Ok(found)
        };
        self.storage.transact(count).await
    }

    /// The grant as it would be today.
    ///
    /// # Errors
    /// `Invalid` if the role is gone.
    pub(crate) async fn renew(self: Arc<Self>, internal: Box<RawValue>) -> Result<LoginGrant> {
        let Internal { role_name } =
            serde_json::from_str(internal.get()).map_err(Error::internal)?;
        let role: Option<Role> = self.storage.get(&keys::role(&Name::parse(&role_name)?)).await?;
        match role {
            Some(role) => grant(&role_name, &role, None, None),
            None => {
                Err(Error::invalid(format!("role {role_name:?} does not exist during renewal")))
            }
        }
    }
}

fn refused() -> Error {
    Error::invalid("invalid role or secret ID")
}

fn check_address(role: &Role, secret_id: Option<&SecretId>, remote: Option<IpAddr>) -> Result<()> {
    let fault = if secret_id.is_some_and(|found| !cidrs::admit(&found.cidr_list, remote)) {
        "through CIDR restrictions on the secret ID"
    } else if !cidrs::admit(&role.secret_id_bound_cidrs, remote) {
        "by CIDR restrictions on the role"
    } else {
        return Ok(());
    };
    let address = remote.map(|ip| ip.to_canonical().to_string()).unwrap_or_default();
    Err(Error::invalid(format!("source address {address:?} unauthorized {fault}")))
}

fn count_use(
    tx: &Tx,
    folder: &str,
    hash: &str,
    found: &mut SecretId,
    now: Timestamp,
) -> Result<()> {
    match found.num_uses {
        // Somebody destroyed it and added an unlimited one with the same secret.
        0 => Ok(()),
        1 => {
            found.remove(tx, folder, hash);
            Ok(())
        }
        _ => {
            found.num_uses -= 1;
            found.updated = now;
            tx.put(&keys::secret(folder, hash), found)
        }
    }
}

fn grant(
    name: &str,
    role: &Role,
    secret_id: Option<SecretId>,
    remote: Option<IpAddr>,
) -> Result<LoginGrant> {
    let mut grant = role.token.grant(remote);
    let mut metadata = BTreeMap::new();
    if let Some(secret_id) = secret_id {
        metadata = secret_id.metadata;
        // Its blocks lie within those of the role; a binding to one address is narrower still.
        if !role.token.strictly_bind_ip && !secret_id.token_bound_cidrs.is_empty() {
            let blocks = cidrs::parse(&secret_id.token_bound_cidrs);
            grant.bound_cidrs = blocks.iter().map(ToString::to_string).collect();
        }
    }
    // Last, so that the metadata of a secret id cannot claim another role.
    metadata.insert("role_name".into(), name.to_owned());
    let internal =
        to_raw_value(&Internal { role_name: name.to_owned() }).map_err(Error::internal)?;
    Ok(LoginGrant {
        alias: role.role_id.clone(),
        alias_metadata: metadata.clone(),
        metadata,
        internal: Some(internal),
        ..grant
    })
}
