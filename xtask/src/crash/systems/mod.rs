//! The systems in which secrets are made and passwords change.

mod aws;
mod database;
mod ldap;

use std::net::SocketAddr;

use serde_json::Value;

use super::scene::Act;
use crate::Result;
use crate::http::Client;

pub(super) use aws::Aws;
pub(super) use database::{Mysql, Postgres, Redis};
pub(super) use ldap::Ldap;

/// The static role of an engine that has one.
pub(super) const STATIC_ROLE: &str = "static";

/// A real system, and how an engine is told to work in it.
pub(super) trait System: Sync {
    fn name(&self) -> &'static str;

    fn address(&self) -> SocketAddr;

    /// What its engine knows to do.
    fn acts(&self) -> &'static [Act];

    /// Makes an account that may make others.
    fn add_administrator(&self, name: &str) -> Result<()>;

    /// Makes an account whose password is to change.
    fn add_account(&self, name: &str) -> Result<()>;

    /// Mounts an engine that reaches the system at `through`, as its first administrator if none
    /// other is named. It has one role, with the name of the mount.
    fn mount(
        &self,
        client: &mut Client,
        mount: &str,
        through: SocketAddr,
        administrator: Option<&str>,
        ttl: &str,
    ) -> Result<()>;

    /// Gives an engine its static role, for one account or two that take turns.
    fn static_role(
        &self,
        client: &mut Client,
        mount: &str,
        accounts: &[String],
        grace_period: &str,
    ) -> Result<()>;

    /// Where static roles are, below a mount.
    fn static_roles(&self) -> &'static str {
        "static-roles"
    }

    /// Where static credentials are read, below a mount.
    fn static_creds(&self) -> &'static str {
        "static-creds"
    }

    /// What changes the administrator's password, below a mount.
    fn rotate_root(&self) -> &'static str;

    /// Uses a credential as an engine gave it out.
    fn log_in(&self, credential: &Value) -> Result<()>;

    /// What is there that was made for leases.
    fn made(&self) -> Result<Vec<String>>;
}

fn text(credential: &Value, field: &str) -> String {
    credential[field].as_str().unwrap_or_default().to_owned()
}
