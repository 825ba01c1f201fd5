use base_types::{Error, ErrorKind};
use bytes::Bytes;
use core_engine_api::Raw;
use core_pipeline::Reply;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::{HttpResponse, status};

/// `repeats_data` adds the members of `data` to the envelope itself, as some old paths do.
pub(crate) fn reply(reply: Reply, repeats_data: bool) -> HttpResponse {
    let outcome = match reply.outcome {
        Ok(outcome) => outcome,
        Err(failure) => return error(&failure),
    };
    if let Some(answer) = outcome.raw {
        return raw(answer);
    }
    if outcome.is_empty() {
        return if outcome.accepted { accepted() } else { empty() };
    }
    if outcome.absent && outcome.data.is_none() && outcome.warnings.is_empty() {
        return with_type(StatusCode::NOT_FOUND, "application/json", Bytes::new());
    }
    let status = match (outcome.absent, outcome.accepted) {
        (true, _) => StatusCode::NOT_FOUND,
        (false, true) => StatusCode::ACCEPTED,
        (false, false) => StatusCode::OK,
    };
    match core_pipeline::json(&reply.request_id, &outcome) {
        Ok(text) => {
            let data = outcome.data.as_deref().filter(|_| repeats_data && outcome.wrap.is_none());
            let text = data.and_then(|data| merged(data.get(), &text)).unwrap_or(text);
            match outcome.absent {
                // As in Vault, which makes these answers by other means: without a line's end.
                true => with_type(status, "application/json", text.into()),
                false => json(status, text.into()),
            }
        }
        Err(failure) => error(&failure),
    }
}

/// The old paths whose answers have the members of `data` beside it once more, as clients from before
/// the envelope expect them.
pub(crate) fn repeats_data(path: &str) -> bool {
    const EXACT: [&str; 12] = [
        "audit",
        "auth",
        "capabilities",
        "capabilities-accessor",
        "capabilities-self",
        "config/auditing/request-headers",
        "config/cors",
        "ha-status",
        "key-status",
        "mounts",
        "policy",
        "remount",
    ];
    const BELOW: [&str; 6] = [
        "audit-hash/",
        "audit/",
        "auth/",
        "config/auditing/request-headers/",
        "mounts/",
        "policy/",
    ];
    path.strip_prefix("sys/").is_some_and(|path| {
        EXACT.contains(&path) || BELOW.iter().any(|folder| path.starts_with(folder))
    })
}

/// The members of two JSON objects in one; `None` if one of them has none.
fn merged(a: &str, b: &str) -> Option<String> {
    let inside = |text: &'_ str| -> Option<String> {
        let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        (!inside.is_empty()).then(|| inside.to_owned())
    };
    Some(format!("{{{},{}}}", inside(a)?, inside(b)?))
}

/// Vault's shape of a failure. An empty text is an empty list.
pub(crate) fn error(failure: &Error) -> HttpResponse {
    let mut response = refused(status(failure.kind()), failure.public());
    if failure.is(ErrorKind::RateLimited) {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(crate) fn refused(status: StatusCode, text: &str) -> HttpResponse {
    #[derive(Serialize)]
    struct Failure<'a> {
        errors: &'a [&'a str],
    }
    let text = [text];
    let errors = if text[0].is_empty() { &[][..] } else { &text[..] };
    json(status, serde_json::to_vec(&Failure { errors }).unwrap_or_default())
}

/// # Panics
/// Never: the status is one of ours and the header values are constants.
pub(crate) fn json(status: StatusCode, mut body: Vec<u8>) -> HttpResponse {
    body.push(b'\n');
    with_type(status, "application/json", body.into())
}

/// What is no JSON envelope.
pub(crate) fn raw(raw: Raw) -> HttpResponse {
    with_type(StatusCode::OK, raw.content_type, raw.body.into())
}

pub(crate) fn data(data: &impl Serialize) -> base_types::Result<HttpResponse> {
    let body = serde_json::to_vec(data).map_err(Error::internal)?;
    Ok(json(StatusCode::OK, body))
}

/// The work goes on after the answer, about which there is nothing to say.
fn accepted() -> HttpResponse {
    with_type(StatusCode::ACCEPTED, "application/json", Bytes::new())
}

pub(crate) fn empty() -> HttpResponse {
    with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new())
}

fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
