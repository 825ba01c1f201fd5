use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;

use super::{Peer, Service, forwarded};
use crate::config::{self, METRICS_PATH, MetricsAccess};

/// One request and its answer, by the rules of the listener.
#[derive(Clone)]
pub(super) struct Exchange<S> {
    service: S,
    config: Arc<config::Listener>,
}

impl<S: Service> Exchange<S> {
    pub(super) fn new(service: S, config: config::Listener) -> Self {
        Self { service, config: Arc::new(config) }
    }

    pub(super) async fn answer(
        self,
        mut request: Request<Incoming>,
        peer: Arc<Peer>,
    ) -> Response<Full<Bytes>> {
        let config = self.config.clone();
        let mut response = match config.admit(&mut request, peer) {
            Ok(peer) => self.call(request, peer).await,
            Err(Refused(status, text)) => refusal(status, &text),
        };
        let status = response.status();
        config.response_headers.apply(status, response.headers_mut());
        response
    }

    /// A request that only reads ends with its client or its time; any other runs on, so that no
    /// operation is left half done because somebody hung up.
    async fn call(self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Full<Bytes>> {
        let time = self.config.limits.request_duration;
        let outcome = if only_reads(request.method()) {
            tokio::time::timeout(time, self.service.call(request, peer)).await.map(Ok)
        } else {
            let service = self.service;
            let work = tokio::spawn(async move { service.call(request, peer).await });
            tokio::time::timeout(time, work).await
        };
        match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                tracing::error!(%error, "a request ended in a panic");
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            }
            Err(_) => refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!(
                    "the request took longer than {}s (max_request_duration); if it was to change \
                     something, it may still do so",
                    time.as_secs()
                ),
            ),
        }
    }
}

/// What the listener refuses by itself, with the text for the client.
struct Refused(StatusCode, String);

impl config::Listener {
    /// Applies what the listener has to say before the service sees the request, and finds who
    /// sent it.
    fn admit(
        &self,
        request: &mut Request<Incoming>,
        peer: Arc<Peer>,
    ) -> Result<Arc<Peer>, Refused> {
        check_metrics(&self.metrics.access, request.uri_mut())?;
        let (Some(rules), Some(remote)) = (&self.forwarded, peer.remote) else { return Ok(peer) };
        let client = forwarded::client(rules, remote, request.headers_mut())
            .map_err(|text| Refused(StatusCode::BAD_REQUEST, text))?;
        Ok(Arc::new(Peer { remote: Some(client), ..Peer::clone(&peer) }))
    }
}

fn only_reads(method: &Method) -> bool {
    matches!(method.as_str(), "GET" | "HEAD" | "LIST" | "OPTIONS" | "SCAN")
}

fn check_metrics(access: &MetricsAccess, uri: &mut Uri) -> Result<(), Refused> {
    match access {
        MetricsAccess::Allowed => Ok(()),
        // Decoded as it will be later, or another spelling of the path would do.
        MetricsAccess::Forbidden if percent_decode_str(uri.path()).eq(METRICS_PATH.bytes()) => {
            let text = "metrics endpoint is disabled for this listener";
            Err(Refused(StatusCode::FORBIDDEN, text.to_owned()))
        }
        MetricsAccess::Forbidden => Ok(()),
        MetricsAccess::Only(path) if uri.path() == path => {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let target = format!("{METRICS_PATH}{query}");
            *uri = target.parse().expect("a path that is known and a query that was parsed");
            Ok(())
        }
        MetricsAccess::Only(_) => {
            let text = "this listener only serves the metrics endpoint";
            Err(Refused(StatusCode::NOT_FOUND, text.to_owned()))
        }
    }
}

/// An answer of the listener itself, in the form of Vault's errors.
pub(crate) fn refusal(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errors": [text] }).to_string();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(access: &MetricsAccess, uri: &str) -> Result<String, u16> {
        let mut uri: Uri = uri.parse().unwrap();
        let outcome = check_metrics(access, &mut uri);
        outcome.map(|()| uri.to_string()).map_err(|Refused(status, _)| status.as_u16())
    }

    #[test]
    fn metrics_have_a_listener_of_their_own_or_none() {
        use MetricsAccess::{Allowed, Forbidden, Only};
        let only = Only("/metrics".to_owned());
        for (access, uri, outcome) in [
            (&Allowed, "/v1/sys/metrics", Ok("/v1/sys/metrics")),
            (&Forbidden, "/v1/sys/metrics?format=prometheus", Err(403)),
            (&Forbidden, "/v1/sys/%6detrics", Err(403)),
            (&Forbidden, "/v1/sys/health", Ok("/v1/sys/health")),
            (&only, "/metrics?format=prometheus", Ok("/v1/sys/metrics?format=prometheus")),
            (&only, "/metrics", Ok("/v1/sys/metrics")),
            (&only, "/v1/sys/metrics", Err(404)),
            (&only, "/v1/sys/health", Err(404)),
        ] {
            assert_eq!(check(access, uri), outcome.map(str::to_owned), "{access:?} {uri}");
        }
    }
}
