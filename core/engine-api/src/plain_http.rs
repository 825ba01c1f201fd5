use base_tls::ClientTls;
use base_types::{BoxFuture, Error, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::{Outbound, Pod};

/// Plain HTTP/1.1 for the tests of engines, from within a pod of their choice.
#[derive(Default)]
pub struct PlainHttp {
    pub pod: Pod,
}

impl Outbound for PlainHttp {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        _: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>> {
        Box::pin(async move {
            // A runtime may end between two requests, and takes its connections along.
            let client = Client::builder(TokioExecutor::new()).build_http();
            let failed = |error: &dyn std::error::Error| {
                Error::unavailable("the other system does not answer").because(error)
            };
            let answer = client.request(request.map(Full::new)).await;
            let (head, body) = answer.map_err(|error| failed(&error))?.into_parts();
            let body = body.collect().await.map_err(|error| failed(&error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        })
    }

    fn pod(&self) -> BoxFuture<'_, Pod> {
        Box::pin(async { self.pod.clone() })
    }
}
