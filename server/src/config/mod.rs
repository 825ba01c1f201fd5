//! The server's configuration: Vault's language and keys, read once into types that cannot be
//! wrong.
//!
//! `keys.rs` lists every key with what becomes of it; the reader of each stanza sits in its own
//! file. A key that nobody knows is an error with its place and the nearest key that exists.

mod audit;
mod environment;
mod files;
mod forwarded;
mod keys;
mod listener;
mod lockout;
mod log;
mod reader;
mod response_headers;
mod seal;
mod storage;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;

use base_hcl::Body;
use base_types::{Error, Result, Ttl};

pub use audit::{AuditDevice, AuditKind};
pub use environment::Environment;
pub use forwarded::Forwarded;
pub use keys::reference;
pub use listener::{Bind, Limits, Listener, METRICS_PATH, Metrics, MetricsAccess, UnixSocket};
pub use lockout::{Lockout, Lockouts};
pub use log::{Log, LogFormat, LogLevel, Rotation};
pub use reader::{Place, Warning};
pub use response_headers::ResponseHeaders;
pub use seal::{KeySource, Seal, SealKind, StaticKey};
pub use storage::{Storage, StorageKind};
pub use tls::{ClientCertificates, Tls};

use reader::{Reader, Source};

/// Everything that the configuration files say, with defaults for what they do not.
pub struct Config {
    /// The files it was read from, in order.
    pub files: Vec<PathBuf>,
    pub warnings: Vec<Warning>,
    /// At least one.
    pub listeners: Vec<Listener>,
    pub storage: Storage,
    /// In the order of their priority; empty means Shamir's shares.
    pub seals: Vec<Seal>,
    pub audit: Vec<AuditDevice>,
    pub lockouts: Lockouts,
    pub log: Log,
    pub api_addr: Option<String>,
    pub cluster_addr: Option<String>,
    pub cluster_name: Option<String>,
    pub default_lease_ttl: Ttl,
    pub max_lease_ttl: Ttl,
    pub pid_file: Option<PathBuf>,
    pub allow_api_audit_creation: bool,
    pub allow_audit_log_prefixing: bool,
}

const LEASE_TTL_DEFAULT: Ttl = Ttl::from_seconds(768 * 3600);

impl Config {
    /// Reads files, and folders of `*.hcl` and `*.json`, in this order.
    ///
    /// # Errors
    /// `Invalid` or `NotFound`, with file, line, column and remedy, for the first thing wrong.
    pub fn load(paths: &[PathBuf], environment: &Environment) -> Result<Self> {
        let files = files::expand(paths)?;
        let mut draft = Draft::default();
        for file in &files {
            let text = files::read(file)?;
            draft.read(file.clone(), &text)?;
        }
        draft.complete(environment)
    }

    /// Reads one text as if it stood in `file`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(file: &str, text: &str, environment: &Environment) -> Result<Self> {
        let mut draft = Draft::default();
        draft.read(file.into(), text)?;
        draft.complete(environment)
    }
}

/// A configuration while its files are read, before it is known to be whole.
struct Draft {
    files: Vec<PathBuf>,
    warnings: Vec<Warning>,
    listeners: Vec<Listener>,
    storage: Option<Storage>,
    seals: Vec<Seal>,
    audit: Vec<AuditDevice>,
    lockouts: Lockouts,
    log: Log,
    api_addr: Option<String>,
    cluster_addr: Option<String>,
    cluster_name: Option<String>,
    default_lease_ttl: Option<Ttl>,
    max_lease_ttl: Ttl,
    request_duration: std::time::Duration,
    pid_file: Option<PathBuf>,
    hostname_header: bool,
    allow_api_audit_creation: bool,
    allow_audit_log_prefixing: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            warnings: Vec::new(),
            listeners: Vec::new(),
            storage: None,
            seals: Vec::new(),
            audit: Vec::new(),
            lockouts: Lockouts::default(),
            log: Log::default(),
            api_addr: None,
            cluster_addr: None,
            cluster_name: None,
            default_lease_ttl: None,
            max_lease_ttl: LEASE_TTL_DEFAULT,
            request_duration: listener::REQUEST_DURATION_DEFAULT,
            pid_file: None,
            hostname_header: false,
            allow_api_audit_creation: false,
            allow_audit_log_prefixing: false,
        }
    }
}

impl Draft {
    fn read(&mut self, file: PathBuf, text: &str) -> Result<()> {
        let mut source = Source { file: Arc::from(file.as_path()), warnings: Vec::new() };
        base_hcl::parse(text)
            .and_then(|body| self.apply(&body, &mut source))
            .map_err(|error| error.at(file.display()))?;
        self.warnings.append(&mut source.warnings);
        self.files.push(file);
        Ok(())
    }

