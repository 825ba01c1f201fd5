use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, ErrorKind, Result, Secret, Timestamp, Ttl};
use core_barrier::{Sealed, Tx};
use core_engine_api::{Call, Listing, Response};
use serde::Serialize;
use serde_json::Value;

use crate::Database;
use crate::driver::Login;
use crate::names::{self, Named};
use crate::role;
use crate::schedule::Schedule;
use crate::statements::Statements;
use crate::static_role::{Failure, Purpose, StaticRole, key};
use crate::static_role_request::WriteStaticRole;

/// What is shown of when passwords change.
#[derive(Default, Serialize)]
struct Times<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_schedule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_window: Option<Ttl>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    credential_config: BTreeMap<&'static str, Value>,
    credential_type: &'static str,
    db_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_period: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_vault_rotation: Option<Timestamp>,
    next_vault_rotation: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_failure: Option<&'a Failure>,
    #[serde(flatten)]
    times: Times<'a>,
    rotation_statements: &'a Statements,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usernames: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
struct Creds<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_vault_rotation: Option<Timestamp>,
    password: &'a str,
    /// With two users: when the other one's password ends, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_retires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_username: Option<&'a str>,
    #[serde(flatten)]
    times: Times<'a>,
    ttl: Ttl,
    username: &'a str,
}

impl Database {
    pub(crate) async fn list_static_roles(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        listing.of(&self.storage, "static-role/").await
    }

    pub(crate) async fn read_static_role(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let role = self.static_role(&named.name).await?;
        Response::data(&role.ok_or_else(|| Error::not_found(""))?.answer())
    }

    pub(crate) async fn static_role_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.static_role(&named.name).await?.is_some())
    }

    pub(crate) async fn write_static_role(
        self: Arc<Self>,
        _: Call,
        request: WriteStaticRole,
    ) -> Result<Response> {
        names::check(&request.name)?;
        let _turn = self.locks.turn(&key(&request.name)).await;
        match self.static_role(&request.name).await? {
            Some(role) => self.change_static_role(&request, role).await?,
            None => self.create_static_role(&request).await?,
        }
        Ok(Response::none())
    }

    async fn create_static_role(&self, request: &WriteStaticRole) -> Result<()> {
        let name = &request.name;
        let mut role = request.new_role(self.clock.now())?;
        self.check_static_role(name, &role).await?;
        if let Some(password) = request.password.as_ref().filter(|text| !text.expose().is_empty()) {
            self.check_account(&role, 0, password).await?;
            role.accounts[0].password = Some(Sealed::from(password.clone()));
            role.current = 0;
        }
        let imported = role.accounts[0].password.is_some();
        let keeps = imported && request.skip_import_rotation.unwrap_or(false);
        if keeps {
            role.next_rotation = role.schedule.next_after(self.clock.now())?;
            role.retirement = role.is_dual().then(|| self.clock.now());
        } else {
            // One that is not there is found out before anything is stored.
            let (_, driver) = self.driver(&role.db_name).await?;
            driver.verify().await.map_err(|error| error.at(UNSET))?;
        }
        let new = &role;
        let create = |tx: Tx| async move {
            if tx.get::<role::Role>(&role::key(name)).await?.is_some() {
                return Err(Error::invalid("Role and Static Role names must be unique"));
            }
            new.claim(&tx, name).await?;
            new.put(&tx, name, None)
        };
        self.storage.transact(create).await?;
        if keeps {
            return Ok(());
        }
        let Err(error) = self.attempt(name, Purpose::Rotate).await else { return Ok(()) };
        let stored = self.static_role(name).await?;
        let is_begun = stored.is_some_and(|role| role.change.is_some());
        if is_begun && error.is(ErrorKind::Unavailable) {
            // The database may have taken the password, which nobody else knows.
            self.put_off(name, &error).await?;
            return Err(error.at("the role is kept and its first rotation goes on").at(UNSET));
        }
        self.remove_static_role(name).await?;
        Err(error.at(UNSET))
    }

    /// What must hold of every role, be it new or changed.
    async fn check_static_role(&self, name: &str, role: &StaticRole) -> Result<()> {
        let connection = self.connection(&role.db_name).await?;
        connection.check_role(name)?;
        role.credential.password_policy()?;
        let root = connection.details()?.username;
        if role.accounts.iter().any(|account| account.username == root) {
            let text = "this is the administrator of the connection: use rotate-root";
            return Err(Error::invalid(text));
        }
        Ok(())
    }

    async fn change_static_role(&self, request: &WriteStaticRole, old: StaticRole) -> Result<()> {
        let mut role = old.clone();
        request.apply(&mut role)?;
        self.check_static_role(&request.name, &role).await?;
        if role.db_name != old.db_name {
            let account = &role.accounts[role.current];
            let password = account.password.as_ref().map(Sealed::open);
            let password =
                password.ok_or_else(|| Error::invalid("the role has no password yet"))?;
            self.check_account(&role, role.current, password).await?;
        }
        let (name, old, new) = (&request.name, &old, &role);
        let change = |tx: Tx| async move {
            let stored = StaticRole::get(&tx, name).await?;
            old.release(&tx);
            new.claim(&tx, name).await?;
            new.put(&tx, name, stored.as_ref())
        };
        self.storage.transact(change).await
    }

    /// # Errors
    /// `Invalid` if the database does not take this password of an account.
    async fn check_account(
        &self,
        role: &StaticRole,
        account: usize,
        password: &Secret<String>,
    ) -> Result<()> {
        let (_, driver) = self.driver(&role.db_name).await?;
        let username = &role.accounts[account].username;
        match driver.check_login(username, password).await? {
            Login::Accepted => Ok(()),
            Login::Refused => {
                Err(Error::invalid(format!("the database refuses the password of {username:?}")))
            }
        }
    }

    pub(crate) async fn delete_static_role(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let _turn = self.locks.turn(&key(&named.name)).await;
        self.remove_static_role(&named.name).await?;
        Ok(Response::none())
    }

    async fn remove_static_role(&self, name: &str) -> Result<()> {
        let remove = |tx: Tx| async move {
            if let Some(role) = StaticRole::get(&tx, name).await? {
                role.delete(&tx, name);
            }
            Ok(())
        };
        self.storage.transact(remove).await
    }

    pub(crate) async fn rotate_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let name = &named.name;
        let _turn = self.locks.turn(&key(name)).await;
        let role = self.static_role(name).await?;
        let role = role.ok_or_else(|| Error::invalid("no static role found for role name"))?;
        let cuts_short = role.is_dual() && role.accounts[role.next_account()].password.is_some();
        self.change_password(name, Purpose::Rotate).await?;
        let response = Response::none();
        Ok(if cuts_short {
            response.warn(
                "the user that was given out before has lost its password within its grace period",
            )
        } else {
            response
        })
    }

    pub(crate) async fn read_static_creds(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let name = &named.name;
        let role = self.static_role(name).await?;
        let mut role = role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
        self.connection(&role.db_name).await?.check_role(name)?;
        if role.is_uncertain() {
            let _turn = self.locks.turn(&key(name)).await;
            role = self.settle(name).await?;
        }
        role.creds(self.clock.now())
    }
}

