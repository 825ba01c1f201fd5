use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base_types::{Cidr, Timestamp, TokenId, Ttl};
use core_barrier::Record;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What the server knows of a token; the token itself is not among it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Token {
    pub id: TokenId,
    pub kind: Kind,
    /// Empty for batch tokens.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub accessor: Arc<str>,
    /// The id of the namespace that the token belongs to.
    pub namespace: Arc<str>,
    pub policies: Vec<String>,
    pub display_name: Arc<str>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TokenId>,
    pub created: Timestamp,
    /// `None` never ends (a root token).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Timestamp>,
    /// As given at creation.
    #[serde(default, skip_serializing_if = "Ttl::is_zero_ref")]
    pub ttl: Ttl,
    #[serde(default, skip_serializing_if = "Ttl::is_zero_ref")]
    pub explicit_max_ttl: Ttl,
    #[serde(default, skip_serializing_if = "Ttl::is_zero_ref")]
    pub period: Ttl,
    pub uses: Uses,
    /// The path that made it, for example `auth/token/create`.
    pub path: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound_cidrs: Vec<Cidr>,
    /// The token role it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewable: bool,
    /// The auth method that made it, which decides about renewals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Its revocation has begun: it is refused, and what depends on it is being taken down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoking: bool,
    /// Nothing has ever depended on it, no child, no secret, nothing of its own that is stored: all
    /// there is to take down is the token. Of tokens from before this was kept nobody knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Not stored: the token is its own encrypted record.
    Batch,
    Service,
}

/// How often a token may still be used.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Uses {
    Left(u64),
    Unlimited,
}

/// What an auth method left with the token it made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Login {
    /// The id of the auth mount.
    pub mount: String,
    pub internal: Box<RawValue>,
}

impl Token {
    pub fn is_root(&self) -> bool {
        self.policies.iter().any(|policy| policy == "root")
    }

    pub fn is_orphan(&self) -> bool {
        self.parent.is_none()
    }

    /// What is left of its time at `now`; zero for a token that never ends.
    pub fn remaining(&self, now: Timestamp) -> Ttl {
        self.expires.map_or(Ttl::ZERO, |at| now.until(at))
    }

    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Whether it may be used from `address`. An unknown address lies in no network.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.bound_cidrs.is_empty()
            || address.is_some_and(|ip| self.bound_cidrs.iter().any(|block| block.contains(ip)))
    }

    /// The id of its lease: the path that made it and a part of its hash.
    pub fn lease_id(&self) -> String {
        format!("{}/h{}", self.path, self.id)
    }

    /// The id of the token whose lease this would be.
    pub fn in_lease(id: &str) -> Option<TokenId> {
        let (_, hash) = id.rsplit_once("/h")?;
        Some(TokenId(hash.into()))
    }
}

impl Record for Token {
    const KIND: &'static str = "token";
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct AccessorRecord {
    pub(crate) token: TokenId,
}

impl Record for AccessorRecord {
    const KIND: &'static str = "token accessor";
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Mark();

impl Record for Mark {
    const KIND: &'static str = "mark";
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let token = Token {
            id: TokenId("t1".into()),
            kind: Kind::Service,
            accessor: "a1".into(),
            namespace: "root".into(),
            policies: vec!["default".into()],
            display_name: "token".into(),
            metadata: BTreeMap::new(),
            parent: Some(TokenId("t0".into())),
            created: Timestamp::from_seconds(10),
            expires: Some(Timestamp::from_seconds(20)),
            renewed: None,
            ttl: Ttl::from_seconds(10),
            explicit_max_ttl: Ttl::ZERO,
            period: Ttl::ZERO,
            uses: Uses::Left(3),
            path: "auth/token/create".into(),
            entity: None,
            bound_cidrs: vec![],
            role: None,
            renewable: true,
            login: Some(Login {
                mount: "m".into(),
                internal: RawValue::from_string("{\"r\":1}".into()).unwrap(),
            }),
            revoking: false,
            bare: false,
        };
        let golden = r#"{"id":"t1","kind":"service","accessor":"a1","namespace":"root","policies":["default"],"display_name":"token","parent":"t0","created":"1970-01-01T00:00:10Z","expires":"1970-01-01T00:00:20Z","ttl":10,"uses":{"left":3},"path":"auth/token/create","renewable":true,"login":{"mount":"m","internal":{"r":1}}}"#;
        assert_eq!(serde_json::to_string(&token).unwrap(), golden);
        let read: Token = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
        let bare = Token { bare: true, ..read };
        let golden = golden.replace("}}}", r#"}},"bare":true}"#);
        assert_eq!(serde_json::to_string(&bare).unwrap(), golden);
    }
}
