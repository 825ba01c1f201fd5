//! How the passwords of accounts are made, set and checked; the sequence of a change is
//! `core_rotation`'s.

use base_types::{Error, Result, Secret};
use core_rotation::{Account, Login, Own, Rotating, Rotations, StaticRole};
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::check_out::CheckOut;
use crate::directory::{Directory, Session};

/// What a directory needs to know of an account.
#[derive(Clone, Deserialize, Serialize)]
pub struct LdapAccount {
    /// The name of its entry; empty if that is looked for by its user name.
    pub(crate) dn: String,
    /// Who has borrowed it, if it is in a library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) check_out: Option<CheckOut>,
}

impl Own for LdapAccount {
    const KIND: &'static str = "LDAP account";

    const KEEPS_PREVIOUS: bool = true;

    fn target(&self) -> &str {
        TARGET
    }
}

/// A mount has one directory.
pub(crate) const TARGET: &str = "directory";

pub(crate) type LdapRole = StaticRole<LdapAccount>;

impl Rotating for Ldap {
    type Own = LdapAccount;

    const SYSTEM: &'static str = "directory";

    fn rotations(&self) -> &Rotations {
        &self.rotations
    }

    async fn generate(&self, _: &LdapRole) -> Result<Secret<String>> {
        self.password(&self.config().await?).await
    }

    async fn set(
        &self,
        role: &LdapRole,
        account: &Account,
        password: &Secret<String>,
    ) -> Result<()> {
        let directory = self.directory().await?;
        let (session, dn) = entry(&directory, role, account).await?;
        if same_name(&dn, &self.config().await?.binddn) {
            session.end().await;
            return Err(Error::invalid(
                "this is the administrator of the directory: use rotate-root",
            ));
        }
        session.set_password(&dn, password).await
    }

    async fn check(
        &self,
        role: &LdapRole,
        account: &Account,
        password: &Secret<String>,
    ) -> Result<Login> {
        let directory = self.directory().await?;
        let dn = match role.own.dn.as_str() {
            "" => {
                let (session, dn) = entry(&directory, role, account).await?;
                session.end().await;
                dn
            }
            dn => dn.to_owned(),
        };
        directory.check_login(&dn, password).await
    }
}

impl Ldap {
    /// Finds out that the directory is there and has an account, before anything is stored.
    pub(crate) async fn check_entry(&self, role: &LdapRole) -> Result<()> {
        let directory = self.directory().await?;
        for account in &role.accounts {
            let (session, _) = entry(&directory, role, account).await?;
            session.end().await;
        }
        Ok(())
    }
}

/// The entry of an account, and the session in which it was found.
async fn entry<'d>(
    directory: &'d Directory,
    role: &LdapRole,
    account: &Account,
) -> Result<(Session<'d>, String)> {
    let mut session = directory.session().await?;
    let dn = match role.own.dn.as_str() {
        "" => session.find(&account.username).await?,
        dn => dn.to_owned(),
    };
    Ok((session, dn))
}

/// Whether two names are surely of the same entry: there are more ways to write one.
fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(' ', "");
    plain(one) == plain(other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"dn":"cn=a","accounts":[{"username":"a","password":"p","previous":"o"}],"current":0,"schedule":"on_demand","grace_period":0,"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"2262-04-11T23:47:16.854775807Z","retirement":null,"change":null,"failure":null}"#;
        let role: LdapRole = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        let lent = golden.replace(
            r#""cn=a","#,
            r#""","check_out":{"id":"i","borrower_token":"t","borrower_entity":"e"},"#,
        );
        let role: LdapRole = serde_json::from_str(&lent).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), lent);
    }

    #[test]
    fn names_of_entries_are_compared_loosely() {
        assert!(same_name("CN=admin, DC=x", "cn=Admin,dc=x"));
        assert!(!same_name("cn=admin,dc=x", "cn=admin,dc=y"));
    }
}
