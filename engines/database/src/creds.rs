use std::sync::Arc;

use base_template::Source;
use base_types::{Error, Result, Secret, Ttl};
use core_engine_api::{Act, Call, LeaseGrant, Made, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Database;
use crate::connection::Connection;
use crate::driver::{Driver, NewUser};
use crate::names::Named;
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

#[derive(Serialize)]
struct Answer<'a> {
    password: &'a str,
    username: &'a str,
}

impl Database {
    pub(crate) async fn create_user(self: Arc<Self>, call: Call, named: Named) -> Result<Response> {
        let name = named.name;
        let role = self.role(&name).await?;
        let role = role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
        let connection = self.connection(&role.db_name).await?;
        connection.check_role(&name)?;
        let (connection, driver) = self.driver(&role.db_name).await?;
        let password = self.password(&connection, Some(role.credential.password_policy()?)).await?;
        let username = self.username(&connection, &call.caller.display_name, &name)?;
        // One that is not there is found out now, and not by a lease that waits for its return.
        driver.verify().await?;
        let answer = Answer { password: password.expose(), username: &username };
        let mut response = Response::data(&answer)?;
        let internal = to_raw_value(&Leased {
            username: username.clone(),
            role: name,
            db_name: role.db_name.clone(),
            revocation_statements: role.revocation_statements.clone(),
        });
        response.lease = Some(LeaseGrant {
            internal: internal.map_err(Error::internal)?,
            act: Some(creation(driver, role.clone(), username, password)),
            ..grant(&role)
        });
        Ok(response)
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
fn creation(
    driver: Arc<dyn Driver>,
    role: Role,
    username: String,
    password: Secret<String>,
) -> Act {
    Box::new(move |expires| {
        Box::pin(async move {
            let user = NewUser { username: &username, password: &password, expires };
            let made = driver.create_user(&role.creation_statements.scripts(), user).await;
            if made.is_err() && !role.rollback_statements.is_empty() {
                let scripts = role.rollback_statements.scripts();
                // The end of the lease removes the user all the same.
                if let Err(error) = driver.revoke_user(&scripts, &username).await {
                    tracing::warn!(%username, error = %error.log(), "the rollback statements failed");
                }
            }
            made.map(|()| Made::default())
        })
    })
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
