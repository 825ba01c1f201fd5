use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use base_types::{Error, Name, Result};
use core_engine_api::{Call, LoginGrant, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Userpass;
use crate::requests::Login;
use crate::user::User;

/// What a renewal needs to know of the login.
#[derive(Deserialize, Serialize)]
struct Internal {
    username: String,
    policies: Vec<String>,
}

impl Userpass {
    /// A wrong name and a wrong password look alike and cost the same (CVE-2025-6011).
    pub(crate) async fn login(self: Arc<Self>, call: Call, request: Login) -> Result<Response> {
        if request.password.expose().is_empty() {
            return Err(Error::invalid("missing password"));
        }
        let refused = || Error::invalid("invalid username or password");
        let name = Name::parse(&request.username).map_err(|_| refused())?;
        let user: Option<User> = self.users.get(name.as_str()).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.hasher.check(request.password, hash).await?;
        let user = user.filter(|_| right).ok_or_else(refused)?;
        let remote = call.caller.remote.map(|remote| remote.ip());
        if !user.token.admits(remote) {
            return Err(Error::denied());
        }
        user.grant(&name, remote).map(Response::login)
    }

    /// The grant as it would be today.
    ///
    /// # Errors
    /// `Invalid` if the user is gone or has other policies than at the login.
    pub(crate) async fn renew(self: Arc<Self>, internal: Box<RawValue>) -> Result<LoginGrant> {
        let login: Internal = serde_json::from_str(internal.get()).map_err(Error::internal)?;
        let name = Name::parse(&login.username)?;
        let Some(user) = self.users.get::<User>(name.as_str()).await? else {
            return Err(Error::invalid("the user does not exist any more, not renewing"));
        };
        let set = |policies: &[String]| -> BTreeSet<String> {
            policies.iter().map(|policy| policy.trim().to_lowercase()).collect()
        };
        if set(&user.token.policies) != set(&login.policies) {
            return Err(Error::invalid("policies have changed, not renewing"));
        }
        user.grant(&name, None)
    }
}

impl User {
    fn grant(&self, name: &Name, remote: Option<IpAddr>) -> Result<LoginGrant> {
        let username = name.to_string();
        let internal =
            Internal { username: username.clone(), policies: self.token.policies.clone() };
        Ok(LoginGrant {
            alias: username.clone(),
            display_name: username.clone(),
            metadata: BTreeMap::from([("username".into(), username)]),
            internal: Some(to_raw_value(&internal).map_err(Error::internal)?),
            ..self.token.grant(remote)
        })
    }
}