/// Where the first rotation of a role fails.
const UNSET: &str = "error setting credentials";

impl StaticRole {
    fn times(&self) -> Times<'_> {
        match &self.schedule {
            Schedule::Period(period) => {
                Times { rotation_period: Some(*period), ..Times::default() }
            }
            Schedule::Times { cron, window } => Times {
                rotation_schedule: Some(cron),
                rotation_window: Some(*window).filter(|window| !window.is_zero()),
                ..Times::default()
            },
        }
    }

    fn answer(&self) -> Answer<'_> {
        let names = self.accounts.iter().map(|account| account.username.as_str());
        Answer {
            credential_config: self.credential.config(),
            credential_type: self.credential.kind(),
            db_name: &self.db_name,
            grace_period: self.is_dual().then_some(self.grace_period),
            last_vault_rotation: self.last_rotation,
            next_vault_rotation: self.next_rotation,
            rotation_failure: self.failure.as_ref(),
            times: self.times(),
            rotation_statements: &self.rotation_statements,
            username: names.clone().next().filter(|_| !self.is_dual()),
            usernames: self.is_dual().then(|| names.collect()),
        }
    }

    fn creds(&self, now: Timestamp) -> Result<Response> {
        let account = &self.accounts[self.current];
        let password = account.password.as_ref().ok_or_else(|| {
            Error::unavailable("the first rotation of this role has not succeeded yet")
        })?;
        let previous = &self.accounts[self.next_account()];
        let has_previous = self.is_dual() && previous.password.is_some();
        Response::data(&Creds {
            last_vault_rotation: self.last_rotation,
            password: password.open().expose(),
            previous_retires: self.retirement.filter(|_| has_previous),
            previous_username: has_previous.then_some(previous.username.as_str()),
            times: self.times(),
            ttl: now.until(self.next_rotation),
            username: &account.username,
        })
    }
}
