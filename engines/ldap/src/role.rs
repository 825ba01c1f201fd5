use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_template::{Source, Template};
use base_types::{Error, Result, Timestamp, Ttl};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Listing, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::ldif::{Action, FIELDS, Ldif, PASSWORD};
use crate::names::{self, Named, plain};

/// How entries are made, as it is stored; nothing of it is secret, so that it is also what is shown.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Role {
    pub(crate) creation_ldif: String,
    pub(crate) deletion_ldif: String,
    pub(crate) rollback_ldif: String,
    /// Empty for [`USERNAME_TEMPLATE`].
    pub(crate) username_template: String,
    pub(crate) default_ttl: Ttl,
    pub(crate) max_ttl: Ttl,
}

impl Record for Role {
    const KIND: &'static str = "LDAP role";
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteRole {
    /// The name of the role.
    name: String,
    /// What makes an entry: LDIF with `{{.Username}}`, `{{.Password}}` and the like, or that in base64.
    creation_ldif: Option<String>,
    /// What removes an entry: LDIF with `{{.Username}}` and the like; there is no password here.
    deletion_ldif: Option<String>,
    /// What is done when making an entry fails half way.
    rollback_ldif: Option<String>,
    /// How entries are named, from `.DisplayName` and `.RoleName`; it needs something random.
    username_template: Option<String>,
    /// How long entries live; the mount's default if zero.
    default_ttl: Option<Ttl>,
    /// How long entries may live with renewals; the mount's maximum if zero.
    max_ttl: Option<Ttl>,
}

#[derive(Serialize)]
struct Answer<'a> {
    creation_ldif: &'a str,
    default_ttl: Ttl,
    deletion_ldif: &'a str,
    max_ttl: Ttl,
    rollback_ldif: &'a str,
    username_template: &'a str,
}

const USERNAME_TEMPLATE: &str = "v_{{.DisplayName}}_{{.RoleName}}_{{random 10}}_{{unix_time}}";
const USERNAME_MAX: usize = 256;

impl Ldap {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.storage, "role/").await
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let role = self.role(&named.canonical()).await?.ok_or_else(|| Error::not_found(""))?;
        Response::data(&Answer {
            creation_ldif: &role.creation_ldif,
            default_ttl: role.default_ttl,
            deletion_ldif: &role.deletion_ldif,
            max_ttl: role.max_ttl,
            rollback_ldif: &role.rollback_ldif,
            username_template: &role.username_template,
        })
    }

    pub(crate) async fn role_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.role(&named.canonical()).await?.is_some())
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        request: WriteRole,
    ) -> Result<Response> {
        let (place, request) = (key(&names::new(&request.name)?), &request);
        let place = &place;
        let write = |tx: Tx| async move {
            let stored: Option<Role> = tx.get(place).await?;
            let mut role = stored.unwrap_or_default();
            role.apply(request)?;
            tx.put(place, &role)
        };
        self.storage.transact(write).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        self.storage.delete(&key(&named.canonical())).await?;
        Ok(Response::none())
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>> {
        self.storage.get(&key(name)).await
    }
}

fn key(name: &str) -> String {
    format!("role/{name}")
}

impl Role {
    fn apply(&mut self, request: &WriteRole) -> Result<()> {
        let ldif = |field: &mut String, given: &Option<String>| {
            if let Some(given) = given {
                *field = decoded(given).unwrap_or_else(|| given.clone());
            }
        };
        ldif(&mut self.creation_ldif, &request.creation_ldif);
        ldif(&mut self.deletion_ldif, &request.deletion_ldif);
        ldif(&mut self.rollback_ldif, &request.rollback_ldif);
        if let Some(template) = &request.username_template {
            self.username_template.clone_from(template);
        }
        self.default_ttl = request.default_ttl.unwrap_or(self.default_ttl);
        self.max_ttl = request.max_ttl.unwrap_or(self.max_ttl);
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.creation_ldif.is_empty() {
            return Err(Error::invalid("missing creation_ldif"));
        }
        if self.deletion_ldif.is_empty() {
            return Err(Error::invalid("missing deletion_ldif"));
        }
        self.check_creation().map_err(|error| error.at("invalid creation_ldif"))?;
        let deletion = self.deletion().and_then(|ldif| ldif.example("a"));
        deletion.map_err(|error| error.at("invalid deletion_ldif"))?;
        if let Some(rollback) = self.rollback()? {
            rollback.example("a").map_err(|error| error.at("invalid rollback_ldif"))?;
        }
        let (random, now) = (SeededRandom::new(1), Timestamp::EPOCH);
        self.username("display", "role", &random, now).map(drop)
    }

    /// What is made must be called after its user: two leases would share one entry, or the end of a
    /// lease would remove one that was there before.
    fn check_creation(&self) -> Result<()> {
        let ldif = self.creation()?;
        let (one, other) = (ldif.example("a")?, ldif.example("b")?);
        for (one, other) in one.iter().zip(&other) {
            if matches!(one.action, Action::Add(_)) && one.dn == other.dn {
                return Err(Error::invalid(format!(
                    "it gives every entry the name {:?}: keep {{{{.Username}}}} in it",
                    one.dn
                )));
            }
        }
        Ok(())
    }

    pub(crate) fn creation(&self) -> Result<Ldif> {
        Ldif::parse(&self.creation_ldif, &FIELDS)
    }

    pub(crate) fn rollback(&self) -> Result<Option<Ldif>> {
        let text = Some(self.rollback_ldif.as_str()).filter(|text| !text.is_empty());
        let ldif = text.map(|text| Ldif::parse(text, &FIELDS)).transpose();
        ldif.map_err(|error| error.at("invalid rollback_ldif"))
    }

    fn deletion(&self) -> Result<Ldif> {
        parse_deletion(&self.deletion_ldif)
    }

    /// The name for a new entry.
    pub(crate) fn username(
        &self,
        display_name: &str,
        role_name: &str,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<String> {
        let text = match self.username_template.as_str() {
            "" => USERNAME_TEMPLATE,
            text => text,
        };
        let place = "failed to generate username";
        let name = || {
            let template = Template::parse(text, &["DisplayName", "RoleName"])?;
            let fields = &[("DisplayName", &*plain(display_name)), ("RoleName", role_name)];
            template.render_unique(&Source { fields, random, now })
        };
        let name = name().map_err(|error| error.at(place))?;
        if name.len() > USERNAME_MAX || name.chars().any(char::is_control) {
            let text = "username_template makes a name that no directory takes";
            return Err(Error::invalid(text).at(place));
        }
        Ok(name)
    }
}

/// The password is forgotten by the time that an entry is removed.
pub(crate) fn parse_deletion(text: &str) -> Result<Ldif> {
    let fields: Vec<&str> = FIELDS.into_iter().filter(|field| *field != PASSWORD).collect();
    Ldif::parse(text, &fields)
}

/// No LDIF is base64 itself: it has a colon.
fn decoded(given: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(given.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"creation_ldif":"c","deletion_ldif":"d","rollback_ldif":"r","username_template":"u","default_ttl":60,"max_ttl":120}"#;
        let role: Role = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
    }
}
