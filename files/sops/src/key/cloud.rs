//! What the services of cloud providers have in common: JSON over HTTPS.

use base_http::ClientTls;
use base_types::Secret;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

/// A request with a body in JSON, from the owner of a token.
pub(super) fn post_json(
    address: &str,
    token: &Secret<String>,
    body: &impl Serialize,
) -> Result<Request<Bytes>, String> {
    let request = Request::post(address)
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, bearer(token)?)
        .body(json(body));
    request.map_err(|_| format!("'{address}' is no address"))
}

/// What a body in JSON has room for, in bytes: more than any that wraps a data key. Where it grew, a
/// part of the key would stay behind.
const BODY_LENGTH: usize = 16 << 10;

/// A body in JSON, which is wiped once it is sent: it may hold a data key.
pub(super) fn json(body: &impl Serialize) -> Bytes {
    let mut text = Zeroizing::new(Vec::with_capacity(BODY_LENGTH));
    serde_json::to_writer(&mut *text, body).expect("texts under names become JSON");
    Bytes::from_owner(text)
}

/// A request for what is at an address, from the owner of a token.
pub(super) fn get(address: &str, token: &Secret<String>) -> Result<Request<Bytes>, String> {
    let request = Request::get(address).header(AUTHORIZATION, bearer(token)?).body(Bytes::new());
    request.map_err(|_| format!("'{address}' is no address"))
}

/// All that is not unreserved in an address (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request with the fields of a form.
pub(super) fn post_form(address: &str, fields: &[(&str, &str)]) -> Result<Request<Bytes>, String> {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let pairs = fields.iter().map(|(key, value)| format!("{key}={}", encode(value)));
    let body = Zeroizing::new(pairs.collect::<Vec<_>>().join("&"));
    let request = Request::post(address)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        .body(Bytes::from_owner(body));
    request.map_err(|_| format!("'{address}' is no address"))
}

fn bearer(token: &Secret<String>) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
        .map_err(|_| "the access token is none that a request can hold")?;
    value.set_sensitive(true);
    Ok(value)
}

/// The answer to a request, if it is a success.
pub(super) fn send(request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let answer = base_http::send(request, &ClientTls::default());
    let answer = answer.map_err(|error| error.public().to_owned())?;
    match answer.status().is_success() {
        true => Ok(answer),
        false => Err(format!("{} ({})", reason(answer.body()), answer.status())),
    }
}

/// The answer to a request, if it is a success in JSON.
pub(super) fn ask<T: for<'de> Deserialize<'de>>(request: Request<Bytes>) -> Result<T, String> {
    serde_json::from_slice(send(request)?.body())
        .map_err(|_| "the service answers with something else".to_owned())
}

/// What a service says of an error, wherever it puts it.
fn reason(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let places =
        ["/error/message", "/message", "/Message", "/error_description", "/__type", "/error"];
    let texts = places.iter().filter_map(|place| value.pointer(place)?.as_str());
    if let Some(text) = texts.into_iter().next() {
        return text.trim().to_owned();
    }
    let text = String::from_utf8_lossy(body);
    element(&text, "Message").unwrap_or("the service refuses").to_owned()
}

/// The text of the first element of this name in the XML that AWS answers in, for texts without
/// characters that XML would escape.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}
