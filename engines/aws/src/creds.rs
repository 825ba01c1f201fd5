use std::sync::Arc;

use base_types::{Error, ErrorKind, Result, Ttl};
use core_engine_api::{Act, Call, LeaseGrant, Made, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Aws;
use crate::access_key::AccessKey;
use crate::client::{Client, pause};
use crate::config::Config;
use crate::fault::Fault;
use crate::lease_config::LeaseConfig;
use crate::names::{NameTemplate, Named, Parts, session_name};
use crate::role::{CredentialType, Role};
use crate::session::Session;
use crate::user::NewUser;

pub(crate) const USER: &str = "user";
pub(crate) const SESSION: &str = "session";

/// What is stored with the lease of a user.
#[derive(Deserialize, Serialize)]
struct Leased {
    username: String,
    account: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Creds {
    /// The name of the role.
    name: String,
    /// Which of the role's ARNs is assumed; not needed if it has one.
    role_arn: String,
    /// The name of the session of an assumed role.
    role_session_name: String,
    /// How long a session lives; an hour if neither this nor the role says.
    ttl: Option<Ttl>,
    /// What the device of multi-factor authentication shows.
    mfa_code: String,
}

/// The token is shown by its old name and by its new one; a user has none.
#[derive(Serialize)]
struct Credentials<'a> {
    access_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<&'a str>,
    secret_key: &'a str,
    security_token: Option<&'a str>,
    session_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Ttl>,
}

const SESSION_TTL: Ttl = Ttl::from_seconds(3600);
/// How often IAM is asked again that denies to have a user who was just made.
const DENIALS_MAX: u32 = 5;

impl Aws {
    pub(crate) async fn creds(self: Arc<Self>, call: Call, request: Creds) -> Result<Response> {
        let name = &request.name;
        let not_found = || Error::invalid(format!("Role {name:?} not found"));
        let role = self.role(name).await?.ok_or_else(not_found)?;
        let config = self.config().await?;
        let client = self.client(&config)?;
        match role.credential_type {
            Some(CredentialType::IamUser) => self.user(&call, request, role, &config, client).await,
            _ => self.session(&call, &request, &role, &config, &client).await,
        }
    }

    /// The user is made when its lease is stored.
    async fn user(
        self: Arc<Self>,
        call: &Call,
        request: Creds,
        role: Role,
        config: &Config,
        client: Client,
    ) -> Result<Response> {
        let username = self.name(Named::User, call, &request, config)?;
        client.check_is_free(&username).await?;
        let account = self.account(config, &client).await.map_err(Fault::into_invalid)?;
        let internal = to_raw_value(&Leased { username: username.clone(), account });
        let lease = grant(internal.map_err(Error::internal)?, self.lease_config().await?);
        let user = NewUser { name: username, role, role_name: request.name };
        let act: Act = Box::new(move |_| {
            Box::pin(async move {
                let key = self.make(&client, &user).await?;
                let data = to_raw_value(&Credentials {
                    access_key: &key.id,
                    arn: None,
                    secret_key: key.secret.expose(),
                    security_token: None,
                    session_token: None,
                    ttl: None,
                });
                Ok(Made { data: Some(data.map_err(Error::internal)?), ..Made::default() })
            })
        });
        Ok(Response { lease: Some(LeaseGrant { act: Some(act), ..lease }), ..Response::default() })
    }

    async fn make(&self, client: &Client, user: &NewUser) -> Result<AccessKey> {
        self.recent.add(&user.name, self.clock.now());
        let made = client.create_user(user).await;
        if made.as_ref().is_err_and(|error| error.is(ErrorKind::Invalid)) {
            self.recent.remove(&user.name);
        }
        made?;
        client.furnish_user(user).await
    }

    /// A session leaves nothing to clean up, so it is opened at once and its lease follows it.
    async fn session(
        &self,
        call: &Call,
        request: &Creds,
        role: &Role,
        config: &Config,
        client: &Client,
    ) -> Result<Response> {
        let ttl = self.session_ttl(role, request.ttl);
        let Session { key, token, expires, arn } = match role.credential_type {
            Some(CredentialType::AssumedRole) => {
                let arn = role_arn(role, request)?;
                let name = match request.role_session_name.as_str() {
                    "" => self.name(Named::RoleSession, call, request, config)?,
                    chosen => session_name(chosen)?,
                };
                client.assume_role(role, arn, &name, ttl).await?
            }
            Some(CredentialType::FederationToken) => {
                let name = self.name(Named::FederatedUser, call, request, config)?;
                client.federation_token(role, &name, ttl).await?
            }
            Some(CredentialType::SessionToken) => {
                client.session_token(role, &request.mfa_code, ttl).await?
            }
            Some(CredentialType::IamUser) | None => {
                return Err(Error::internal("a role without a session"));
            }
        };
        let ttl = self.clock.now().until(expires);
        if ttl.is_zero() {
            return Err(Error::upstream("AWS opened a session that has ended already"));
        }
        let data = Credentials {
            access_key: &key.id,
            arn: arn.as_deref(),
            secret_key: key.secret.expose(),
            security_token: Some(token.expose()),
            session_token: Some(token.expose()),
            ttl: Some(ttl),
        };
        let lease = LeaseGrant { kind: SESSION, ttl, max_ttl: ttl, ..LeaseGrant::default() };
        Ok(Response { lease: Some(lease), ..Response::data(&data)? })
    }

    /// The user does not change; only the lease goes on, by what is configured today.
    pub(crate) async fn renew_user(
        self: Arc<Self>,
        internal: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        Ok(grant(internal, self.lease_config().await?))
    }

    pub(crate) async fn revoke_user(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let Leased { username, account } =
            serde_json::from_str(internal.get()).map_err(Error::internal)?;
        let config = self.config().await?;
        let client = self.client(&config)?;
        let own = self.account(&config, &client).await?;
        if own != account {
            return Err(Error::invalid(format!(
                "the user {username} lives in account {account}, and config/root has a key of {own}"
            )));
        }
        let mut denials = 0;
        while !client.remove_user(&username).await? {
            if !self.recent.contains(&username, self.clock.now()) {
                return Ok(());
            }
            if denials == DENIALS_MAX {
                return Err(Error::upstream(format!(
                    "IAM does not know the new user {username} yet"
                )));
            }
            tokio::time::sleep(pause(denials, &*self.random)).await;
            denials += 1;
        }
        self.recent.remove(&username);
        Ok(())
    }

    pub(crate) async fn renew_session(
        self: Arc<Self>,
        _: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        Err(Error::invalid("a session of AWS cannot be renewed: ask for a new one"))
    }

    /// AWS forgets it when it expires, and not before.
    pub(crate) async fn revoke_session(self: Arc<Self>, _: Box<RawValue>) -> Result<()> {
        Ok(())
    }

    fn name(&self, named: Named, call: &Call, request: &Creds, config: &Config) -> Result<String> {
        let parts = Parts {
            display_name: &call.caller.display_name,
            role: &request.name,
            random: &*self.random,
            now: self.clock.now(),
        };
        NameTemplate::of(&config.username_template).name(named, &parts)
    }

    /// Within the limit of the role, or of the mount if the role has none.
    fn session_ttl(&self, role: &Role, asked: Option<Ttl>) -> Ttl {
        let ttl = asked.unwrap_or_default().or(role.default_sts_ttl).or(SESSION_TTL);
        ttl.limited_to(role.max_sts_ttl).limited_to(self.services.tuning().max_ttl)
    }
}

fn role_arn<'a>(role: &'a Role, request: &Creds) -> Result<&'a str> {
    let Creds { name, role_arn, .. } = request;
    if role_arn.is_empty() {
        return match role.role_arns.as_slice() {
            [only] => Ok(only),
            _ => Err(Error::invalid(
                "did not supply a role_arn parameter and unable to determine one",
            )),
        };
    }
    let allowed = role.role_arns.iter().find(|allowed| *allowed == role_arn);
    allowed.map(String::as_str).ok_or_else(|| {
        let text = "not in allowed role arns for Vault role";
        Error::invalid(format!("role_arn {role_arn:?} {text} {name:?}"))
    })
}

fn grant(internal: Box<RawValue>, config: LeaseConfig) -> LeaseGrant {
    let LeaseConfig { lease, lease_max } = config;
    LeaseGrant {
        kind: USER,
        ttl: lease,
        max_ttl: lease_max,
        renewable: true,
        internal,
        ..LeaseGrant::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"username":"u","account":"123456789012"}"#;
        let leased: Leased = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&leased).unwrap(), golden);
    }
}
