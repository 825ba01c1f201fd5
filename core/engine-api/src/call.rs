use std::net::SocketAddr;
use std::sync::Arc;

use base_types::{Namespace, TokenId, Ttl};

use crate::Body;

/// What is asked of a path. `Write` is both creation and update: which of them it is decides the
/// policy's capability, not the handler.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Delete,
    List,
    Patch,
    Read,
    Scan,
    Write,
}

impl Verb {
    pub const ALL: [Self; 6] =
        [Self::Delete, Self::List, Self::Patch, Self::Read, Self::Scan, Self::Write];

    /// The verb names a folder: its path ends in a slash.
    pub fn is_listing(self) -> bool {
        matches!(self, Self::List | Self::Scan)
    }
}

/// Who calls, as far as an engine may know it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Absent on endpoints that need no token.
    pub token: Option<TokenId>,
    pub accessor: Option<Arc<str>>,
    pub entity_id: Option<Arc<str>>,
    pub display_name: Arc<str>,
    /// What the pipeline knows of the caller, for the server's own engines; opaque to all others.
    pub session: Option<Arc<dyn std::any::Any + Send + Sync>>,
    pub remote: Option<SocketAddr>,
    /// The client's certificate chain as DER, leaf first; empty without mutual TLS.
    pub certificates: Arc<[Vec<u8>]>,
}

/// One request to an engine.
pub struct Call {
    pub request_id: Arc<str>,
    pub namespace: Namespace,
    pub verb: Verb,
    /// Relative to the mount, without a trailing slash.
    pub path: String,
    /// What the braces of the route matched, by name.
    pub params: Vec<(&'static str, String)>,
    pub body: Body,
    pub caller: Caller,
    /// The caller asked for the answer to be wrapped, for this long.
    pub wrap_ttl: Option<Ttl>,
}
