use std::sync::Arc;
use std::time::Duration;

use base_types::{BoxFuture, Error};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Handle;

use super::{Batch, Sink, Tail, Written};

/// Sends a request and returns the status of the answer. The server gives one that speaks TLS;
/// without it only plain `http` addresses can be used.
pub trait HttpPoster: Send + Sync + 'static {
    /// # Errors
    /// When no answer came.
    fn post(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Error>>;
}

/// Plain HTTP/1.1.
pub(crate) struct PlainPoster(Client<HttpConnector, Full<Bytes>>);

impl PlainPoster {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }
}

impl HttpPoster for PlainPoster {
    fn post(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Error>> {
        let answer = self.0.request(request.map(Full::new));
        Box::pin(async move {
            let failed = |log: String| Error::unavailable("no answer").because(log);
            let answer = answer.await.map_err(|error| failed(error.to_string()))?;
            let status = answer.status();
            // The connection can only be used again when the answer has been read.
            answer.into_body().collect().await.map_err(|error| failed(error.to_string()))?;
            Ok(status)
        })
    }
}

/// Lines as bodies of POST requests, as many in one as are waiting.
pub(crate) struct HttpSink {
    uri: Uri,
    headers: HeaderMap,
    poster: Arc<dyn HttpPoster>,
    runtime: Handle,
}

const TIMEOUT: Duration = Duration::from_secs(10);

impl HttpSink {
    /// `runtime` is where the poster's input and output are driven.
    pub(crate) fn new(
        uri: Uri,
        headers: HeaderMap,
        poster: Arc<dyn HttpPoster>,
        runtime: Handle,
    ) -> Self {
        Self { uri, headers, poster, runtime }
    }

    fn request(&self, batch: &Batch) -> Request<Bytes> {
        let mut request = Request::new(Bytes::copy_from_slice(&batch.bytes));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let ndjson = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(CONTENT_TYPE, ndjson);
        request.headers_mut().extend(self.headers.clone());
        request
    }
}

impl Sink for HttpSink {
    fn open(&mut self) -> Result<Tail, Error> {
        Ok(Tail::default())
    }

    fn write(&mut self, batch: &Batch) -> Written {
        let answer = self.poster.post(self.request(batch));
        let answer = self.runtime.block_on(async { tokio::time::timeout(TIMEOUT, answer).await });
        // The query may carry a token of the receiver, so the place is the host alone.
        let place = self.uri.host().unwrap_or_default();
        let fail = |what: String| Written::broken(0, Error::unavailable(what).at(place));
        match answer {
            Ok(Ok(status)) if status.is_success() => Written::all(batch),
            Ok(Ok(status)) => fail(format!("the receiver answered {status}")),
            Ok(Err(error)) => Written::broken(0, error.at(place)),
            Err(_) => fail(format!("no answer in {} seconds", TIMEOUT.as_secs())),
        }
    }

    fn close(&mut self) {}
}
