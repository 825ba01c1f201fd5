use base_types::{Error, ErrorKind};
use bytes::Bytes;
use core_pipeline::Reply;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::{HttpResponse, status};

pub(crate) fn reply(reply: Reply) -> HttpResponse {
    let outcome = match reply.outcome {
        Ok(outcome) => outcome,
        Err(failure) => return error(&failure),
    };
    if let Some(raw) = outcome.raw {
        return with_type(StatusCode::OK, raw.content_type, raw.body.into());
    }
    if outcome.is_empty() {
        return empty();
    }
    let status = if outcome.absent { StatusCode::NOT_FOUND } else { StatusCode::OK };
    match core_pipeline::json(&reply.request_id, &outcome) {
        Ok(text) => json(status, text.into()),
        Err(failure) => error(&failure),
    }
}

/// Vault's shape of a failure. An empty text is an empty list.
pub(crate) fn error(failure: &Error) -> HttpResponse {
    #[derive(Serialize)]
    struct Failure<'a> {
        errors: &'a [&'a str],
    }
    let text = [failure.public()];
    let errors = if text[0].is_empty() { &[][..] } else { &text[..] };
    let body = serde_json::to_vec(&Failure { errors }).unwrap_or_default();
    let mut response = json(status(failure.kind()), body);
    if failure.is(ErrorKind::RateLimited) {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// # Panics
/// Never: the status is one of ours and the header values are constants.
pub(crate) fn json(status: StatusCode, mut body: Vec<u8>) -> HttpResponse {
    body.push(b'\n');
    with_type(status, "application/json", body.into())
}

pub(crate) fn data(data: &impl Serialize) -> base_types::Result<HttpResponse> {
    let body = serde_json::to_vec(data).map_err(Error::internal)?;
    Ok(json(StatusCode::OK, body))
}

pub(crate) fn empty() -> HttpResponse {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
