use std::sync::Arc;
use std::time::Duration;

use base_crypto::Random;
use base_sigv4::Scope;
use base_types::{Clock, Error, Result};
use bytes::Bytes;
use core_engine_api::{ClientTls, Outbound};
use http::Request;
use http::header::CONTENT_TYPE;

use crate::access_key::AccessKey;
use crate::endpoint::Endpoint;
use crate::fault::{Fault, Refusal};
use crate::query::{Query, Service};
use crate::xml::Element;

/// IAM and STS, as the holder of one key sees them.
pub(crate) struct Client {
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) iam: Endpoint,
    pub(crate) sts: Endpoint,
    pub(crate) key: AccessKey,
    /// How often a call is made again that AWS could not carry out.
    pub(crate) retries: u32,
}

/// Who holds a key, by AWS's own word.
pub(crate) struct Identity {
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// The longest pause before the first retry; it doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Far beyond any list of a user's or group's belongings.
const PAGES_MAX: usize = 100;

impl Client {
    /// Makes a call, and makes it again after a pause if AWS is too busy.
    ///
    /// # Errors
    /// What AWS refuses with; `Unavailable` if it is still too busy or cannot be reached;
    /// `Upstream` if its answer cannot be read.
    pub(crate) async fn call(&self, query: &Query) -> Result<Element, Fault> {
        let mut retry = 0;
        loop {
            let refusal = match self.attempt(query).await {
                Err(Fault::Refused(refusal)) => refusal,
                outcome => return outcome,
            };
            let is_throttled = refusal.is_throttling();
            if !is_throttled && !refusal.status.is_server_error() {
                return Err(Fault::Refused(refusal));
            }
            if retry == self.retries || !(is_throttled || query.is_repeatable()) {
                return Err(Fault::Failed(Error::unavailable(refusal.to_string())));
            }
            tokio::time::sleep(pause(retry, &*self.random)).await;
            retry += 1;
        }
    }

    async fn attempt(&self, query: &Query) -> Result<Element, Fault> {
        let Endpoint { url, region } = match query.service {
            Service::Iam => &self.iam,
            Service::Sts => &self.sts,
        };
        let request = Request::post(url.join(&[])?)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(query.body())
            .map_err(Error::internal)?;
        let scope = Scope { region, service: query.service.name() };
        let request: Request<Bytes> = self.key.sign(request, &scope, self.clock.now())?;
        let answer = self.outbound.send(request, &ClientTls::default()).await?;
        if answer.status().is_success() {
            Ok(Element::parse(answer.body())?)
        } else {
            Err(Fault::Refused(Refusal::of(&answer)))
        }
    }

    /// The texts of all elements `name` in an answer of however many pages.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn list(&self, query: &Query, name: &str) -> Result<Vec<String>, Fault> {
        let (mut found, mut page) = (Vec::new(), query.clone());
        for _ in 0..PAGES_MAX {
            let answer = self.call(&page).await?;
            found.extend(answer.all(name));
            if answer.text("IsTruncated").ok() != Some("true") {
                return Ok(found);
            }
            page = query.clone().with("Marker", answer.text("Marker")?);
        }
        Err(Fault::Failed(Error::upstream("a list of AWS does not end")))
    }

    /// A call that every key may make.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn identity(&self) -> Result<Identity, Fault> {
        let answer = self.call(&Query::sts("GetCallerIdentity")).await?;
        let text = |name| answer.text(name).map(str::to_owned);
        Ok(Identity { account: text("Account")?, arn: text("Arn")? })
    }

    /// Whether AWS accepts the key, asked so often with pauses between: a new one takes seconds to be
    /// known everywhere.
    ///
    /// # Errors
    /// As [`Self::call`], but for what AWS refuses.
    pub(crate) async fn is_known(&self, tries: u32) -> Result<bool, Fault> {
        for tried in 0..tries {
            match self.identity().await {
                Ok(_) => return Ok(true),
                // It knew who it was.
                Err(fault) if fault.is("AccessDenied") => return Ok(true),
                Err(Fault::Refused(_)) if tried + 1 < tries => {
                    tokio::time::sleep(pause(tried, &*self.random)).await;
                }
                Err(Fault::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(false)
    }

    /// The same at another key.
    pub(crate) fn with_key(&self, key: AccessKey) -> Self {
        Self {
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            iam: self.iam.clone(),
            sts: self.sts.clone(),
            key,
            retries: self.retries,
        }
    }
}

/// Between half of it and all of it, so that those who failed together do not return together.
pub(crate) fn pause(retry: u32, random: &dyn Random) -> Duration {
    let longest = PAUSE_FIRST.saturating_mul(1 << retry.min(16)).min(PAUSE_MAX);
    let mut byte = [0];
    random.fill(&mut byte);
    longest / 2 + longest / 2 * u32::from(byte[0]) / 255
}
