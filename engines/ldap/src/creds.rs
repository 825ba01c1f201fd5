use std::sync::Arc;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_engine_api::{Act, Call, LeaseGrant, Made, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Ldap;
use crate::ldif::{PASSWORD, USERNAME};
use crate::names::{Named, plain};
use crate::role::{Role, parse_deletion};
use crate::rotation::TARGET;

/// The kind of lease that an entry has.
pub(crate) const LEASE: &str = "creds";

/// What is kept with the lease: enough to remove the entry when its role has gone, or makes other
/// entries now.
#[derive(Deserialize, Serialize)]
struct Leased {
    username: String,
    role: String,
    display_name: String,
    issued: Timestamp,
    expires: Timestamp,
    deletion_ldif: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    distinguished_names: Vec<&'a str>,
    password: &'a str,
    username: &'a str,
}

impl Ldap {
    pub(crate) async fn create_entry(
        self: Arc<Self>,
        call: Call,
        named: Named,
    ) -> Result<Response> {
        let name = named.canonical();
        let role = self.role(&name).await?.ok_or_else(|| Error::not_found(""))?;
        let config = self.config().await?;
        let now = self.clock.now();
        let password = self.password(&config).await?;
        let leased = Leased {
            username: role.username(&call.caller.display_name, &name, &*self.random, now)?,
            role: name,
            display_name: plain(&call.caller.display_name),
            issued: now,
            expires: now.plus(role.default_ttl.or(self.services.tuning().default_ttl)),
            deletion_ldif: role.deletion_ldif.clone(),
        };
        let values = leased.values(&password);
        let creation = role.creation()?.records(&values.fields(), &*self.random, now)?;
        let rollback = role.rollback()?;
        let rollback =
            rollback.map(|ldif| ldif.records(&values.fields(), &*self.random, now)).transpose()?;
        // One that is not there is found out now, and not by a lease that waits for its return.
        let directory = self.directory().await?;
        directory.session().await?.end().await;
        let answer = Answer {
            distinguished_names: creation.iter().map(|record| record.dn.as_str()).collect(),
            password: password.expose(),
            username: &leased.username,
        };
        let mut response = Response::data(&answer)?;
        let act: Act = Box::new(move |_| {
            Box::pin(async move {
                let made = async { directory.session().await?.apply(&creation, &password).await };
                let made = made.await.map_err(|error| error.at("failed to create user"));
                if made.is_err()
                    && let Some(rollback) = rollback
                {
                    let undone = async { directory.session().await?.remove(&rollback).await };
                    // The end of the lease removes the entry all the same.
                    if let Err(error) = undone.await {
                        tracing::warn!(error = %error.log(), "the rollback_ldif failed");
                    }
                }
                made.map(|()| Made::default())
            })
        });
        let internal = to_raw_value(&leased).map_err(Error::internal)?;
        response.lease = Some(LeaseGrant { internal, act: Some(act), ..grant(&role) });
        Ok(response)
    }

    pub(crate) async fn renew_entry(
        self: Arc<Self>,
        internal: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        let role = self.role(&leased(&internal)?.role).await?;
        let role = role.ok_or_else(|| Error::invalid("unable to renew: role does not exist"))?;
        Ok(LeaseGrant { internal, ..grant(&role) })
    }

    pub(crate) async fn revoke_entry(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let (leased, forgotten) = (leased(&internal)?, Secret::default());
        let values = leased.values(&forgotten);
        let deletion = parse_deletion(&leased.deletion_ldif)?;
        let deletion = deletion.records(&values.fields(), &*self.random, leased.issued)?;
        self.directory().await?.session().await?.remove(&deletion).await
    }
}

fn grant(role: &Role) -> LeaseGrant {
    LeaseGrant {
        kind: LEASE,
        ttl: role.default_ttl,
        max_ttl: role.max_ttl,
        renewable: true,
        target: TARGET.to_owned(),
        ..LeaseGrant::default()
    }
}

fn leased(internal: &RawValue) -> Result<Leased> {
    serde_json::from_str(internal.get())
        .map_err(|_| Error::corrupt("what was kept with the lease of an LDAP entry"))
}

/// What templates are told of an entry.
struct Values<'a> {
    leased: &'a Leased,
    password: &'a Secret<String>,
    /// Times as texts, and as seconds since 1970.
    issued: [String; 2],
    expires: [String; 2],
}

impl Leased {
    fn values<'a>(&'a self, password: &'a Secret<String>) -> Values<'a> {
        // To the second, as Go writes it.
        let texts = |at: Timestamp| {
            let seconds = at.seconds();
            [Timestamp::from_seconds(seconds).to_string(), seconds.to_string()]
        };
        Values { leased: self, password, issued: texts(self.issued), expires: texts(self.expires) }
    }
}

impl Values<'_> {
    fn fields(&self) -> [(&'static str, &str); 8] {
        [
            (USERNAME, &self.leased.username),
            (PASSWORD, self.password.expose()),
            ("DisplayName", &self.leased.display_name),
            ("RoleName", &self.leased.role),
            ("IssueTime", &self.issued[0]),
            ("IssueTimeSeconds", &self.issued[1]),
            ("ExpirationTime", &self.expires[0]),
            ("ExpirationTimeSeconds", &self.expires[1]),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_form_kept_with_a_lease_is_fixed() {
        let golden = r#"{"username":"u","role":"r","display_name":"d","issued":"1970-01-01T00:00:01Z","expires":"1970-01-01T00:01:01Z","deletion_ldif":"l"}"#;
        let leased: Leased = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&leased).unwrap(), golden);
    }
}
