use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_barrier::{Record, Sealed};
use core_engine_api::{Call, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Aws;
use crate::access_key::AccessKey;
use crate::client::{Client, Identity};
use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::names::NameTemplate;
use crate::query::Service;
use crate::rotation::Rotation;

/// The key by which everything is done, and where.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) access_key: String,
    pub(crate) secret_key: Sealed,
    pub(crate) region: String,
    /// Empty for AWS's own, as the next.
    pub(crate) iam_endpoint: String,
    pub(crate) sts_endpoint: String,
    /// Empty for `region`.
    pub(crate) sts_region: String,
    /// -1 for [`RETRIES`].
    pub(crate) max_retries: i64,
    /// Empty for the names of [`NameTemplate`].
    pub(crate) username_template: String,
    /// The account that the key belongs to; empty until AWS was asked.
    pub(crate) account: String,
    /// How far a change of the key has come.
    pub(crate) rotation: Option<Rotation>,
}

impl Record for Config {
    const KIND: &'static str = "AWS configuration";
}

const KEY: &str = "config/root";
/// As AWS's own clients.
const RETRIES: u32 = 3;
/// With the pauses between them these fit into the minute that an engine has.
const RETRIES_MAX: i64 = 10;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteConfig {
    /// The name of a key that may manage users, or assume the roles.
    access_key: String,
    /// The key's secret.
    secret_key: Secret<String>,
    /// The AWS region; `us-east-1` by default.
    region: String,
    /// The URL of another IAM.
    iam_endpoint: String,
    /// The URL of another STS.
    sts_endpoint: String,
    /// The region of STS, if it is another.
    sts_region: String,
    /// How often a call is made again that AWS was too busy for; -1 stands for 3.
    max_retries: i64,
    /// How users and sessions are named, from `.Type`, `.DisplayName` and `.PolicyName`; names of
    /// users need something random.
    username_template: String,
    /// Ask AWS whose key it is before anything is stored.
    verify_connection: bool,
}

impl Default for WriteConfig {
    fn default() -> Self {
        Self {
            access_key: String::new(),
            secret_key: Secret::default(),
            region: String::new(),
            iam_endpoint: String::new(),
            sts_endpoint: String::new(),
            sts_region: String::new(),
            max_retries: -1,
            username_template: String::new(),
            verify_connection: true,
        }
    }
}

#[derive(Serialize)]
struct ConfigAnswer<'a> {
    access_key: &'a str,
    iam_endpoint: &'a str,
    max_retries: i64,
    region: &'a str,
    sts_endpoint: &'a str,
    sts_region: &'a str,
    username_template: &'a str,
}

impl Aws {
    pub(crate) async fn read_config(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let stored: Option<Config> = self.storage.get(KEY).await?;
        let config = stored.ok_or_else(|| Error::not_found(""))?;
        Response::data(&ConfigAnswer {
            access_key: &config.access_key,
            iam_endpoint: &config.iam_endpoint,
            max_retries: config.max_retries,
            region: &config.region,
            sts_endpoint: &config.sts_endpoint,
            sts_region: &config.sts_region,
            username_template: &config.username_template,
        })
    }

    pub(crate) async fn write_config(
        self: Arc<Self>,
        _: Call,
        request: WriteConfig,
    ) -> Result<Response> {
        let verify = request.verify_connection;
        let mut config = request.config()?;
        let client = self.client(&config)?;
        if verify {
            let identity = client.identity().await.map_err(|fault| {
                fault.into_invalid().at("AWS does not accept access_key and secret_key")
            });
            config.account = identity?.account;
        }
        let _turn = self.turn.lock().await;
        self.save(&config).await?;
        Ok(Response::none())
    }

    /// # Errors
    /// `Invalid` if nothing is configured.
    pub(crate) async fn config(&self) -> Result<Config> {
        self.storage
            .get(KEY)
            .await?
            .ok_or_else(|| Error::invalid("there is no key for AWS: write config/root first"))
    }

    /// For whoever has the turn.
    pub(crate) async fn save(&self, config: &Config) -> Result<()> {
        self.storage.put(KEY, config).await
    }

    pub(crate) async fn unfinished_rotation(&self) -> Result<bool> {
        let stored: Option<Config> = self.storage.get(KEY).await?;
        Ok(stored.is_some_and(|config| config.rotation.is_some()))
    }

    pub(crate) fn client(&self, config: &Config) -> Result<Client> {
        let Config { access_key, secret_key, region, iam_endpoint, sts_endpoint, .. } = config;
        let sts_region = if config.sts_region.is_empty() { region } else { &config.sts_region };
        Ok(Client {
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            iam: Endpoint::new(Service::Iam, region, iam_endpoint)?,
            sts: Endpoint::new(Service::Sts, sts_region, sts_endpoint)?,
            key: AccessKey { id: access_key.clone(), secret: secret_key.open().clone() },
            retries: u32::try_from(config.max_retries).unwrap_or(RETRIES),
        })
    }

    /// The account in which users are made. AWS is asked once, if the key was not verified.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn account(&self, config: &Config, client: &Client) -> Result<String, Fault> {
        if !config.account.is_empty() {
            return Ok(config.account.clone());
        }
        let Identity { account, .. } = client.identity().await?;
        let _turn = self.turn.lock().await;
        let stored = self.config().await?;
        if stored.access_key == config.access_key {
            self.save(&Config { account: account.clone(), ..stored }).await?;
        }
        Ok(account)
    }
}

impl WriteConfig {
    fn config(self) -> Result<Config> {
        if self.access_key.is_empty() || self.secret_key.expose().is_empty() {
            return Err(Error::invalid(
                "access_key and secret_key are both needed: none are taken from the environment",
            ));
        }
        if !(-1..=RETRIES_MAX).contains(&self.max_retries) {
            return Err(Error::invalid(format!("max_retries must be from -1 to {RETRIES_MAX}")));
        }
        NameTemplate::check(&self.username_template)?;
        Ok(Config {
            access_key: self.access_key,
            secret_key: self.secret_key.into(),
            region: self.region,
            iam_endpoint: self.iam_endpoint,
            sts_endpoint: self.sts_endpoint,
            sts_region: self.sts_region,
            max_retries: self.max_retries,
            username_template: self.username_template,
            account: String::new(),
            rotation: None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"access_key":"AKIA","secret_key":"s","region":"r","iam_endpoint":"i","sts_endpoint":"t","sts_region":"tr","max_retries":-1,"username_template":"u","account":"1","rotation":null}"#;
        let config: Config = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), golden);
    }
}
