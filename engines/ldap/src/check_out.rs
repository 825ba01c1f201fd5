//! Accounts of a library in the hands of one borrower at a time. Which of them is lent is decided
//! once the lease is stored; an account that comes back gets a new password before anybody else may
//! have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base_crypto::random_base62;
use base_types::{Error, Result, Ttl};
use core_engine_api::{Act, Call, Caller, LeaseGrant, Made, Response, TokenId};
use core_rotation::{Purpose, rotate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Ldap;
use crate::library::{Library, key, place};
use crate::names::{Named, canonical};
use crate::rotation::{LdapRole, TARGET};

/// The kind of lease that a borrower has.
pub(crate) const LEASE: &str = "check-out";

/// Who has borrowed an account, as it is stored with that.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct CheckOut {
    /// Of the lease, which ends this check-out and no later one.
    id: String,
    borrower_token: Option<TokenId>,
    borrower_entity: Option<Arc<str>>,
}

/// What is kept with the lease.
#[derive(Deserialize, Serialize)]
struct Leased {
    library: String,
    id: String,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteCheckOut {
    /// The name of the library.
    name: String,
    /// For how long, if less than the library allows.
    ttl: Option<Ttl>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteCheckIn {
    /// The name of the library.
    name: String,
    /// The accounts to give back; the one that the caller has, where it is only one.
    service_account_names: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Lent<'a> {
    password: &'a str,
    service_account_name: &'a str,
}

#[derive(Serialize)]
struct CheckedIn {
    check_ins: Vec<String>,
}

#[derive(Serialize)]
struct Status {
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    borrower_client_token: Option<TokenId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    borrower_entity_id: Option<Arc<str>>,
}

const ID_LENGTH: usize = 20;

impl Ldap {
    pub(crate) async fn check_out(
        self: Arc<Self>,
        call: Call,
        request: WriteCheckOut,
    ) -> Result<Response> {
        let name = canonical(&request.name);
        let library = self.known_library(&name).await?;
        // What cannot be lent needs no lease.
        self.available(&name, &library).await?;
        let Caller { token, entity_id, .. } = call.caller;
        let id = random_base62(&*self.random, ID_LENGTH);
        let leased = Leased { library: name.clone(), id: id.clone() };
        let internal = to_raw_value(&leased).map_err(Error::internal)?;
        let check_out = CheckOut { id, borrower_token: token, borrower_entity: entity_id };
        let act: Act =
            Box::new(move |_| Box::pin(async move { self.lend(&name, check_out).await }));
        let ttl = match request.ttl {
            Some(asked) if library.ttl.is_zero() || asked < library.ttl => asked,
            Some(_) | None => library.ttl,
        };
        Ok(Response {
            lease: Some(LeaseGrant { ttl, act: Some(act), ..grant(&library, internal) }),
            ..Response::none()
        })
    }

    async fn lend(&self, name: &str, check_out: CheckOut) -> Result<Made> {
        let _turn = self.locks.turn(&key(name)).await;
        let library = self.known_library(name).await?;
        let account = self.available(name, &library).await?;
        let check_out = &check_out;
        let lend = |role: &mut LdapRole| {
            if !is_available(role) {
                return Err(none_available());
            }
            role.own.check_out = Some(check_out.clone());
            Ok(())
        };
        let role = self.rotations.update(&place(name, account), lend).await?;
        let password = role.accounts[0].password.as_ref().ok_or_else(none_available)?;
        let data = Lent { password: password.open().expose(), service_account_name: account };
        let data = to_raw_value(&data).map_err(Error::internal)?;
        Ok(Made { data: Some(data), ..Made::default() })
    }

    pub(crate) async fn renew_check_out(
        self: Arc<Self>,
        internal: Box<RawValue>,
        _: Ttl,
    ) -> Result<LeaseGrant> {
        let Leased { library: name, id } = leased(&internal)?;
        let library = self.known_library(&name).await?;
        match self.borrowed(&name, &library, &id).await? {
            Some(_) => Ok(grant(&library, internal)),
            None => Err(Error::invalid(
                "the account is already checked in, please call check-out to regain it",
            )),
        }
    }

    pub(crate) async fn end_check_out(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let Leased { library: name, id } = leased(&internal)?;
        let _turn = self.locks.turn(&key(&name)).await;
        let Some(library) = self.library(&name).await? else { return Ok(()) };
        match self.borrowed(&name, &library, &id).await? {
            Some(account) => self.take_back(&name, account).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn check_in(
        self: Arc<Self>,
        call: Call,
        request: WriteCheckIn,
    ) -> Result<Response> {
        self.check_in_as(&request, Some(&call.caller)).await
    }

    pub(crate) async fn force_check_in(
        self: Arc<Self>,
        _: Call,
        request: WriteCheckIn,
    ) -> Result<Response> {
        self.check_in_as(&request, None).await
    }

    /// For a caller who may only give back what is his own, or for one who may everything.
    async fn check_in_as(
        &self,
        request: &WriteCheckIn,
        caller: Option<&Caller>,
    ) -> Result<Response> {
        let name = canonical(&request.name);
        let _turn = self.locks.turn(&key(&name)).await;
        let library = self.known_library(&name).await?;
        let caller = caller.filter(|_| !library.disable_check_in_enforcement);
        let may = |check_out: &CheckOut| caller.is_none_or(|caller| check_out.is_of(caller));
        let asked = request.service_account_names.as_deref().unwrap_or_default();
        let mut check_ins = Vec::new();
        for account in &library.service_account_names {
            let is_asked = asked.contains(account);
            let Some(check_out) = self.account(&name, account).await?.own.check_out else {
                continue;
            };
            if may(&check_out) && (is_asked || asked.is_empty()) {
                check_ins.push(account.clone());
            } else if is_asked {
                return Err(Error::invalid(format!(
                    "{account:?} can't be checked in because it wasn't checked out by the caller"
                )));
            }
        }
        let is_ours = |account: &&String| library.service_account_names.contains(account);
        if let Some(stranger) = asked.iter().find(|account| !is_ours(account)) {
            return Err(Error::invalid(format!("{stranger:?} is not in the library {name:?}")));
        }
        if asked.is_empty() && check_ins.len() > 1 {
            return Err(Error::invalid(
                "when multiple service accounts are checked out, the 'service_account_names' to \
                 check in must be provided",
            ));
        }
        for account in &check_ins {
            self.take_back(&name, account).await?;
        }
        Response::data(&CheckedIn { check_ins })
    }

    pub(crate) async fn status(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let name = named.canonical();
        let library = self.known_library(&name).await?;
        let mut all = BTreeMap::new();
        for account in library.service_account_names {
            let role = self.account(&name, &account).await?;
            let available = is_available(&role);
            let (token, entity) = match role.own.check_out {
                Some(lent) => (lent.borrower_token, lent.borrower_entity),
                None => (None, None),
            };
            let status =
                Status { available, borrower_client_token: token, borrower_entity_id: entity };
            all.insert(account, status);
        }
        Response::data(&all)
    }

    /// Changes the password of an account, and only then is it free again; for whoever has the turn
    /// of the library. To begin again does no harm.
    async fn take_back(&self, name: &str, account: &str) -> Result<()> {
        let place = place(name, account);
        let _turn = self.rotations.turn(&place).await;
        rotate(self, &place, Purpose::Rotate).await?;
        let free = |role: &mut LdapRole| {
            role.own.check_out = None;
            Ok(())
        };
        self.rotations.update(&place, free).await.map(drop)
    }

    /// The first account that can be lent.
    async fn available<'l>(&self, name: &str, library: &'l Library) -> Result<&'l str> {
        for account in &library.service_account_names {
            if is_available(&self.account(name, account).await?) {
                return Ok(account);
            }
        }
        Err(none_available())
    }

    /// The account that this lease has.
    async fn borrowed<'l>(
        &self,
        name: &str,
        library: &'l Library,
        id: &str,
    ) -> Result<Option<&'l str>> {
        for account in &library.service_account_names {
            let check_out = self.account(name, account).await?.own.check_out;
            if check_out.is_some_and(|check_out| check_out.id == id) {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    async fn account(&self, name: &str, account: &str) -> Result<LdapRole> {
        self.rotations.known(&place(name, account)).await
    }

    async fn known_library(&self, name: &str) -> Result<Library> {
        let library = self.library(name).await?;
        library.ok_or_else(|| Error::invalid(format!("{name:?} doesn't exist")))
    }
}

impl CheckOut {
    fn is_of(&self, caller: &Caller) -> bool {
        fn same<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
            one.is_some() && one == other
        }
        same(&self.borrower_entity, &caller.entity_id) || same(&self.borrower_token, &caller.token)
    }
}

/// Nobody has it, and nobody who had it knows its password.
fn is_available(role: &LdapRole) -> bool {
    let is_known = role.change.is_none() && role.accounts[0].password.is_some();
    is_known && role.own.check_out.is_none()
}

fn none_available() -> Error {
    Error::invalid("No service accounts available for check-out.")
}

fn grant(library: &Library, internal: Box<RawValue>) -> LeaseGrant {
    LeaseGrant {
        kind: LEASE,
        ttl: library.ttl,
        max_ttl: library.max_ttl,
        renewable: true,
        internal,
        target: TARGET.to_owned(),
        ..LeaseGrant::default()
    }
}

fn leased(internal: &RawValue) -> Result<Leased> {
    serde_json::from_str(internal.get())
        .map_err(|_| Error::corrupt("what was kept with the lease of a borrower"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_form_kept_with_a_lease_is_fixed() {
        let golden = r#"{"library":"l","id":"i"}"#;
        let leased: Leased = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&leased).unwrap(), golden);
    }

    #[test]
    fn an_account_is_given_back_by_its_borrower_alone() {
        let check_out = CheckOut {
            id: String::new(),
            borrower_token: Some(TokenId("t".into())),
            borrower_entity: Some("e".into()),
        };
        let caller = |token: Option<&str>, entity: Option<&str>| Caller {
            token: token.map(|token| TokenId(token.into())),
            entity_id: entity.map(Arc::from),
            ..Caller::default()
        };
        assert!(check_out.is_of(&caller(Some("t"), None)));
        assert!(check_out.is_of(&caller(Some("other"), Some("e"))));
        assert!(!check_out.is_of(&caller(Some("other"), Some("other"))));
        let nobody = CheckOut { borrower_token: None, borrower_entity: None, ..check_out };
        assert!(!nobody.is_of(&caller(None, None)));
    }
}
