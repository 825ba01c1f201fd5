use std::sync::Arc;

use api_vault::Api;
use base_types::Error;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::config::Limits;
use crate::listener::{BodyError, Peer, Service, read_body};

/// The API behind the listeners.
#[derive(Clone)]
pub(crate) struct Front {
    api: Api,
    /// One for each listener.
    limits: Arc<[Limits]>,
}

impl Front {
    pub(crate) fn new(api: Api, limits: Arc<[Limits]>) -> Self {
        Self { api, limits }
    }
}

impl Service for Front {
    async fn call(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = match read_body(body, &self.limits[peer.listener]).await {
            Ok(body) => body,
            Err(error) => return api_vault::refusal(&refusal(error)),
        };
        let peer = core_pipeline::Peer { remote: peer.remote, certificates: peer.certificates.clone() };
        self.api.answer(&head.method, &head.uri, &head.headers, body, peer).await
    }
}

fn refusal(error: BodyError) -> Error {
    match error {
        BodyError::TooLarge => Error::too_large(error.to_string()),
        BodyError::Broken | BodyError::TooSlow => Error::invalid(error.to_string()),
    }
}
