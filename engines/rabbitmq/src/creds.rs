use std::sync::Arc;

use base_types::{Error, Result, Secret, Ttl};
use core_engine_api::{Act, Call, LeaseGrant, Made, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Rabbitmq;
use crate::lease_config::LeaseConfig;
use crate::management::Management;
use crate::role::RoleName;

pub(crate) const LEASE: &str = "creds";

/// What is stored with the lease of a user.
#[derive(Deserialize, Serialize)]
struct Leased {
    username: String,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

const PASSWORD_LENGTH: usize = 36;

impl Rabbitmq {
    pub(crate) async fn creds(self: Arc<Self>, call: Call, request: RoleName) -> Result<Response> {
        let RoleName { name } = request;
        let role = self.role(&name).await?;
        let role = role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
        let connection = self.connection().await?;
        let (display_name, now) = (&call.caller.display_name, self.clock.now());
        let username = connection
            .username_for(display_name, &name, &*self.random, now)
            .map_err(|error| error.at("failed to generate username"))?;
        let password = self.password(&connection.password_policy).await?;
        let management = Management::of(self.outbound.clone(), &connection)?;
        let creation = management.creation(&username, &password, &role)?;
        let act: Act = Box::new(move |_| {
            Box::pin(async move { management.create(creation).await.map(|()| Made::default()) })
        });
        let grant = grant(to_internal(&username)?, self.lease_config().await?);
        let data = Credentials { username: &username, password: password.expose() };
        Ok(Response {
            lease: Some(LeaseGrant { act: Some(act), ..grant }),
            ..Response::data(&data)?
        })
    }

    /// The user does not change; only the lease goes on, by what is configured today.
    pub(crate) async fn renew(
        self: Arc<Self>,
        internal: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        Ok(grant(internal, self.lease_config().await?))
    }

    pub(crate) async fn revoke(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let Leased { username } = serde_json::from_str(internal.get()).map_err(Error::internal)?;
        let connection = self.connection().await?;
        Management::of(self.outbound.clone(), &connection)?.delete(&username).await
    }

    async fn password(&self, policy: &str) -> Result<Secret<String>> {
        match policy {
            "" => Ok(Secret::new(base_crypto::random_base62(&*self.random, PASSWORD_LENGTH))),
            policy => self.services.password(Some(policy)).await,
        }
    }
}

fn to_internal(username: &str) -> Result<Box<RawValue>> {
    to_raw_value(&Leased { username: username.to_owned() }).map_err(Error::internal)
}

fn grant(internal: Box<RawValue>, config: LeaseConfig) -> LeaseGrant {
    let LeaseConfig { ttl, max_ttl } = config;
    LeaseGrant { kind: LEASE, ttl, max_ttl, renewable: true, internal, ..LeaseGrant::default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        assert_eq!(to_internal("a-b").unwrap().get(), r#"{"username":"a-b"}"#);
    }
}
