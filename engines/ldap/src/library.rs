use std::sync::Arc;

use base_types::{Error, ErrorKind, Result, Ttl};
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Listing, Response};
use core_rotation::{Purpose, Schedule, rotate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::names::{self, Named};
use crate::rotation::{LdapAccount, LdapRole};

/// Accounts that are lent, as they are stored.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Library {
    pub(crate) service_account_names: Vec<String>,
    pub(crate) ttl: Ttl,
    pub(crate) max_ttl: Ttl,
    pub(crate) disable_check_in_enforcement: bool,
}

impl Record for Library {
    const KIND: &'static str = "LDAP library";
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteLibrary {
    /// The name of the library.
    name: String,
    /// The names by which its accounts log in.
    service_account_names: Option<Vec<String>>,
    /// How long an account is lent; 24 hours by default.
    ttl: Option<Ttl>,
    /// How long it may be lent with renewals; 24 hours by default.
    max_ttl: Option<Ttl>,
    /// Lets anybody give back what somebody else has borrowed.
    disable_check_in_enforcement: Option<bool>,
}

#[derive(Serialize)]
struct Answer<'a> {
    disable_check_in_enforcement: bool,
    max_ttl: Ttl,
    service_account_names: &'a [String],
    ttl: Ttl,
}

const TTL: Ttl = Ttl::from_seconds(24 * 3600);

impl Ldap {
    pub(crate) async fn list_libraries(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        listing.of(&self.storage, FOLDER).await
    }

    pub(crate) async fn read_library(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let library = self.library(&named.canonical()).await?;
        let library = library.ok_or_else(|| Error::not_found(""))?;
        Response::data(&Answer {
            disable_check_in_enforcement: library.disable_check_in_enforcement,
            max_ttl: library.max_ttl,
            service_account_names: &library.service_account_names,
            ttl: library.ttl,
        })
    }

    pub(crate) async fn library_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.library(&named.canonical()).await?.is_some())
    }

    /// What it is to lend from now on is stored first; then the new accounts get passwords that
    /// nobody else knows.
    pub(crate) async fn write_library(
        self: Arc<Self>,
        _: Call,
        request: WriteLibrary,
    ) -> Result<Response> {
        let name = names::new(&request.name)?;
        let _turn = self.locks.turn(&key(&name)).await;
        let old = self.library(&name).await?;
        let new = request.applied(old.clone())?;
        if self.stored_config().await?.is_none() {
            let verb = if old.is_some() { "update" } else { "create" };
            return Err(Error::invalid(format!("config must exist to {verb} a library")));
        }
        let known = old.map_or_else(Vec::new, |library| library.service_account_names);
        let without = |all: &[String], others: &[String]| -> Vec<String> {
            all.iter().filter(|name| !others.contains(name)).cloned().collect()
        };
        let added = without(&new.service_account_names, &known);
        let removed = without(&known, &new.service_account_names);
        for account in &added {
            self.check_entry(&self.new_account(account)).await?;
        }
        self.store(&name, Some(&new), &added, &removed).await?;
        self.take_charge(&name, &added, &new, &known).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_library(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let name = named.canonical();
        let _turn = self.locks.turn(&key(&name)).await;
        if let Some(library) = self.library(&name).await? {
            self.store(&name, None, &[], &library.service_account_names).await?;
        }
        Ok(Response::none())
    }

    pub(crate) async fn library(&self, name: &str) -> Result<Option<Library>> {
        self.storage.get(&key(name)).await
    }

    fn new_account(&self, account: &str) -> LdapRole {
        let own = LdapAccount { dn: String::new(), check_out: None };
        LdapRole::new(own, vec![account.to_owned()], Schedule::OnDemand, self.clock.now())
    }

    /// Stores a library with its accounts, or nothing in its place.
    ///
    /// # Errors
    /// `Invalid` if an account has another master, or is lent and may not go.
    async fn store(
        &self,
        name: &str,
        library: Option<&Library>,
        added: &[String],
        removed: &[String],
    ) -> Result<()> {
        let work = |tx: Tx| async move {
            for account in removed {
                let place = place(name, account);
                let Some(role) = LdapRole::get(&tx, &place).await? else { continue };
                if role.own.check_out.is_some() {
                    return Err(Error::invalid(format!(
                        "{account:?} can't be deleted because it is currently checked out"
                    )));
                }
                role.delete(&tx, &place);
            }
            for account in added {
                let (place, role) = (place(name, account), self.new_account(account));
                role.claim(&tx, &place).await?;
                role.put(&tx, &place, None)?;
            }
            match library {
                Some(library) => tx.put(&key(name), library)?,
                None => tx.delete(&key(name)),
            }
            Ok(())
        };
        self.storage.transact(work).await
    }

    /// Changes the passwords of accounts for the first time. Where the directory refuses, the library
    /// is as it was before; where it cannot be reached any more, this goes on by itself.
    async fn take_charge(
        &self,
        name: &str,
        added: &[String],
        new: &Library,
        known: &[String],
    ) -> Result<()> {
        for account in added {
            let place = place(name, account);
            let turn = self.rotations.turn(&place).await;
            let outcome = rotate(self, &place, Purpose::Rotate).await;
            drop(turn);
            let Err(error) = outcome else { continue };
            let error = error.at(format!("service account {account:?}"));
            if error.is(ErrorKind::Unavailable) {
                return Err(error.at("the library is kept and takes charge of its accounts later"));
            }
            let before = Library { service_account_names: known.to_vec(), ..new.clone() };
            let before = (!known.is_empty()).then_some(&before);
            self.store(name, before, &[], added).await?;
            return Err(error);
        }
        Ok(())
    }
}

