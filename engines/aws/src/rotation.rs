use std::sync::Arc;

use base_types::{Error, Result, Timestamp, Ttl};
use core_barrier::Sealed;
use core_engine_api::{Call, Response};
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::access_key::AccessKey;
use crate::client::Client;
use crate::config::{Config, Nothing};
use crate::fault::Fault;

/// How far a change of the configured key has come. AWS alone makes keys, so that the next one is
/// stored only after it was made; it takes the place of the present one when it has been used, and
/// then the present one is deleted. Each step can be taken again.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) enum Rotation {
    /// The next key has been asked for; whether it was made nobody knows.
    Creating { user: String, since: Timestamp },
    /// It was made, and AWS may not know it everywhere yet.
    Created { user: String, access_key: String, secret_key: Sealed, since: Timestamp },
    /// It is in use, and this is the one before it.
    Retiring { user: String, access_key: String },
}

/// How often AWS is asked whether it knows the next key: some ten seconds in all.
pub(crate) const TRIES_MAX: u32 = 6;
/// After this a key that AWS still does not know has been deleted by somebody.
pub(crate) const PATIENCE: Ttl = Ttl::from_seconds(600);
/// How far the clocks of AWS may be behind.
const CLOCK_SKEW: Ttl = Ttl::from_seconds(5);
/// Longer than a key can have been in the making.
const MAKING_MAX: Ttl = Ttl::from_seconds(90);

#[derive(Serialize)]
struct Rotated<'a> {
    access_key: &'a str,
}

impl Aws {
    pub(crate) async fn rotate_root(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let _turn = self.turn.lock().await;
        let config = self.settled().await?;
        let client = self.client(&config)?;
        let identity = client.identity().await.map_err(Fault::into_invalid)?;
        let user = user_of(&identity.arn)?;
        let since = self.clock.now();
        let rotation = Rotation::Creating { user: user.clone(), since };
        self.save(&Config { rotation: Some(rotation), ..config.clone() }).await?;
        let AccessKey { id, secret } = match client.create_access_key(&user).await {
            Ok(key) => key,
            Err(fault) => {
                if matches!(fault, Fault::Refused(_)) {
                    self.save(&config).await?;
                }
                return Err(fault.into_invalid().at("error calling CreateAccessKey"));
            }
        };
        let (access_key, secret_key) = (id, Sealed::from(secret));
        let rotation = Rotation::Created { user, access_key, secret_key, since };
        self.save(&Config { rotation: Some(rotation), ..config }).await?;
        let config = self.settled().await?;
        Response::data(&Rotated { access_key: &config.access_key })
    }

    /// Takes up a change that was cut short.
    pub(crate) async fn settle_rotation(self: Arc<Self>) -> Result<()> {
        if !self.unfinished_rotation().await? {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        self.settled().await.map(drop)
    }

    /// The configuration after all steps of a change, for whoever has the turn.
    async fn settled(&self) -> Result<Config> {
        let mut config = self.config().await?;
        while let Some(rotation) = config.rotation.clone() {
            let client = self.client(&config)?;
            let place = "the change of the configured key cannot be finished";
            let next = self.step(&config, &client, rotation).await;
            config = next.map_err(|fault| Error::from(fault).at(place))?;
            self.save(&config).await?;
        }
        Ok(config)
    }

    async fn step(
        &self,
        config: &Config,
        client: &Client,
        rotation: Rotation,
    ) -> Result<Config, Fault> {
        let done = Config { rotation: None, ..config.clone() };
        match rotation {
            Rotation::Creating { user, since } => {
                for id in client.keys_made_at(&user, since).await? {
                    if id != config.access_key {
                        client.delete_access_key(&user, &id).await?;
                    }
                }
                Ok(done)
            }
            Rotation::Created { user, access_key, secret_key, since } => {
                let secret = secret_key.open().clone();
                let next = client.with_key(AccessKey { id: access_key.clone(), secret });
                if next.is_known(TRIES_MAX).await? {
                    let old = config.access_key.clone();
                    let rotation = Some(Rotation::Retiring { user, access_key: old });
                    return Ok(Config { access_key, secret_key, rotation, ..done });
                }
                if self.clock.now() < since.plus(PATIENCE) {
                    let text = "AWS does not accept the new key yet; it is asked again";
                    return Err(Fault::Failed(Error::unavailable(text)));
                }
                client.delete_access_key(&user, &access_key).await?;
                Ok(done)
            }
            Rotation::Retiring { user, access_key } => {
                client.delete_access_key(&user, &access_key).await?;
                Ok(done)
            }
        }
    }
}

impl Client {
    async fn keys_made_at(&self, user: &str, since: Timestamp) -> Result<Vec<String>, Fault> {
        let is_of_then =
            |made: Timestamp| made.plus(CLOCK_SKEW) >= since && made <= since.plus(MAKING_MAX);
        let keys = self.access_keys(user).await?.into_iter();
        Ok(keys.filter(|key| is_of_then(key.made)).map(|key| key.id).collect())
    }
}

/// The name at the end of `arn:aws:iam::123456789012:user/path/name`.
fn user_of(arn: &str) -> Result<String> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let name = resource.strip_prefix("user/").and_then(|path| path.rsplit('/').next());
    name.filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(|| {
        Error::invalid("the configured key is not one of an IAM user, and cannot be changed")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        for golden in [
            r#"{"Creating":{"user":"u","since":"2026-01-01T00:00:00Z"}}"#,
            r#"{"Created":{"user":"u","access_key":"a","secret_key":"s","since":"2026-01-01T00:00:00Z"}}"#,
            r#"{"Retiring":{"user":"u","access_key":"a"}}"#,
        ] {
            let rotation: Rotation = serde_json::from_str(golden).unwrap();
            assert_eq!(serde_json::to_string(&rotation).unwrap(), golden);
        }
    }

    #[test]
    fn only_users_have_keys_to_change() {
        assert_eq!(user_of("arn:aws:iam::1:user/vault").unwrap(), "vault");
        assert_eq!(user_of("arn:aws:iam::1:user/a/b/vault").unwrap(), "vault");
        for arn in
            ["arn:aws:iam::1:root", "arn:aws:sts::1:assumed-role/r/s", "x", "arn:aws:iam::1:user/"]
        {
            assert!(user_of(arn).is_err(), "{arn}");
        }
    }
}
