//! Vault's HTTP API: the only place that knows its paths, headers and status codes.
//!
//! It holds no state and makes no rules: a request becomes a [`core_pipeline::Request`], a
//! [`core_pipeline::Reply`] becomes a response. A few endpoints must answer while the server is
//! sealed and are answered here: what the server is (`health`, `seal-status`, `leader`), and the
//! operations that shares authorise (`init`, `unseal`, `generate-root`, `rekey`).

mod ceremony;
mod cors;
mod early;
mod health;
mod incoming;
mod init;
mod redirect;
mod rekey;
mod render;
mod seal_status;
mod status;

use std::sync::Arc;

use base_types::{Error, ErrorKind, Namespace, Result};
use bytes::Bytes;
use core_engine_api::{Body, JsonLimits, Verb};
use core_pipeline::{Core, Flight, Landing, Peer, Request};
use early::Access;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::Full;

pub use early::{EARLY, Early};
pub use status::status;

/// The API in front of one core.
#[derive(Clone)]
pub struct Api {
    core: Arc<Core>,
    open: WithoutToken,
    limits: JsonLimits,
}

/// What a listener offers to requests without a token, beyond what every listener does.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutToken {
    /// Shares are enough to make a root token.
    pub generate_root: bool,
    pub metrics: bool,
    /// Shares are enough to replace the shares.
    pub rekey: bool,
}

/// The version that clients are told: that of the API they may expect, and ours.
pub const VERSION: &str = concat!("2.7.2+strongroom.", env!("CARGO_PKG_VERSION"));

/// What leaves through a listener.
pub type HttpResponse = Response<Full<Bytes>>;

impl Api {
    /// `limits` are for the bodies of requests.
    pub fn new(core: Arc<Core>, open: WithoutToken, limits: JsonLimits) -> Self {
        Self { core, open, limits }
    }

    /// Answers one request whose body has been read.
    pub async fn answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        peer: Peer,
    ) -> HttpResponse {
        let page = match cors::Page::of(&self.core, uri, headers) {
            Ok(page) => page,
            Err(refusal) => return *refusal,
        };
        if let Some(page) = &page
            && method == Method::OPTIONS
        {
            return page.preflight(headers);
        }
        let mut response = match self.try_answer(method, uri, headers, body, peer).await {
            Ok(response) => response,
            Err(error) => render::error(&error),
        };
        if let Some(page) = page {
            page.admit(response.headers_mut());
        }
        response
    }

    async fn try_answer(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        peer: Peer,
    ) -> Result<HttpResponse> {
        if let Some(response) = redirect::to_clean_path(uri) {
            return Ok(response);
        }
        let target = incoming::Target::parse(method, uri)?;
        // Boxed, since its state would make every other request larger.
        if let Some(early) = Early::find(&target.path)
            && let Some(response) =
                Box::pin(self.early(early, method, &target, headers, &body, &peer)).await
        {
            return response;
        }
        if target.verb == Verb::Patch
            && let Some(refusal) = refuse_other_than_merge_patch(headers)
        {
            return Ok(refusal);
        }
        let repeats_data = render::repeats_data(&target.path);
        let parts = incoming::Parts { target, headers, body, peer };
        let request = incoming::request(&*self.core.random, &self.limits, parts)?;
        let _landing = self.begin(method, uri, &request);
        let namespace = request.namespace.clone();
        let help = request.help.then(|| request.path.clone());
        let reply = self.core.handle(request).await;
        let mut response = match (help, &reply.outcome) {
            (Some(path), Ok(_)) => self.help(&namespace, path.as_str())?,
            _ => render::reply(reply, repeats_data),
        };
        // Clients show it with an error. What is no ASCII cannot stand in a header.
        if let Ok(name) = HeaderValue::from_str(namespace.as_str())
            && !namespace.is_root()
        {
            response.headers_mut().insert("x-vault-namespace", name);
        }
        Ok(response)
    }

    /// The request shows in `sys/in-flight-req` for as long as this lives.
    fn begin(&self, method: &Method, uri: &Uri, request: &Request) -> Landing {
        let core = &self.core;
        let flight = Flight {
            start: core.clock.now(),
            remote: request.peer.remote,
            method: method.clone(),
            uri: uri.clone(),
        };
        core.in_flight.begin(request.id.clone(), flight)
    }

    /// What may be asked of a path, for a caller who may know it.
    fn help(&self, namespace: &Namespace, path: &str) -> Result<HttpResponse> {
        let nothing = || Error::not_found("unsupported path");
        let mount = self.core.mount_of(namespace, path).ok_or_else(nothing)?;
        let full_path = format!("{namespace}{path}");
        let below = full_path.strip_prefix(mount.full_path.as_str()).unwrap_or_default();
        render::data(&core_system::help(&mount, below).ok_or_else(nothing)?)
    }

    /// `None` leaves the request to the pipeline.
    async fn early(
        &self,
        early: &Early,
        method: &Method,
        target: &incoming::Target,
        headers: &HeaderMap,
        body: &Bytes,
        peer: &Peer,
    ) -> Option<Result<HttpResponse>> {
        let (core, path) = (&self.core, early.path);
        let asking = ceremony::Asking { core, headers, peer, verb: target.verb, path, body };
        match early.access {
            Access::Anybody => {}
            Access::Ceremony(is_open) => {
                if let Err(error) = asking.check_may_begin(is_open(&self.open)).await {
                    return Some(Err(error));
                }
            }
            Access::Metrics if self.open.metrics && target.verb == Verb::Read => {}
            Access::WhileSealed if core.is_sealed() && target.verb == Verb::Write => {}
            Access::Metrics | Access::WhileSealed => return None,
        }
        let body = match target.verb {
            Verb::Write | Verb::Delete => Body::json_within(body.clone(), &self.limits),
            _ => Ok(Body::Empty),
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => return Some(Err(error)),
        };
        Some(match (path, method.as_str()) {
            ("health", "GET" | "HEAD") => health::health(core, target).await,
            ("seal-status", "GET") => seal_status::status(core).await,
            ("leader", "GET") => health::leader(),
            ("init", "GET") => init::read(core).await,
            ("init", "PUT" | "POST") => init::initialize(core, &body).await,
            ("unseal", "PUT" | "POST") => seal_status::unseal(core, &body).await,
            ("seal", "PUT" | "POST") => Ok(render::empty()),
            ("metrics", "GET") => {
                let format = target.query("format").unwrap_or_default();
                core_system::metrics(core, format).await.map(render::raw)
            }
            ("generate-root/attempt" | "generate-root/update", _) => {
                ceremony::generate_root(&asking, method, &body).await
            }
            _ if path.starts_with("rekey") => rekey::rekey(&asking, method, &body).await,
            _ => Err(Error::new(ErrorKind::Unsupported, "")),
        })
    }
}

/// The only way to say what a patch does to the fields that it does not name (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

fn refuse_other_than_merge_patch(headers: &HeaderMap) -> Option<HttpResponse> {
    match incoming::media_type(headers) {
        Some(MERGE_PATCH) => None,
        None => Some(render::refused(StatusCode::BAD_REQUEST, "mime: no media type")),
        Some(other) => Some(render::refused(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            &format!("PATCH requires Content-Type of {MERGE_PATCH}, provided {other}"),
        )),
    }
}