const FOLDER: &str = "library/";

pub(crate) fn key(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// Where an account of a library is among all accounts. Its name may hold anything.
pub(crate) fn place(library: &str, account: &str) -> String {
    let hash = base_crypto::hex(&base_crypto::sha256(account.as_bytes()));
    format!("{FOLDER}{library}/{hash}")
}

impl WriteLibrary {
    fn applied(self, old: Option<Library>) -> Result<Library> {
        let names = self.service_account_names.filter(|names| !names.is_empty());
        let mut library = match (old, names) {
            (None, None) => {
                return Err(Error::invalid("'service_account_names' must be provided"));
            }
            (Some(old), None) => old,
            (Some(old), Some(service_account_names)) => Library { service_account_names, ..old },
            (None, Some(service_account_names)) => Library {
                service_account_names,
                ttl: TTL,
                max_ttl: TTL,
                disable_check_in_enforcement: false,
            },
        };
        library.ttl = self.ttl.unwrap_or(library.ttl);
        library.max_ttl = self.max_ttl.unwrap_or(library.max_ttl);
        library.disable_check_in_enforcement =
            self.disable_check_in_enforcement.unwrap_or(library.disable_check_in_enforcement);
        library.check()?;
        Ok(library)
    }
}

impl Library {
    fn check(&self) -> Result<()> {
        let Self { service_account_names: names, ttl, max_ttl, .. } = self;
        if names.iter().any(String::is_empty) {
            return Err(Error::invalid("service account name must not be empty"));
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name))
        {
            return Err(Error::invalid(format!("{:?} is named twice", twice.1)));
        }
        if !max_ttl.is_zero() && max_ttl < ttl {
            let (max_ttl, ttl) = (max_ttl.seconds(), ttl.seconds());
            return Err(Error::invalid(format!(
                "max_ttl ({max_ttl} seconds) may not be less than ttl ({ttl} seconds)"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"service_account_names":["a"],"ttl":60,"max_ttl":120,"disable_check_in_enforcement":true}"#;
        let library: Library = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&library).unwrap(), golden);
    }
}
