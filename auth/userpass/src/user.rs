use std::sync::Arc;

use base_types::{Cidr, Error, Name, Result, Ttl};
use core_barrier::{Record, Tx};
use core_engine_api::{Call, Listing, Response, TokenFields, TokenParams, TokenUpdate, deprecated};
use serde::{Deserialize, Serialize};

use crate::Userpass;
use crate::requests::{SetPassword, SetPolicies, Username, WriteUser};

/// A stored user.
#[derive(Deserialize, Serialize)]
pub(crate) struct User {
    /// bcrypt, in its usual text form.
    pub(crate) password_hash: String,
    pub(crate) token: TokenParams,
    shown: Shown,
}

impl Record for User {
    const KIND: &'static str = "user";
}

/// Which values answers repeat under their deprecated names.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
struct Shown {
    bound_cidrs: bool,
    max_ttl: bool,
    policies: bool,
    ttl: bool,
}

#[derive(Serialize)]
struct UserAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bound_cidrs: Option<&'a [Cidr]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ttl: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policies: Option<&'a [String]>,
    #[serde(flatten)]
    token: TokenFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Ttl>,
}

impl Userpass {
    pub(crate) async fn list(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.users, "").await
    }

    pub(crate) async fn read(self: Arc<Self>, _: Call, request: Username) -> Result<Response> {
        let name = Name::parse(&request.username)?;
        match self.users.get::<User>(name.as_str()).await? {
            Some(user) => Response::data(&user.answer()),
            None => Err(Error::not_found("")),
        }
    }

    pub(crate) async fn write(
        self: Arc<Self>,
        _: Call,
        mut request: WriteUser,
    ) -> Result<Response> {
        let name = Name::parse(&request.username)?;
        let password = std::mem::take(&mut request.password);
        let hash = self.hasher.take(&*self.random, password, &request.password_hash).await?;
        let update = &(request.token_update(), request, hash);
        self.change(&name, |user| {
            let (token, request, hash) = update;
            let mut user = match (user, hash) {
                (Some(user), None) => user,
                (Some(user), Some(hash)) => User { password_hash: hash.clone(), ..user },
                (None, Some(hash)) => User::new(hash.clone()),
                (None, None) => return Err(no_password()),
            };
            user.apply(token.clone(), request)?;
            Ok(user)
        })
        .await
    }

    /// Tokens that the user holds stay; they cannot be renewed any more.
    pub(crate) async fn delete(self: Arc<Self>, _: Call, request: Username) -> Result<Response> {
        self.users.delete(Name::parse(&request.username)?.as_str()).await?;
        Ok(Response::none())
    }

    pub(crate) async fn set_password(
        self: Arc<Self>,
        _: Call,
        request: SetPassword,
    ) -> Result<Response> {
        let name = Name::parse(&request.username)?;
        let hash =
            self.hasher.take(&*self.random, request.password, &request.password_hash).await?;
        let hash = &hash.ok_or_else(no_password)?;
        self.change(&name, |user| {
            let user = user.ok_or_else(no_user)?;
            Ok(User { password_hash: hash.clone(), ..user })
        })
        .await
    }

    pub(crate) async fn set_policies(
        self: Arc<Self>,
        _: Call,
        request: SetPolicies,
    ) -> Result<Response> {
        let name = Name::parse(&request.username)?;
        let SetPolicies { token_policies, policies, .. } = &request;
        self.change(&name, |user| {
            let mut user = user.ok_or_else(no_user)?;
            let mut given = token_policies.clone();
            deprecated(&mut given, policies.clone(), &mut user.shown.policies);
            user.token.apply(TokenUpdate { policies: given, ..TokenUpdate::default() })?;
            Ok(user)
        })
        .await
    }

    pub(crate) async fn exists(self: Arc<Self>, request: Username) -> Result<bool> {
        let name = Name::parse(&request.username)?;
        Ok(self.users.get::<User>(name.as_str()).await?.is_some())
    }

    async fn change<F>(&self, name: &Name, change: F) -> Result<Response>
    where
        F: Fn(Option<User>) -> Result<User> + Send + Sync,
    {
        let change = &change;
        let work = |tx: Tx| async move {
            let user = change(tx.get(name.as_str()).await?)?;
            tx.put(name.as_str(), &user)
        };
        self.users.transact(work).await?;
        Ok(Response::none())
    }
}

impl User {
    fn new(password_hash: String) -> Self {
        Self { password_hash, token: TokenParams::default(), shown: Shown::default() }
    }

    fn apply(&mut self, mut token: TokenUpdate, request: &WriteUser) -> Result<()> {
        let shown = &mut self.shown;
        deprecated(&mut token.bound_cidrs, request.bound_cidrs.clone(), &mut shown.bound_cidrs);
        deprecated(&mut token.max_ttl, request.max_ttl, &mut shown.max_ttl);
        deprecated(&mut token.policies, request.policies.clone(), &mut shown.policies);
        deprecated(&mut token.ttl, request.ttl, &mut shown.ttl);
        self.token.apply(token)
    }

    fn answer(&self) -> UserAnswer<'_> {
        let Self { token, shown, .. } = self;
        let ttl = |ttl: Ttl, shown: bool| (shown && !ttl.is_zero()).then_some(ttl);
        UserAnswer {
            bound_cidrs: Some(&*token.bound_cidrs)
                .filter(|all| shown.bound_cidrs && !all.is_empty()),
            max_ttl: ttl(token.max_ttl, shown.max_ttl),
            policies: Some(&*token.policies).filter(|all| shown.policies && !all.is_empty()),
            token: token.fields(),
            ttl: ttl(token.ttl, shown.ttl),
        }
    }
}

fn no_password() -> Error {
    Error::invalid("must provide either password or password_hash")
}

fn no_user() -> Error {
    Error::invalid("username does not exist")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = "{\"password_hash\":\"h\",\"token\":{\"bound_cidrs\":[],\"explicit_max_ttl\":0,\
            \"max_ttl\":0,\"no_default_policy\":false,\"num_uses\":0,\"period\":0,\"policies\":[],\
            \"strictly_bind_ip\":false,\"ttl\":0,\"token_type\":\"default\"},\
            \"shown\":{\"bound_cidrs\":false,\"max_ttl\":false,\"policies\":false,\"ttl\":false}}";
        assert_eq!(serde_json::to_string(&User::new("h".into())).unwrap(), golden);
        let read: User = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
    }
}