    fn apply(&mut self, body: &Body, source: &mut Source) -> Result<()> {
        let mut reader = Reader::new(body, &keys::SERVER, source);
        for block in reader.blocks("listener", 1)? {
            self.listeners.push(Listener::read(&block, reader.source)?);
        }
        if let Some(storage) = Storage::read(&mut reader)? {
            self.storage = Some(storage);
        }
        for block in reader.blocks("seal", 1)? {
            self.seals.push(Seal::read(&block, reader.source)?);
        }
        for block in reader.blocks("audit", 2)? {
            self.audit.push(AuditDevice::read(&block, reader.source)?);
        }
        for block in reader.blocks("user_lockout", 1)? {
            self.lockouts.read(&block, reader.source)?;
        }
        if let Some(block) = reader.block("telemetry")? {
            Reader::new(block.body, &keys::TELEMETRY, reader.source).finish()?;
        }
        self.log.read(&mut reader)?;
        reader.set("api_addr", &mut self.api_addr)?;
        reader.set("cluster_addr", &mut self.cluster_addr)?;
        reader.set("cluster_name", &mut self.cluster_name)?;
        reader.set("default_lease_ttl", &mut self.default_lease_ttl)?;
        reader.set("max_lease_ttl", &mut self.max_lease_ttl)?;
        reader.set("default_max_request_duration", &mut self.request_duration)?;
        reader.set("pid_file", &mut self.pid_file)?;
        reader.set("enable_response_header_hostname", &mut self.hostname_header)?;
        reader.set("unsafe_allow_api_audit_creation", &mut self.allow_api_audit_creation)?;
        reader.set("allow_audit_log_prefixing", &mut self.allow_audit_log_prefixing)?;
        reader.finish()
    }

    /// Checks what only the whole can tell, and fills in defaults that depend on other keys.
    fn complete(mut self, environment: &Environment) -> Result<Config> {
        if self.listeners.is_empty() {
            return Err(Error::invalid(
                "no listener is configured: add listener \"tcp\" { address = \"127.0.0.1:8200\" … }",
            ));
        }
        let storage = self.storage.take().ok_or_else(|| {
            Error::invalid(format!("no storage is configured: {}", storage::WHAT_EXISTS))
        })?;
        seal::check(&self.seals)?;
        audit::check(&self.audit, self.allow_audit_log_prefixing)?;
        self.seals.sort_by_key(|seal| seal.priority);
        for listener in &mut self.listeners {
            listener.complete(self.request_duration, self.hostname_header);
        }
        let max_lease_ttl = self.max_lease_ttl.or(LEASE_TTL_DEFAULT);
        let mut config = Config {
            files: self.files,
            warnings: self.warnings,
            listeners: self.listeners,
            storage,
            seals: self.seals,
            audit: self.audit,
            lockouts: self.lockouts,
            log: self.log,
            api_addr: self.api_addr,
            cluster_addr: self.cluster_addr,
            cluster_name: self.cluster_name,
            default_lease_ttl: default_lease_ttl(self.default_lease_ttl, max_lease_ttl)?,
            max_lease_ttl,
            pid_file: self.pid_file,
            allow_api_audit_creation: self.allow_api_audit_creation,
            allow_audit_log_prefixing: self.allow_audit_log_prefixing,
        };
        environment.apply(&mut config)?;
        check_url("api_addr", config.api_addr.as_deref())?;
        check_url("cluster_addr", config.cluster_addr.as_deref())?;
        Ok(config)
    }
}

/// What was set, or the default held to the maximum.
fn default_lease_ttl(set: Option<Ttl>, max: Ttl) -> Result<Ttl> {
    match set.filter(|ttl| !ttl.is_zero()) {
        None => Ok(LEASE_TTL_DEFAULT.limited_to(max)),
        Some(ttl) if ttl > max => Err(Error::invalid(format!(
            "default_lease_ttl ({ttl}) is longer than max_lease_ttl ({max}): make it shorter"
        ))),
        Some(ttl) => Ok(ttl),
    }
}

fn check_url(key: &str, url: Option<&str>) -> Result<()> {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Ok(()) };
    let fits = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|h| !h.is_empty())
    });
    if fits {
        return Ok(());
    }
    let hint = if url.contains("{{") { "templates are not expanded: " } else { "" };
    Err(Error::invalid(format!(
        "{key} is no URL: {hint}write for example \"https://vault.example.com:8200\""
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
