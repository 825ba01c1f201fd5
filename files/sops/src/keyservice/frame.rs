//! Messages within the body of a call.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Body;

/// Before the length, a byte says whether the message is compressed; none is.
const LEAD: usize = 5;

/// Wrapped data keys have some kilobytes.
pub(super) const BODY_MAX: usize = 1 << 20;

pub(super) const CONTENT_TYPE: &str = "application/grpc";

pub(super) fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(LEAD + message.len());
    frame.push(0);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// The one message of a body, and its trailers.
pub(super) async fn message<B>(body: B) -> Option<(Bytes, http::HeaderMap)>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = Limited::new(body, BODY_MAX).collect().await.ok()?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let bytes = collected.to_bytes();
    if bytes.is_empty() {
        return Some((bytes, trailers));
    }
    let (lead, _) = bytes.split_first_chunk::<LEAD>()?;
    let length = u32::from_be_bytes([lead[1], lead[2], lead[3], lead[4]]);
    let fits = lead[0] == 0 && bytes.len() - LEAD == usize::try_from(length).ok()?;
    fits.then(|| (bytes.slice(LEAD..), trailers))
}
