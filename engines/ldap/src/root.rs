//! The administrator's own password. The next one is stored before the directory is told and takes
//! the place of the present one when it has been used to log in. A change that was cut short is
//! settled before anything else: the directory says which of the two it knows.

use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_engine_api::{Call, Response};
use core_rotation::Login;

use crate::Ldap;
use crate::config::{Config, KEY, Nothing};
use crate::directory::Directory;

impl Ldap {
    pub(crate) async fn rotate_root(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let _turn = self.locks.turn(KEY).await;
        let config = self.settled().await?;
        let directory = Directory::of(&config)?;
        let mut session = directory.session().await?;
        // In a domain binddn is no DN.
        let dn = match config.upndomain.as_str() {
            "" => config.binddn.clone(),
            _ => session.find(&config.bind_name()).await?,
        };
        let password = self.password(&config).await?;
        let pending = Config { pending_bindpass: Some(password.clone().into()), ..config.clone() };
        self.storage.put(KEY, &pending).await?;
        if let Err(error) = session.set_password(&dn, &password).await {
            // Whether what was refused has been done all the same only a login tells.
            self.settled().await?;
            return Err(error);
        }
        let settled = self.settled().await?;
        if settled.bindpass != pending.pending_bindpass.unwrap_or_default() {
            return Err(Error::invalid(
                "the directory does not let binddn log in with the password that it was given",
            ));
        }
        Ok(Response::none())
    }

    /// The configuration after a change of its password that was cut short.
    pub(crate) async fn settle_root(&self) -> Result<Config> {
        let _turn = self.locks.turn(KEY).await;
        self.settled().await
    }

    /// The same for whoever has the turn.
    async fn settled(&self) -> Result<Config> {
        let config = self.config().await?;
        let Some(pending) = &config.pending_bindpass else { return Ok(config) };
        let directory = Directory::of(&config)?;
        // The next one first: most changes were not cut short.
        let settled = if directory.check_bind(pending.open()).await? == Login::Accepted {
            Config {
                bindpass: pending.clone(),
                pending_bindpass: None,
                last_bind_password_rotation: Some(self.clock.now()),
                ..config.clone()
            }
        } else if directory.check_bind(config.bindpass.open()).await? == Login::Accepted {
            Config { pending_bindpass: None, ..config.clone() }
        } else {
            return Err(Error::unavailable(
                "the directory refuses both the password of its administrator and the one that was \
                 to follow: set the right bindpass in config",
            ));
        };
        self.storage.put(KEY, &settled).await?;
        Ok(settled)
    }

    /// A password by the configured policy, else the server's own.
    pub(crate) async fn password(&self, config: &Config) -> Result<Secret<String>> {
        self.rotations.password(&[&config.password_policy]).await
    }
}
