use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result};
use core_barrier::{Sealed, Tx};
use core_engine_api::{Call, Listing, Response};
use core_rotation::{Status, certain, check_account, rotate_first, rotate_on_demand};
use serde::Serialize;
use serde_json::Value;

use crate::Database;
use crate::names::{self, Named};
use crate::role;
use crate::statements::Statements;
use crate::static_role::{DatabaseRole, StaticRole};
use crate::static_role_request::WriteStaticRole;

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    credential_config: BTreeMap<&'static str, Value>,
    credential_type: &'static str,
    db_name: &'a str,
    rotation_statements: &'a Statements,
    #[serde(flatten)]
    status: Status<'a>,
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
        let role = self.rotations.role::<DatabaseRole>(&named.name).await?;
        Response::data(&answer(&role.ok_or_else(|| Error::not_found(""))?))
    }

    pub(crate) async fn static_role_exists(self: Arc<Self>, named: Named) -> Result<bool> {
        Ok(self.rotations.role::<DatabaseRole>(&named.name).await?.is_some())
    }

    pub(crate) async fn write_static_role(
        self: Arc<Self>,
        _: Call,
        request: WriteStaticRole,
    ) -> Result<Response> {
        names::check(&request.name)?;
        let _turn = self.rotations.turn(&request.name).await;
        match self.rotations.role::<DatabaseRole>(&request.name).await? {
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
            check_account(self, &role, 0, password).await?;
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
            let (_, driver) = self.driver(&role.own.db_name).await?;
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
        rotate_first(self, name).await.map_err(|error| error.at(UNSET))
    }

    /// What must hold of every role, be it new or changed.
    async fn check_static_role(&self, name: &str, role: &StaticRole) -> Result<()> {
        let connection = self.connection(&role.own.db_name).await?;
        connection.check_role(name)?;
        role.own.credential.password_policy()?;
        let root = connection.details()?.username;
        if role.accounts.iter().any(|account| account.username == root) {
            let text = "this is the administrator of the connection: use rotate-root";
            return Err(Error::invalid(text));
        }
        Ok(())
    }

    async fn change_static_role(&self, request: &WriteStaticRole, old: StaticRole) -> Result<()> {
        let mut role = old.clone();
        request.apply(&mut role, self.clock.now())?;
        self.check_static_role(&request.name, &role).await?;
        if role.own.db_name != old.own.db_name {
            let account = &role.accounts[role.current];
            let password = account.password.as_ref().map(Sealed::open);
            let password =
                password.ok_or_else(|| Error::invalid("the role has no password yet"))?;
            check_account(self, &role, role.current, password).await?;
        }
        self.rotations.replace(&request.name, &old, &role).await
    }

    pub(crate) async fn delete_static_role(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let _turn = self.rotations.turn(&named.name).await;
        self.rotations.remove::<DatabaseRole>(&named.name).await?;
        Ok(Response::none())
    }

    pub(crate) async fn rotate_role(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let response = rotate_on_demand(&*self, &named.name).await?;
        response.ok_or_else(|| Error::invalid("no static role found for role name"))
    }

    pub(crate) async fn read_static_creds(
        self: Arc<Self>,
        _: Call,
        named: Named,
    ) -> Result<Response> {
        let name = &named.name;
        let role = certain(&*self, name).await?;
        let role = role.ok_or_else(|| Error::invalid(format!("unknown role: {name}")))?;
        self.connection(&role.own.db_name).await?.check_role(name)?;
        let given = role.given(self.clock.now()).ok_or_else(|| {
            Error::unavailable("the first rotation of this role has not succeeded yet")
        })?;
        Response::data(&given)
    }
}

/// Where the first rotation of a role fails.
const UNSET: &str = "error setting credentials";

fn answer(role: &StaticRole) -> Answer<'_> {
    let DatabaseRole { db_name, rotation_statements, credential } = &role.own;
    Answer {
        credential_config: credential.config(),
        credential_type: credential.kind(),
        db_name,
        rotation_statements,
        status: role.status(),
    }
}
