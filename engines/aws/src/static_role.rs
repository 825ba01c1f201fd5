use std::sync::Arc;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_barrier::Sealed;
use core_engine_api::{Call, Listing, Response};
use core_rotation::{Login, Rotating, Status, Wanted, rotate_first};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::access_key::AccessKey;
use crate::fault::Fault;
use crate::names::check_role_name;
use crate::roles::RoleName;
use crate::static_key::{IamUser, StaticRole};

/// A request that makes or changes a role of a user that stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteStaticRole {
    /// The name of the role.
    name: String,
    /// The user of IAM. All of its keys but the one that is given out are deleted.
    username: Option<String>,
    /// How long a key lives; at least a minute.
    rotation_period: Option<Ttl>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(flatten)]
    status: Status<'a>,
}

#[derive(Serialize)]
struct Creds<'a> {
    access_key: &'a str,
    /// When the next key takes its place.
    expiration: Timestamp,
    secret_key: &'a str,
}

const PERIOD_MIN: Ttl = Ttl::from_seconds(60);

impl Aws {
    pub(crate) async fn list_static_roles(
        self: Arc<Self>,
        _: Call,
        listing: Listing,
    ) -> Result<Response> {
        listing.of(&self.storage, &core_rotation::key("")).await
    }

    pub(crate) async fn read_static_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let role = self.rotations.role(&request.name).await?;
        answer(&request.name, &role.ok_or_else(|| Error::not_found(""))?)
    }

    pub(crate) async fn write_static_role(
        self: Arc<Self>,
        _: Call,
        request: WriteStaticRole,
    ) -> Result<Response> {
        let name = &request.name;
        check_role_name(name)?;
        let _turn = self.rotations.turn(name).await;
        match self.rotations.role(name).await? {
            Some(role) => self.change_static_role(&request, &role).await?,
            None => self.create_static_role(&request).await?,
        }
        answer(name, &self.rotations.known(name).await?)
    }

    async fn create_static_role(&self, request: &WriteStaticRole) -> Result<()> {
        let missing = |name: &str| Error::invalid(format!("missing {name:?} parameter"));
        let WriteStaticRole { name, username, rotation_period } = request;
        let username = username.as_ref().filter(|username| !username.is_empty());
        let username = username.ok_or_else(|| missing("username"))?;
        let user_id = self.client(&self.config().await?)?.known_user(username).await?;
        rotation_period.ok_or_else(|| missing("rotation_period"))?;
        let accounts = vec![username.clone()];
        let role = request.wanted()?.role(IamUser { user_id }, accounts, self.clock.now())?;
        self.rotations.create(name, &role).await?;
        let place = || format!("failed to create new credentials for role {name:?}");
        rotate_first(self, name).await.map_err(|error| error.at(place()))
    }

    async fn change_static_role(&self, request: &WriteStaticRole, old: &StaticRole) -> Result<()> {
        let mut role = old.clone();
        if let Some(username) = &request.username {
            // Another name may be that of the same user, who was renamed: the ID tells.
            let client = self.client(&self.config().await?)?;
            client.check_user(username, &role.own.user_id).await?;
            role.accounts[0].username.clone_from(username);
        }
        request.wanted()?.apply(&mut role, self.clock.now())?;
        self.rotations.replace(&request.name, old, &role).await
    }

    /// The key that was given out ends with its role.
    pub(crate) async fn delete_static_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let name = &request.name;
        let _turn = self.rotations.turn(name).await;
        let Some(role) = self.rotations.role::<IamUser>(name).await? else {
            return Ok(Response::none());
        };
        let client = self.client(&self.config().await?)?;
        let account = &role.accounts[0];
        let next = role.change.as_ref().map(|change| &change.password);
        for key in account.password.iter().chain(next) {
            let key = AccessKey::from_text(key.open())?;
            let deleted = client.delete_access_key(&account.username, &key.id).await;
            deleted.map_err(|fault| {
                let place = format!("failed to clean credentials while deleting role {name:?}");
                Fault::into_invalid(fault).at(place)
            })?;
        }
        self.rotations.remove::<IamUser>(name).await?;
        Ok(Response::none())
    }

    pub(crate) async fn read_static_creds(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        let name = &request.name;
        let mut role = self.rotations.role(name).await?.ok_or_else(|| Error::not_found(""))?;
        let key = if role.is_uncertain() {
            let _turn = self.rotations.turn(name).await;
            role = self.rotations.known(name).await?;
            self.working_key(&role).await?
        } else {
            role.accounts[0].password.as_ref().map(Sealed::open)
        };
        let key = key.ok_or_else(|| {
            Error::unavailable("the first rotation of this role has not succeeded yet")
        })?;
        let AccessKey { id, secret } = AccessKey::from_text(key)?;
        let expiration = role.next_rotation;
        Response::data(&Creds { access_key: &id, expiration, secret_key: secret.expose() })
    }

    /// The key that AWS accepts, where a change was cut short: the next one or, until that is known,
    /// the one before. The change goes on by itself, since there are keys to be deleted yet.
    async fn working_key<'r>(&self, role: &'r StaticRole) -> Result<Option<&'r Secret<String>>> {
        let account = &role.accounts[0];
        let next = role.change.as_ref().map(|change| &change.password);
        let mut fault = None;
        for key in next.into_iter().chain(&account.password).map(Sealed::open) {
            match self.check(role, account, key).await {
                Ok(Login::Accepted) => return Ok(Some(key)),
                Ok(Login::Refused) => {}
                Err(error) => fault = Some(error),
            }
        }
        fault.map_or(Ok(None), Err)
    }
}

impl WriteStaticRole {
    /// # Errors
    /// `Invalid` if keys are to change faster than AWS can follow.
    fn wanted(&self) -> Result<Wanted<'_>> {
        if self.rotation_period.is_some_and(|period| period < PERIOD_MIN) {
            let text = "role rotation period out of range: must be greater than 60.00 seconds";
            return Err(Error::invalid(text));
        }
        Ok(Wanted {
            username: self.username.as_deref(),
            rotation_period: self.rotation_period,
            ..Wanted::default()
        })
    }
}

fn answer(name: &str, role: &StaticRole) -> Result<Response> {
    Response::data(&Answer { id: &role.own.user_id, name, status: role.status() })
}
