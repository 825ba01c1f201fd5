use std::collections::BTreeMap;
use std::sync::Arc;

use base_crypto::Random;
use base_types::{BoxFuture, Clock, Namespace, Result, Secret, Ttl};
use core_barrier::View;

use crate::Outbound;

/// An engine's whole world.
#[derive(Clone)]
pub struct Mount {
    pub namespace: Namespace,
    /// With a trailing slash; below `auth/` for an auth method: `auth/userpass/`.
    pub path: String,
    pub accessor: String,
    /// What was given as `options` when it was enabled or tuned, such as `version`.
    pub options: BTreeMap<String, String>,
    /// This mount's own part of the barrier.
    pub storage: View,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub services: Arc<dyn Services>,
    pub outbound: Arc<dyn Outbound>,
}

/// The limits in force for a mount: its own where tuned, else the server's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tuning {
    pub default_ttl: Ttl,
    pub max_ttl: Ttl,
}

/// What the server does for an engine.
pub trait Services: Send + Sync + 'static {
    /// The limits at this moment; they change when the mount is tuned.
    fn tuning(&self) -> Tuning;

    /// A password by the named password policy, or by the server's own for `None`.
    fn password<'a>(&'a self, policy: Option<&'a str>) -> BoxFuture<'a, Result<Secret<String>>>;

    /// Counts, for monitoring, that a password of somebody else's system was changed, or that it
    /// could not be.
    fn count_rotation(&self, succeeded: bool);
}
