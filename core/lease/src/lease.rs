use base_types::{Result, Timestamp, TokenId, Ttl};
use core_barrier::Record;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{DueEntry, Target};

/// A promise that something ends.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Lease {
    /// The id of the namespace it belongs to; lease ids are looked up within one namespace only.
    pub namespace: String,
    /// The path that made it and a random last segment.
    pub id: String,
    pub issued: Timestamp,
    /// `None` never ends by itself (a root token).
    pub expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewable: bool,
    pub subject: Subject,
    /// Its time has come, and it waits in the queue of its target: it is nobody's any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
    /// How often revoking it has failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Why the latest attempt to revoke it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What ends with a lease.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A credential that an engine made and knows how to take back.
    Secret {
        /// The mount's id; it stays when the mount is moved.
        mount: String,
        /// The engine's own name for this kind of lease.
        kind: String,
        /// The system it lives in, in the engine's own words; empty if there is only one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        target: String,
        internal: Box<RawValue>,
        /// Counted from `issued`; zero means the mount's maximum.
        max_ttl: Ttl,
        /// The token it was made with, and dies with.
        token: TokenId,
    },
    Token {
        token: TokenId,
    },
}

impl Lease {
    pub(crate) fn key(&self) -> String {
        record_key(&self.namespace, &self.id)
    }

    /// Every index entry of the lease as it is now.
    pub(crate) fn index_keys(&self) -> impl Iterator<Item = String> {
        let stuck = self.is_stuck().then(|| stuck_key(&self.namespace, &self.id));
        [self.due_key(), self.queue_key(), self.token_key(), stuck].into_iter().flatten()
    }

    pub(crate) fn due_key(&self) -> Option<String> {
        let expires = self.expires.filter(|_| !self.queued)?;
        let (namespace, id) = (self.namespace.clone(), self.id.clone());
        Some(DueEntry { namespace, id, expires }.key())
    }

    pub(crate) fn queue_key(&self) -> Option<String> {
        let target = self.target().filter(|_| self.queued)?;
        Some(format!("{}{}", target.queue(), self.entry()))
    }

    /// A lease whose revocation has begun does not wait for its token any more.
    pub(crate) fn token_key(&self) -> Option<String> {
        match &self.subject {
            Subject::Secret { token, .. } if self.failures == 0 && !self.queued => {
                Some(format!("lease/token/{token}/{}/{}", self.namespace, self.id))
            }
            Subject::Secret { .. } | Subject::Token { .. } => None,
        }
    }

    /// What stands for the lease in the queue of its target.
    pub fn entry(&self) -> String {
        format!("{}/{}", self.namespace, self.id)
    }

    /// The system that the secret lives in; tokens live here.
    pub fn target(&self) -> Option<Target> {
        match &self.subject {
            Subject::Secret { mount, target, .. } => {
                Some(Target { mount: mount.clone(), name: target.clone() })
            }
            Subject::Token { .. } => None,
        }
    }

    /// Whether it was given up on, and waits for a person.
    pub fn is_stuck(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// Whether its holder may still use and renew it.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        !self.queued && self.failures == 0 && self.expires.is_none_or(|at| at > now)
    }
}

/// After so many failed attempts a lease is left to a person: it stays listed with its cause and
/// is tried again only on request.
pub(crate) const FAILURES_MAX: u32 = 6;

pub(crate) fn stuck_key(namespace: &str, id: &str) -> String {
    format!("lease/stuck/{namespace}/{id}")
}

pub(crate) fn record_key(namespace: &str, id: &str) -> String {
    format!("lease/id/{namespace}/{id}")
}

/// Sixteen hexadecimal digits that sort as the times do. A lease with a time before 1970 is
/// simply due.
pub(crate) fn sortable(at: Timestamp) -> String {
    format!("{:016x}", at.0.max(0))
}

impl Record for Lease {
    const KIND: &'static str = "lease";
}

/// The value of an index entry: that it is there says it all.
#[derive(Deserialize, Serialize)]
pub(crate) struct Mark();

impl Record for Mark {
    const KIND: &'static str = "mark";
}

pub(crate) fn split_namespace(rest: &str) -> Result<(&str, &str)> {
    rest.split_once('/')
        .ok_or_else(|| base_types::Error::internal(format!("lease index entry {rest:?}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let lease = Lease {
            namespace: "root".into(),
            id: "database/creds/app/x1".into(),
            issued: Timestamp::from_seconds(10),
            expires: Some(Timestamp::from_seconds(70)),
            renewed: None,
            renewable: true,
            subject: Subject::Secret {
                mount: "m1".into(),
                kind: "creds".into(),
                target: "orders".into(),
                internal: RawValue::from_string(r#"{"user":"v-app"}"#.into()).unwrap(),
                max_ttl: Ttl::from_seconds(600),
                token: TokenId("t1".into()),
            },
            queued: false,
            failures: 0,
            cause: None,
        };
        let golden = r#"{"namespace":"root","id":"database/creds/app/x1","issued":"1970-01-01T00:00:10Z","expires":"1970-01-01T00:01:10Z","renewable":true,"subject":{"secret":{"mount":"m1","kind":"creds","target":"orders","internal":{"user":"v-app"},"max_ttl":600,"token":"t1"}}}"#;
        assert_eq!(serde_json::to_string(&lease).unwrap(), golden);
        let read: Lease = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), golden);
        let queued = Lease { queued: true, failures: 2, cause: Some("no".into()), ..read };
        let golden = golden.replace("}}}", r#"}},"queued":true,"failures":2,"cause":"no"}"#);
        assert_eq!(serde_json::to_string(&queued).unwrap(), golden);
    }

    #[test]
    fn times_sort_as_text() {
        let mut times = [5, 70, 1_000, 4_102_444_800].map(Timestamp::from_seconds);
        times.reverse();
        let mut texts = times.map(sortable);
        texts.sort();
        times.reverse();
        assert_eq!(texts, times.map(sortable));
    }
}
