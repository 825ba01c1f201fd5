use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Sealed;
use core_engine_api::{Call, Listing, Response};
use core_rotation::{Given, Status, Wanted, certain, rotate_first, rotate_on_demand};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::names::{self, Named};
use crate::rotation::{LdapAccount, LdapRole};

/// A request that makes or changes a role of an account that stays, or of two that take turns.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteStaticRole {
    /// The name of the role.
    name: String,
    /// The name by which the account logs in, and by which its entry is found where no `dn` is given.
    username: Option<String>,
    /// Two accounts that take turns, in place of `username`; their entries are found by these names.
    usernames: Option<Vec<String>>,
    /// With two accounts: how long the one that was given out before keeps its password.
    grace_period: Option<Ttl>,
    /// The name of the entry.
    dn: Option<String>,
    /// How long a password lives; at least 5 seconds.
    rotation_period: Option<Ttl>,
    /// When passwords change, in place of a period: a cron expression of five fields, in UTC.
    rotation_schedule: Option<String>,
    /// With a schedule: for how long after its time a rotation may begin; at least an hour.
    rotation_window: Option<Ttl>,
    /// Leaves the account with the password that it has until its first rotation is due.
    skip_import_rotation: Option<bool>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    dn: Option<&'a str>,
    #[serde(flatten)]
    status: Status<'a>,
}

#[derive(Serialize)]
struct Credential<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    dn: Option<&'a str>,
    last_password: &'a str,
    #[serde(flatten)]
    given: Given<'a>,
}

impl Ldap {
    pub(crate) async fn list_static_roles(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        listing.of(&self.storage, &core_rotation::key(FOLDER)).await
    }

    pub(crate) async fn read_static_role(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let role: Option<LdapRole> = self.rotations.role(&place(&named.canonical())).await?;
        let role = role.ok_or_else(|| Error::not_found(""))?;
        Response::data(&Answer { dn: dn(&role), status: role.status() })
    }

    pub(crate) async fn static_role_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        let role: Option<LdapRole> = self.rotations.role(&place(&named.canonical())).await?;
        Ok(role.is_some())
    }

    pub(crate) async fn write_static_role(
        self: Arc<Self>,
        _: Call,
        request: WriteStaticRole,
    ) -> Result<Response> {
        let place = place(&names::new(&request.name)?);
        let _turn = self.rotations.turn(&place).await;
        match self.rotations.role(&place).await? {
            Some(role) => self.change_static_role(&place, &request, &role).await?,
            None => self.create_static_role(&place, request).await?,
        }
        Ok(Response::none())
    }

    async fn create_static_role(&self, place: &str, request: WriteStaticRole) -> Result<()> {
        let wanted = request.wanted();
        wanted.schedule()?;
        let usernames = wanted.accounts()?.ok_or_else(|| {
            Error::invalid("username is a required field to manage a static account")
        })?;
        if usernames.iter().any(String::is_empty) {
            return Err(Error::invalid("username must not be empty"));
        }
        let own = LdapAccount { dn: request.dn.clone().unwrap_or_default(), check_out: None };
        let now = self.clock.now();
        let mut role = wanted.role(own, usernames, now)?;
        check_dn(&role)?;
        let config = self.config().await?;
        let skip = request.skip_import_rotation;
        if skip.unwrap_or(config.skip_static_role_import_rotation) {
            role.next_rotation = role.schedule.next_after(now)?;
            return self.rotations.create(place, &role).await;
        }
        self.check_entry(&role).await?;
        self.rotations.create(place, &role).await?;
        rotate_first(self, place).await
    }

    async fn change_static_role(
        &self,
        place: &str,
        request: &WriteStaticRole,
        old: &LdapRole,
    ) -> Result<()> {
        let refuse = |text: &'static str| Err(Error::invalid(text));
        let (wanted, now) = (&request.wanted(), self.clock.now());
        // What is not to be changed is told first.
        wanted.apply(&mut old.clone(), now)?;
        if request.dn.as_ref().is_some_and(|dn| !dn.is_empty() && *dn != old.own.dn) {
            return refuse("cannot update static account distinguished name (dn)");
        }
        if request.skip_import_rotation.is_some() {
            return refuse("skip_import_rotation has no effect on updates");
        }
        let change = |role: &mut LdapRole| {
            if let Some(dn) = &request.dn {
                role.own.dn.clone_from(dn);
            }
            wanted.apply(role, now)
        };
        self.rotations.update(place, change).await.map(drop)
    }

    pub(crate) async fn delete_static_role(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let place = place(&named.canonical());
        let _turn = self.rotations.turn(&place).await;
        self.rotations.remove::<LdapAccount>(&place).await?;
        Ok(Response::none())
    }

    pub(crate) async fn rotate_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let response = rotate_on_demand(&*self, &place(&named.canonical())).await?;
        response.ok_or_else(|| Error::invalid(format!("role doesn't exist: {}", named.name)))
    }

    pub(crate) async fn read_static_cred(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let role = certain(&*self, &place(&named.canonical())).await?;
        let role =
            role.ok_or_else(|| Error::invalid(format!("unknown role: {}", named.canonical())))?;
        let given = role.given(self.clock.now()).ok_or_else(|| {
            Error::invalid("the password of this account is not known before its first rotation")
        })?;
        let previous = role.accounts[role.current].previous.as_ref().map(Sealed::open);
        let last_password = previous.map_or("", |password| password.expose());
        Response::data(&Credential { dn: dn(&role), last_password, given })
    }
}

/// Where static roles are among the accounts.
const FOLDER: &str = "role/";

fn place(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// Two accounts have two entries, each found by its name.
fn dn(role: &LdapRole) -> Option<&str> {
    (!role.is_dual()).then_some(role.own.dn.as_str())
}

fn check_dn(role: &LdapRole) -> Result<()> {
    if role.is_dual() && !role.own.dn.is_empty() {
        return Err(Error::invalid("dn goes with username: usernames are found by their names"));
    }
    Ok(())
}

impl WriteStaticRole {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            username: self.username.as_deref(),
            usernames: self.usernames.as_deref(),
            grace_period: self.grace_period,
            rotation_period: self.rotation_period,
            rotation_schedule: self.rotation_schedule.as_deref(),
            rotation_window: self.rotation_window,
        }
    }
}
