use std::fmt;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use crate::config::Limits;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyError {
    /// The client went away or broke the protocol: 400.
    Broken,
    /// It is larger than `max_request_size`: 413.
    TooLarge,
    /// It took longer than `http_read_timeout`: 408.
    TooSlow,
}

/// Reads a whole body within the limits of its listener.
///
/// # Errors
/// As [`BodyError`] says; nothing beyond the limit is ever kept in memory.
pub async fn read_body(body: Incoming, limits: &Limits) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let most = limits.request_size.unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(BodyError::TooLarge);
    }
    let read = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX)).collect();
    let time = limits.body.unwrap_or(limits.request_duration);
    match tokio::time::timeout(time, read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::TooSlow),
    }
}

impl BodyError {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the request body ended early",
            Self::TooLarge => "request body too large",
            Self::TooSlow => "the request body took too long to arrive",
        })
    }
}

impl std::error::Error for BodyError {}
