use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base_types::{BoxFuture, Error, Result, Secret, Timestamp, TokenId, Ttl};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What an engine answers. The pipeline turns the grants into tokens and leases.
#[derive(Debug, Default)]
pub struct Response {
    /// A JSON object, written once by the engine and carried through as text.
    pub data: Option<Box<RawValue>>,
    /// The thing itself is not there, though `data` says something about it (a deleted version).
    pub absent: bool,
    /// What was asked for has begun and goes on after the answer.
    pub accepted: bool,
    pub warnings: Vec<String>,
    pub login: Option<LoginGrant>,
    /// What the pipeline made of `login`, or the server's own engines say of a renewed token.
    pub auth: Option<AuthReply>,
    /// A wrapped answer that was wrapped again.
    pub wrap: Option<WrapReply>,
    /// The accessor of the credential in `data`, shown beside a wrapping token.
    pub accessor: Option<String>,
    pub lease: Option<LeaseGrant>,
    /// How long the caller may rely on the data; shown as `lease_duration` without a lease.
    pub refresh: Option<Ttl>,
    /// An answer that is no JSON envelope, such as metrics or a certificate.
    pub raw: Option<Raw>,
}

/// An answer that leaves as it is.
#[derive(Debug)]
pub struct Raw {
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Response {
    /// No content.
    pub fn none() -> Self {
        Self::default()
    }

    /// # Errors
    /// `Internal` if `data` cannot be written as JSON, which plain structs always can.
    pub fn data(data: &impl Serialize) -> Result<Self> {
        let data = serde_json::value::to_raw_value(data).map_err(Error::internal)?;
        Ok(Self { data: Some(data), ..Self::default() })
    }

    /// Vault's shape of a list; an empty one is "not found".
    ///
    /// # Errors
    /// `NotFound` if `keys` is empty.
    pub fn keys(keys: Vec<String>) -> Result<Self> {
        #[derive(Serialize)]
        struct Keys {
            keys: Vec<String>,
        }
        if keys.is_empty() {
            return Err(Error::not_found(""));
        }
        Self::data(&Keys { keys })
    }

    /// Vault's shape of a list that says something about each key.
    ///
    /// # Errors
    /// `NotFound` if `entries` is empty.
    pub fn keys_with(entries: BTreeMap<String, impl Serialize>) -> Result<Self> {
        #[derive(Serialize)]
        struct Keys<'a, T> {
            keys: Vec<&'a String>,
            key_info: &'a BTreeMap<String, T>,
        }
        if entries.is_empty() {
            return Err(Error::not_found(""));
        }
        Self::data(&Keys { keys: entries.keys().collect(), key_info: &entries })
    }

    /// Work that goes on after this answer; `warning` says where to look for its end.
    pub fn accepted(warning: impl Into<String>) -> Self {
        Self { accepted: true, ..Self::default() }.warn(warning)
    }

    pub fn login(grant: LoginGrant) -> Self {
        Self { login: Some(grant), ..Self::default() }
    }

    pub fn raw(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(Raw { content_type, body: body.into() }), ..Self::default() }
    }

    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }
}

/// A secret that lives as long as its lease.
#[derive(Default)]
pub struct LeaseGrant {
    /// The name under which the engine registered how to renew and revoke it.
    pub kind: &'static str,
    /// Zero means the mount's default; more than the mount's maximum is cut with a warning.
    pub ttl: Ttl,
    pub max_ttl: Ttl,
    pub renewable: bool,
    /// What the engine needs to renew or revoke; stored encrypted, never shown. Revoking must work
    /// with it whether `act` has run, has run in part, or never began.
    pub internal: Box<RawValue>,
    /// The system in which the secret lives, such as the name of a connection: leases of one that
    /// does not answer hold up no others. Empty where the engine has only one.
    pub target: String,
    /// What is still to be done in that system.
    pub act: Option<Act>,
}

/// Runs once the lease is stored (or before it is extended, when it is renewed), so that a crash on
/// the way leaves a lease that cleans up and never a secret that nothing knows of. It is told when
/// the lease ends.
pub type Act = Box<dyn FnOnce(Timestamp) -> BoxFuture<'static, Result<Made>> + Send>;

/// What is known of a secret only once it has been made.
#[derive(Debug, Default)]
pub struct Made {
    /// Replaces the data of the answer.
    pub data: Option<Box<RawValue>>,
    /// The secret itself ends at this time: so does its lease, if it was to end later.
    pub expires: Option<Timestamp>,
    pub warnings: Vec<String>,
}

impl fmt::Debug for LeaseGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseGrant")
            .field("kind", &self.kind)
            .field("target", &self.target)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// What an auth method grants to whoever has logged in.
#[derive(Clone, Debug, Default)]
pub struct LoginGrant {
    /// The stable name of the caller within the auth mount; it becomes the alias of an entity.
    pub alias: String,
    pub alias_metadata: BTreeMap<String, String>,
    pub display_name: String,
    pub policies: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// Zero means the mount's default.
    pub ttl: Ttl,
    pub max_ttl: Ttl,
    pub explicit_max_ttl: Ttl,
    pub period: Ttl,
    /// Zero means unlimited.
    pub num_uses: u64,
    pub bound_cidrs: Vec<String>,
    pub no_default_policy: bool,
    pub token_type: TokenType,
    pub renewable: bool,
    /// What the engine needs to decide about a renewal; stored with the token.
    pub internal: Option<Box<RawValue>>,
    /// Only the server's own token engine makes children, names roles and chooses texts; an auth
    /// method leaves these as they are.
    pub parent: Option<TokenId>,
    pub role: Option<String>,
    pub chosen: Option<Secret<String>>,
    /// The entity of a child; a login finds its own by the alias.
    pub entity: Option<Arc<str>>,
}

/// What the caller learns about a token.
#[derive(Clone, Debug, Default)]
pub struct AuthReply {
    /// `None` stands for the caller's own, which an engine never sees.
    pub client_token: Option<Secret<String>>,
    pub accessor: String,
    /// Those of the token and of its entity, sorted.
    pub policies: Vec<String>,
    pub token_policies: Vec<String>,
    pub identity_policies: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    pub lease_duration: Ttl,
    pub renewable: bool,
    pub entity_id: String,
    pub token_type: String,
    pub orphan: bool,
    pub num_uses: u64,
}

/// What the caller learns about a wrapped answer.
#[derive(Clone, Debug)]
pub struct WrapReply {
    pub token: Secret<String>,
    pub accessor: String,
    pub ttl: Ttl,
    pub creation_time: Timestamp,
    pub creation_path: String,
    pub wrapped_accessor: String,
}

/// What kind of token a login makes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenType {
    /// Self-contained and not stored; cannot be renewed or revoked.
    Batch,
    /// What the mount is tuned to.
    #[default]
    Default,
    /// Stored, renewable, revocable.
    Service,
}
