use std::path::PathBuf;
use std::time::Duration;

use base_types::Secret;
use http::{HeaderName, HeaderValue};

/// Where the server is and how to speak to it. [`Config::default`] is what Vault's own clients
/// assume when nothing is set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `https://host:port`, `http://host:port`, or `unix:///path/to/socket`; a path after the host
    /// is put before `/v1`.
    pub address: String,
    pub token: Option<Secret<String>>,
    /// Sent as `X-Vault-Namespace` when not empty.
    pub namespace: String,
    pub tls: Tls,
    /// Added to every request. None may be one of the `X-Vault-` headers that the client sets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// For one request with all its retries.
    pub timeout: Duration,
    /// Asks for every response wrapped, with this time to live (`60`, `5m`).
    pub wrap_ttl: Option<String>,
    /// How often a request is sent again after 412, 429, a 5xx other than 501, or a failed
    /// connection.
    pub retries_max: u32,
    /// The pause before the first retry; the second waits half as long again, and so do all after.
    pub retry_wait: Duration,
    /// Whether one redirect (301, 302, 307) is followed.
    pub redirects: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: "https://127.0.0.1:8200".to_owned(),
            token: None,
            namespace: String::new(),
            tls: Tls::default(),
            headers: Vec::new(),
            timeout: Duration::from_secs(60),
            wrap_ttl: None,
            retries_max: 2,
            retry_wait: Duration::from_secs(1),
            redirects: true,
        }
    }
}

/// How the server proves who it is, and how the client does.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// A PEM file of certificate authorities to trust instead of the machine's own.
    pub ca_cert: Option<PathBuf>,
    /// A folder of such files, read when `ca_cert` is not set.
    pub ca_path: Option<PathBuf>,
    /// The client's certificate chain as PEM; needs `client_key`.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// The name to expect in the server's certificate, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Accepts any certificate. Whoever sits on the wire can then read and change everything.
    pub danger_skip_verify: bool,
}
