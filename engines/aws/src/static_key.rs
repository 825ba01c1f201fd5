//! How the keys of users that stay are made, set and checked; the sequence of a change is
//! `core_rotation`'s. Here AWS makes what is to be stored, so that a crash may leave a key that
//! nobody knows: it goes before the next is made. A new key is in force beside the old one, which
//! goes when the new one has been used.

use base_types::{Error, Result, Secret};
use core_rotation::{Account, Login, Own, Rotating, Rotations};
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::access_key::AccessKey;
use crate::client::Client;
use crate::config::Config;
use crate::fault::Fault;
use crate::rotation::{PATIENCE, TRIES_MAX};
use crate::user::ListedKey;

/// A user of IAM that stays, as it is stored. Its key is kept as the password of its account.
pub(crate) type StaticRole = core_rotation::StaticRole<IamUser>;

/// What AWS needs to know of it besides the name.
#[derive(Clone, Deserialize, Serialize)]
pub struct IamUser {
    pub(crate) user_id: String,
}

impl Own for IamUser {
    const KIND: &'static str = "static AWS role";

    fn target(&self) -> &str {
        "aws"
    }
}

/// As many as a user may have.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const KEYS_MAX: usize = 2;

impl Rotating for Aws {
    type Own = IamUser;

    const SYSTEM: &'static str = "AWS";

    fn rotations(&self) -> &Rotations {
        &self.rotations
    }

    async fn generate(&self, role: &StaticRole) -> Result<Secret<String>> {
        let config = self.config().await?;
        let client = self.client(&config)?;
        let account = &role.accounts[0];
        let user = &account.username;
        client.check_user(user, &role.own.user_id).await?;
        let current = account.password.as_ref().map(|key| AccessKey::from_text(key.open()));
        let current = current.transpose()?.map(|key| key.id);
        let mut keys = self.keys_of(&client, &config, user).await?;
        while keys.len() >= KEYS_MAX {
            let oldest = keys.iter().position(|key| Some(&key.id) != current.as_ref());
            let Some(oldest) = oldest else { break };
            let deleted = client.delete_access_key(user, &keys.remove(oldest).id).await;
            deleted.map_err(|fault| fault.into_invalid().at("error calling DeleteAccessKey"))?;
        }
        let made = client.create_access_key(user).await;
        let key = made.map_err(|fault| fault.into_invalid().at("error calling CreateAccessKey"))?;
        Ok(key.to_text())
    }

    /// It is set already; what is left to do is to delete the others, once it works.
    async fn set(&self, role: &StaticRole, account: &Account, key: &Secret<String>) -> Result<()> {
        let config = self.config().await?;
        let client = self.client(&config)?;
        let (user, key) = (&account.username, AccessKey::from_text(key)?);
        let is_known = client.with_key(key.clone()).is_known(TRIES_MAX).await;
        let keys = self.keys_of(&client, &config, user).await?;
        if !is_known.map_err(Fault::into_invalid)? {
            return Err(match self.awaits(role, &keys, &key) {
                true => not_yet_known(user, &key),
                false => Error::invalid(format!(
                    "the new key {} of user {user} has gone: another one is made",
                    key.id
                )),
            });
        }
        for old in keys.into_iter().filter(|listed| listed.id != key.id) {
            let deleted = client.delete_access_key(user, &old.id).await;
            deleted.map_err(|fault| fault.into_invalid().at("error calling DeleteAccessKey"))?;
        }
        Ok(())
    }

    async fn check(
        &self,
        role: &StaticRole,
        account: &Account,
        key: &Secret<String>,
    ) -> Result<Login> {
        let config = self.config().await?;
        let client = self.client(&config)?;
        let key = AccessKey::from_text(key)?;
        let is_known = client.with_key(key.clone()).is_known(1).await;
        if is_known.map_err(Fault::into_invalid)? {
            return Ok(Login::Accepted);
        }
        let keys = client.access_keys(&account.username).await;
        if self.awaits(role, &keys.map_err(Fault::into_invalid)?, &key) {
            return Err(not_yet_known(&account.username, &key));
        }
        Ok(Login::Refused)
    }
}

impl Aws {
    /// The keys of a user whose keys may be deleted.
    async fn keys_of(
        &self,
        client: &Client,
        config: &Config,
        user: &str,
    ) -> Result<Vec<ListedKey>> {
        let keys = client.access_keys(user).await;
        let keys = keys.map_err(|fault| fault.into_invalid().at("error calling ListAccessKeys"))?;
        if keys.iter().any(|key| key.id == config.access_key) {
            return Err(Error::invalid(format!(
                "{user} is the user of the key in config/root: use config/rotate-root"
            )));
        }
        Ok(keys)
    }

    /// Whether a key that AWS does not accept may still come to be known: it is listed, or so new that
    /// it need not be.
    fn awaits(&self, role: &StaticRole, keys: &[ListedKey], key: &AccessKey) -> bool {
        if let Some(listed) = keys.iter().find(|listed| listed.id == key.id) {
            return listed.is_active;
        }
        let next = role.change.as_ref().map(|change| change.password.open());
        let is_next = next.is_some_and(|next| *next == key.to_text());
        let since = role.failure.as_ref().map(|failure| failure.since.plus(PATIENCE));
        is_next && since.is_none_or(|end| self.clock.now() < end)
    }
}

impl Client {
    /// # Errors
    /// `Invalid` if there is no such user, or it is another one by now.
    pub(crate) async fn check_user(&self, user: &str, id: &str) -> Result<()> {
        let found = self.known_user(user).await?;
        if found == id {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "AWS GetUser returned a user, but the ID did not match: {id:?} was requested, but \
             {found:?} was returned"
        )))
    }

    /// The ID of a user that must be there.
    ///
    /// # Errors
    /// `Invalid` if it is not.
    pub(crate) async fn known_user(&self, user: &str) -> Result<String> {
        let found = self.user_id(user).await;
        found.map_err(|fault| {
            fault.into_invalid().at(format!("unable to validate username {user:?}"))
        })
    }
}

fn not_yet_known(user: &str, key: &AccessKey) -> Error {
    Error::unavailable(format!("AWS does not accept the key {} of user {user} yet", key.id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"user_id":"AIDA","accounts":[{"username":"u","password":"AKIA:s"}],"current":0,"schedule":{"period":60},"grace_period":0,"last_rotation":"1970-01-01T00:00:01Z","next_rotation":"1970-01-01T00:01:01Z","retirement":null,"change":{"account":0,"password":"AKIB:t","purpose":"rotate"},"failure":null}"#;
        let role: StaticRole = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        let key = AccessKey::from_text(role.accounts[0].password.as_ref().unwrap().open()).unwrap();
        assert_eq!((key.id.as_str(), key.secret.expose().as_str()), ("AKIA", "s"));
        assert_eq!(key.to_text().expose(), "AKIA:s");
        assert!(AccessKey::from_text(&Secret::new("hunter2".to_owned())).is_err());
    }
}
