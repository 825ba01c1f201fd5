use std::sync::Arc;

use bytes::Bytes;
use core_pipeline::{Core, Cors};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CACHE_CONTROL, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Response, StatusCode, Uri};

use crate::{HttpResponse, render};

/// A web page of another origin that may call the API.
/// <https://openbao.org/api-docs/system/config-cors/>
pub(crate) struct Page {
    cors: Arc<Cors>,
    origin: HeaderValue,
}

/// What such a page may ask. OpenBao does not name PATCH, so browsers know not to try it.
const METHODS: &str = "DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN";
/// How long a browser may remember the answer to a preflight.
const MAX_AGE_SECONDS: &str = "300";

impl Page {
    /// `None` for a request that no web page makes, or while CORS is off: then no answer has a header
    /// about it, and a browser keeps it to itself.
    ///
    /// # Errors
    /// The refusal of an origin that is not allowed, whatever it asks.
    pub(crate) fn of(
        core: &Core,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<Self>, Box<HttpResponse>> {
        let Some(origin) = headers.get(ORIGIN).filter(|origin| !origin.is_empty()) else {
            return Ok(None);
        };
        let Some(cors) = core.cors().filter(|_| uri.path().starts_with("/v1/")) else {
            return Ok(None);
        };
        let is_allowed =
            |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        if cors.allowed_origins.iter().any(is_allowed) {
            return Ok(Some(Self { origin: origin.clone(), cors }));
        }
        Err(Box::new(render::refused(StatusCode::FORBIDDEN, "origin not allowed")))
    }

    /// What a browser asks before it sends what a form could not.
    pub(crate) fn preflight(&self, headers: &HeaderMap) -> HttpResponse {
        let method = headers.get(ACCESS_CONTROL_REQUEST_METHOD);
        let is_allowed =
            method.is_some_and(|method| METHODS.split(',').any(|known| method == known));
        let mut response = Response::new(http_body_util::Full::<Bytes>::default());
        let answer = response.headers_mut();
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !is_allowed {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            return response;
        }
        self.admit(answer);
        let own = self.cors.headers().collect::<Vec<_>>().join(",");
        if let Ok(own) = HeaderValue::try_from(own) {
            answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, own);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE_SECONDS));
        response
    }

    /// Lets the browser show the answer to the page.
    pub(crate) fn admit(&self, answer: &mut HeaderMap) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        answer.append(VARY, HeaderValue::from_static("Origin"));
        if self.cors.allow_credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}
