use std::sync::Arc;

use base_template::Source;
use base_types::{Error, Result, Ttl};
use core_engine_api::{Act, Call, LeaseGrant, Made, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Database;
use crate::connection::Connection;
use crate::credential::Credential;
use crate::driver::{Driver, NewUser};
use crate::names::Named;
use crate::proof::Draft;
use crate::role::Role;
use crate::statements::Statements;

/// The kind of lease that a user has.
pub(crate) const LEASE: &str = "creds";

/// What is kept with the lease: enough to remove the user when its role has gone, or has moved on to
/// another database.
#[derive(Deserialize, Serialize)]
struct Leased {
    username: String,
    role: String,
    db_name: String,
    revocation_statements: Statements,
}

impl Database {
    pub(crate) async fn create_user(self: Arc<Self>, call: Call, named: Named) -> Result<Response> {
        let name = named.name;
        let role = self.role(&name).await?;
        let role = role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
        let connection = self.connection(&role.db_name).await?;
        connection.check_role(&name)?;
        let (connection, driver) = self.driver(&role.db_name).await?;
        role.credential.check_plugin(connection.plugin()?)?;
        role.credential.check_creation(&role.creation_statements.scripts())?;
        let display_name = &call.caller.display_name;
        let username = self.username(&connection, display_name, &name)?;
        let draft = self.draft(&role, &connection, &username, display_name, &name).await?;
        // One that is not there is found out now, and not by a lease that waits for its return.
        driver.verify().await?;
        let internal = to_raw_value(&Leased {
            username: username.clone(),
            role: name,
            db_name: role.db_name.clone(),
            revocation_statements: role.revocation_statements.clone(),
        });
        let lease = LeaseGrant {
            internal: internal.map_err(Error::internal)?,
            // The end of a certificate cannot be moved.
            renewable: !matches!(draft, Draft::Certificate { .. }),
            ..grant(&role)
        };
        let act: Act = Box::new(move |expires| {
            Box::pin(async move {
                let proof = draft.finish(self.random.clone(), self.clock.now(), expires).await?;
                create(&*driver, &role, NewUser { username: &username, proof: &proof, expires })
                    .await?;
                proof.made(&username)
            })
        });
        Ok(Response { lease: Some(LeaseGrant { act: Some(act), ..lease }), ..Response::none() })
    }

    pub(crate) async fn renew_user(
        self: Arc<Self>,
        internal: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        let Leased { username, role: name, db_name, .. } = leased(&internal)?;
        let role = self.role(&name).await?.ok_or_else(|| {
            let text = format!("error during renew: could not find role with name {name:?}");
            Error::invalid(text)
        })?;
        // The user stays where it was made, and what is written for another database is not for it.
        let (_, driver) = self.driver(&db_name).await?;
        let is_there = role.db_name == db_name;
        let scripts = if is_there { role.renew_statements.scripts() } else { Vec::new() };
        let act: Act = Box::new(move |expires| {
            Box::pin(async move {
                driver.renew_user(&scripts, &username, expires).await?;
                Ok(Made::default())
            })
        });
        Ok(LeaseGrant { internal, act: Some(act), target: db_name, ..grant(&role) })
    }

    pub(crate) async fn revoke_user(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let Leased { username, role: name, db_name, revocation_statements } = leased(&internal)?;
        // A role that was repaired removes the users that were made before, in the same database.
        let statements = match self.role(&name).await? {
            Some(role) if role.db_name == db_name => role.revocation_statements,
            Some(_) | None => revocation_statements,
        };
        let (_, driver) = self.driver(&db_name).await?;
        driver.revoke_user(&statements.scripts(), &username).await
    }

    async fn draft(
        &self,
        role: &Role,
        connection: &Connection,
        username: &str,
        display_name: &str,
        role_name: &str,
    ) -> Result<Draft> {
        match &role.credential {
            Credential::ClientCertificate(issuing) => {
                let (random, now) = (&*self.random, self.clock.now());
                let display_name = plain(display_name).replace('+', "_");
                let common_name =
                    issuing.common_name(username, &display_name, role_name, random, now)?;
                Ok(Draft::Certificate { issuing: issuing.clone(), common_name })
            }
            Credential::Password { password_policy } => {
                let password = self.password(connection, Some(password_policy)).await?;
                Ok(Draft::Password(password))
            }
            Credential::RsaPrivateKey { key_bits, .. } => {
                Ok(Draft::PrivateKey { key_bits: *key_bits })
            }
        }
    }

    fn username(&self, connection: &Connection, display_name: &str, role: &str) -> Result<String> {
        let plain = plain(display_name);
        let source = Source {
            fields: &[("DisplayName", &plain), ("RoleName", role)],
            random: &*self.random,
            now: self.clock.now(),
        };
        let username = connection.username_template()?.render_unique(&source)?;
        if username.is_empty() || username.chars().any(char::is_control) {
            return Err(Error::invalid("username_template makes a name that no database takes"));
        }
        Ok(username)
    }
}

fn grant(role: &Role) -> LeaseGrant {
    LeaseGrant {
        kind: LEASE,
        ttl: role.default_ttl,
        max_ttl: role.max_ttl,
        renewable: true,
        target: role.db_name.clone(),
        ..LeaseGrant::default()
    }
}

/// Makes the user once its lease is stored.
async fn create(driver: &dyn Driver, role: &Role, user: NewUser<'_>) -> Result<()> {
    let made = driver.create_user(&role.creation_statements.scripts(), user).await;
    if made.is_err() && !role.rollback_statements.is_empty() {
        let scripts = role.rollback_statements.scripts();
        // The end of the lease removes the user all the same.
        if let Err(error) = driver.revoke_user(&scripts, user.username).await {
            let username = user.username;
            tracing::warn!(%username, error = %error.log(), "the rollback statements failed");
        }
    }
    made
}

fn leased(internal: &RawValue) -> Result<Leased> {
    serde_json::from_str(internal.get())
        .map_err(|_| Error::corrupt("what was kept with the lease of a database user"))
}

/// The name of a caller, who may have chosen it, in letters that mean nothing to a database.
fn plain(display_name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    display_name.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn display_names_lose_what_could_be_taken_for_code() {
        assert_eq!(plain("userpass-bob@example.com"), "userpass-bob@example.com");
        assert_eq!(plain("x\"; DROP TABLE t; --'ä`$\0"), "x___DROP_TABLE_t__--_____");
    }

    #[test]
    fn the_form_kept_with_a_lease_is_fixed() {
        let golden = r#"{"username":"u","role":"r","db_name":"d","revocation_statements":["s"]}"#;
        let leased: Leased = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&leased).unwrap(), golden);
    }
}
