use std::net::SocketAddr;
use std::sync::Arc;

use base_types::{Namespace, RequestPath, Secret, Ttl};
use core_engine_api::{Body, Verb};

/// A request as the server's facades hand it over: parsed, within limits, not yet judged.
pub struct Request {
    pub id: Arc<str>,
    pub verb: Verb,
    /// Asks what the path is for instead of doing it.
    pub help: bool,
    /// From the header; the path may lead into a deeper one.
    pub namespace: Namespace,
    /// Below `/v1/`. A listing ends in a slash, anything else does not.
    pub path: RequestPath,
    pub body: Body,
    pub token: Option<Secret<String>>,
    /// The answer is to be wrapped for this long.
    pub wrap_ttl: Option<Ttl>,
    pub peer: Peer,
    /// Header names in lower case, and values, for the audit log and for engines that ask for them.
    pub headers: Vec<(String, String)>,
}

/// Who is at the other end of the connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    pub remote: Option<SocketAddr>,
    /// DER, leaf first.
    pub certificates: Arc<[Vec<u8>]>,
}
