use std::sync::Arc;

use base_types::{Error, Result, Timestamp, Ttl};
use core_barrier::{Sealed, Tx};
use core_engine_api::{Call, Listing, Response};
use core_rotation::{Failure, Purpose, Schedule, Times, rotate, rotate_first, settle};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Ldap;
use crate::names::{self, Named};
use crate::rotation::{LdapAccount, LdapRole};

/// A request that makes or changes a role of an account that stays.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct WriteStaticRole {
    /// The name of the role.
    name: String,
    /// The name by which the account logs in, and by which its entry is found where no `dn` is given.
    username: Option<String>,
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
    dn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_vault_rotation: Option<Timestamp>,
    next_vault_rotation: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_failure: Option<&'a Failure>,
    #[serde(flatten)]
    times: Times<'a>,
    username: &'a str,
}

#[derive(Serialize)]
struct Credential<'a> {
    dn: &'a str,
    last_password: &'a str,
    last_vault_rotation: Option<Timestamp>,
    password: &'a str,
    #[serde(flatten)]
    times: Times<'a>,
    ttl: Ttl,
    username: &'a str,
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
        Response::data(&Answer {
            dn: &role.own.dn,
            last_vault_rotation: role.last_rotation,
            next_vault_rotation: role.next_rotation,
            rotation_failure: role.failure.as_ref(),
            times: role.schedule.times(),
            username: &role.accounts[0].username,
        })
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
        let schedule = request.schedule()?;
        let WriteStaticRole { username, dn, skip_import_rotation, .. } = request;
        let username = username.ok_or_else(|| {
            Error::invalid("username is a required field to manage a static account")
        })?;
        if username.is_empty() {
            return Err(Error::invalid("username must not be empty"));
        }
        let schedule = schedule.ok_or_else(|| {
            Error::invalid("rotation_period is required to create static accounts")
        })?;
        let config = self.config().await?;
        let skips = skip_import_rotation.unwrap_or(config.skip_static_role_import_rotation);
        let own = LdapAccount { dn: dn.unwrap_or_default(), check_out: None };
        let now = self.clock.now();
        let mut role = LdapRole::new(own, vec![username], schedule, now);
        if skips {
            role.next_rotation = role.schedule.next_after(now)?;
        } else {
            self.check_entry(&role).await?;
        }
        let new = &role;
        let create = |tx: Tx| async move {
            new.claim(&tx, place).await?;
            new.put(&tx, place, None)
        };
        self.storage.transact(create).await?;
        if skips { Ok(()) } else { rotate_first(self, place).await }
    }

    async fn change_static_role(
        &self,
        place: &str,
        request: &WriteStaticRole,
        old: &LdapRole,
    ) -> Result<()> {
        let refuse = |text: &'static str| Err(Error::invalid(text));
        if request.username.as_ref().is_some_and(|name| *name != old.accounts[0].username) {
            return refuse("cannot update static account username");
        }
        if request.dn.as_ref().is_some_and(|dn| !dn.is_empty() && *dn != old.own.dn) {
            return refuse("cannot update static account distinguished name (dn)");
        }
        if request.skip_import_rotation.is_some() {
            return refuse("skip_import_rotation has no effect on updates");
        }
        let schedule = request.schedule()?;
        let (schedule, now) = (schedule.as_ref(), self.clock.now());
        let change = |role: &mut LdapRole| {
            if let Some(dn) = &request.dn {
                role.own.dn.clone_from(dn);
            }
            if let Some(schedule) = schedule.filter(|schedule| **schedule != role.schedule) {
                role.schedule = schedule.clone();
                role.next_rotation = schedule.next_after(role.last_rotation.unwrap_or(now))?;
            }
            Ok(())
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
        let place = place(&named.canonical());
        let _turn = self.rotations.turn(&place).await;
        if self.rotations.role::<LdapAccount>(&place).await?.is_none() {
            return Err(Error::invalid(format!("role doesn't exist: {}", named.name)));
        }
        rotate(&*self, &place, Purpose::Rotate).await?;
        Ok(Response::none())
    }

    pub(crate) async fn read_static_cred(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let place = place(&named.canonical());
        let role = self.rotations.role::<LdapAccount>(&place).await?;
        let mut role =
            role.ok_or_else(|| Error::invalid(format!("unknown role: {}", named.canonical())))?;
        if role.is_uncertain() {
            let _turn = self.rotations.turn(&place).await;
            role = settle(&*self, &place).await?;
        }
        let account = &role.accounts[0];
        let password = account.password.as_ref().ok_or_else(|| {
            Error::invalid("the password of this account is not known before its first rotation")
        })?;
        let previous = account.previous.as_ref().map(Sealed::open);
        Response::data(&Credential {
            dn: &role.own.dn,
            last_password: previous.map_or("", |password| password.expose()),
            last_vault_rotation: role.last_rotation,
            password: password.open().expose(),
            times: role.schedule.times(),
            ttl: self.clock.now().until(role.next_rotation),
            username: &account.username,
        })
    }
}

/// Where static roles are among the accounts.
const FOLDER: &str = "role/";

fn place(name: &str) -> String {
    format!("{FOLDER}{name}")
}

impl WriteStaticRole {
    fn schedule(&self) -> Result<Option<Schedule>> {
        let cron = self.rotation_schedule.as_deref();
        Schedule::requested(self.rotation_period, cron, self.rotation_window)
    }
}
