use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{Error, Result};

/// A successful answer, read whole.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub body: Bytes,
}

impl Response {
    /// The body as `T`.
    ///
    /// # Errors
    /// `Malformed` if it is not that JSON; the text never quotes the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        parse(&self.body)
    }

    /// The envelope, or `None` for an empty answer (204).
    ///
    /// # Errors
    /// `Malformed` if the body is not an envelope.
    pub fn secret(&self) -> Result<Option<SecretResponse>> {
        envelope(&self.body)
    }
}

/// The envelope that nearly every path answers with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SecretResponse {
    pub request_id: String,
    pub lease_id: String,
    /// In seconds.
    pub lease_duration: i64,
    pub renewable: bool,
    /// Kept as it came: what it means depends on the path, and numbers keep their digits.
    pub data: Option<Box<RawValue>>,
    pub warnings: Option<Vec<String>>,
    pub auth: Option<Auth>,
    pub wrap_info: Option<WrapInfo>,
}

impl SecretResponse {
    /// The data as `T`.
    ///
    /// # Errors
    /// `Malformed` if there is none, or it is something else.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T> {
        match &self.data {
            Some(data) => parse(data.get().as_bytes()),
            None => Err(Error::Malformed("data from server response is empty".to_owned())),
        }
    }

    /// Whether the answer says anything beyond its own frame.
    fn says_something(&self) -> bool {
        let data = self.data.as_deref().map_or("null", RawValue::get);
        !matches!(data, "null" | "{}")
            || self.warnings.as_ref().is_some_and(|list| !list.is_empty())
    }
}

/// What a login or a token's creation gives.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Auth {
    pub client_token: String,
    pub accessor: String,
    pub policies: Option<Vec<String>>,
    pub token_policies: Option<Vec<String>>,
    pub identity_policies: Option<Vec<String>>,
    pub metadata: Option<BTreeMap<String, String>>,
    pub orphan: bool,
    pub entity_id: String,
    /// In seconds; zero for a token that does not expire.
    pub lease_duration: i64,
    pub renewable: bool,
    pub mfa_requirement: Option<serde_json::Value>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").field("accessor", &self.accessor).finish_non_exhaustive()
    }
}

/// Where a wrapped answer waits.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct WrapInfo {
    pub token: String,
    pub accessor: String,
    /// In seconds.
    pub ttl: i64,
    pub creation_time: String,
    pub creation_path: String,
    pub wrapped_accessor: String,
}

impl std::fmt::Debug for WrapInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WrapInfo").field("accessor", &self.accessor).finish_non_exhaustive()
    }
}

/// The envelope of a 404 answer that carries data or warnings after all; a bare 404 is `None`.
pub(crate) fn envelope_of_not_found(body: &[u8]) -> Option<SecretResponse> {
    envelope(body).ok().flatten().filter(SecretResponse::says_something)
}

fn envelope(body: &[u8]) -> Result<Option<SecretResponse>> {
    if body.trim_ascii().is_empty() { Ok(None) } else { parse(body).map(Some) }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // serde_json's own text can quote the value; the kind and the place cannot.
        let kind = match error.classify() {
            serde_json::error::Category::Data => "has an unexpected shape",
            serde_json::error::Category::Eof => "ends too early",
            serde_json::error::Category::Io | serde_json::error::Category::Syntax => "is not JSON",
        };
        let place = format!("line {} column {}", error.line(), error.column());
        Error::Malformed(format!("the server's answer {kind} ({place})"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn data_keeps_its_digits() {
        let body = br#"{"request_id":"r","data":{"n":12345678901234567890.10}}"#;
        let answer = Response { status: 200, body: Bytes::from_static(body) };
        let secret = answer.secret().unwrap().unwrap();
        assert_eq!(secret.data.unwrap().get(), r#"{"n":12345678901234567890.10}"#);
    }

    #[test]
    fn only_a_404_with_content_is_an_answer() {
        assert!(envelope_of_not_found(br#"{"errors":[]}"#).is_none());
        assert!(envelope_of_not_found(b"<html>").is_none());
        assert!(envelope_of_not_found(br#"{"data":{}}"#).is_none());
        assert!(envelope_of_not_found(br#"{"data":{"metadata":{}}}"#).is_some());
        assert!(envelope_of_not_found(br#"{"warnings":["w"]}"#).is_some());
    }

    #[test]
    fn a_malformed_answer_is_never_quoted() {
        let answer =
            Response { status: 200, body: Bytes::from_static(b"{\"renewable\":\"hunter2\"}") };
        let error = answer.secret().unwrap_err().to_string();
        assert!(!error.contains("hunter2") && error.contains("line 1"), "{error}");
    }

    #[test]
    fn tokens_stay_out_of_debug() {
        let auth = Auth { client_token: "s.abc".to_owned(), ..Auth::default() };
        let wrap = WrapInfo { token: "s.abc".to_owned(), ..WrapInfo::default() };
        assert!(!format!("{auth:?}{wrap:?}").contains("s.abc"));
    }
}
