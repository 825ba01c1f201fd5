use base_types::{Error, Result, Secret, Timestamp, Ttl};
use std::sync::Arc;

use base_crypto::Random;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use core_engine_api::Made;
use rcgen::PublicKeyData;
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::certificate::{Certificate, Issuing};
use crate::key::{KeyType, private_pem};
use crate::sql::Told;

/// What a new user is to log in with, before it is known when its lease ends.
pub(crate) enum Draft {
    Certificate { issuing: Box<Issuing>, common_name: String },
    Password(Secret<String>),
    PrivateKey { key_bits: u16 },
}

/// What a new user logs in with.
pub(crate) enum Proof {
    Certificate(Certificate),
    Password(Secret<String>),
    PrivateKey {
        private: Secret<String>,
        /// A `SubjectPublicKeyInfo` of RFC 5280, in base64 on one line.
        public: String,
    },
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rsa_private_key: Option<&'a str>,
    username: &'a str,
}

/// A certificate ends a little later than the lease: the one who removes the user is the server.
const GRACE: Ttl = Ttl::from_seconds(5);

impl Draft {
    /// Makes the keys.
    pub(crate) async fn finish(
        self,
        random: Arc<dyn Random>,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Proof> {
        match self {
            Self::Certificate { issuing, common_name } => {
                let ends = expires.plus(GRACE);
                let issue = move || issuing.issue(&common_name, &*random, now, ends);
                aside(issue).await.map(Proof::Certificate)
            }
            Self::Password(password) => Ok(Proof::Password(password)),
            Self::PrivateKey { key_bits } => {
                let key = aside(move || KeyType::Rsa.generate(key_bits, &*random)).await?;
                let public = BASE64_STANDARD.encode(key.subject_public_key_info());
                Ok(Proof::PrivateKey { private: private_pem(&key), public })
            }
        }
    }
}

/// What takes its time, beside all other work.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

impl Proof {
    /// What whoever asked for the user is told.
    pub(crate) fn made(&self, username: &str) -> Result<Made> {
        let none = Answer {
            client_certificate: None,
            password: None,
            private_key: None,
            private_key_type: None,
            rsa_private_key: None,
            username,
        };
        let answer = match self {
            Self::Certificate(certificate) => Answer {
                client_certificate: Some(&certificate.pem),
                private_key: Some(certificate.private_key.expose()),
                private_key_type: Some(certificate.key_type.name()),
                ..none
            },
            Self::Password(password) => Answer { password: Some(password.expose()), ..none },
            Self::PrivateKey { private, .. } => {
                Answer { rsa_private_key: Some(private.expose()), ..none }
            }
        };
        let expires = match self {
            Self::Certificate(certificate) => Some(certificate.ends),
            Self::Password(_) | Self::PrivateKey { .. } => None,
        };
        let data = to_raw_value(&answer).map_err(Error::internal)?;
        Ok(Made { data: Some(data), expires, ..Made::default() })
    }

    /// What statements say of it.
    pub(crate) fn told(&self) -> Told<'_> {
        match self {
            Self::Certificate(certificate) => Told::Subject(&certificate.subject),
            Self::Password(password) => Told::Password(password.expose()),
            Self::PrivateKey { public, .. } => Told::PublicKey(public),
        }
    }

    pub(crate) fn password(&self) -> Option<&Secret<String>> {
        match self {
            Self::Password(password) => Some(password),
            Self::Certificate(_) | Self::PrivateKey { .. } => None,
        }
    }
}
