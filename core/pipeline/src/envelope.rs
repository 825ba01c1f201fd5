use base_types::{Error, Result, Timestamp, Ttl};
use core_engine_api::{AuthReply, WrapReply};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::reply::Outcome;

/// Vault's JSON envelope around an answer. A wrapped answer is stored as this text too, so it is
/// made here and not in the facade.
///
/// # Errors
/// `Internal` if it cannot be written, which plain structs always can.
pub fn json(request_id: &str, outcome: &Outcome) -> Result<String> {
    let envelope = Envelope {
        // As in Vault: who reads the wrapped answer later finds its request there.
        request_id: if outcome.wrap.is_some() { "" } else { request_id },
        lease_id: &outcome.lease_id,
        renewable: outcome.renewable,
        lease_duration: outcome.lease_duration,
        data: outcome.data.as_deref(),
        wrap_info: outcome.wrap.as_ref().map(WrapInfo::from),
        warnings: (!outcome.warnings.is_empty()).then_some(&outcome.warnings),
        auth: outcome.auth.as_ref().map(Auth::from),
    };
    serde_json::to_string(&envelope).map_err(Error::internal)
}

#[derive(Serialize)]
struct Envelope<'a> {
    request_id: &'a str,
    lease_id: &'a str,
    renewable: bool,
    lease_duration: Ttl,
    data: Option<&'a RawValue>,
    wrap_info: Option<WrapInfo<'a>>,
    warnings: Option<&'a Vec<String>>,
    auth: Option<Auth<'a>>,
}

#[derive(Serialize)]
struct Auth<'a> {
    client_token: &'a str,
    accessor: &'a str,
    policies: &'a [String],
    #[serde(skip_serializing_if = "slice_is_empty")]
    token_policies: &'a [String],
    #[serde(skip_serializing_if = "slice_is_empty")]
    identity_policies: &'a [String],
    metadata: Option<&'a std::collections::BTreeMap<String, String>>,
    lease_duration: Ttl,
    renewable: bool,
    entity_id: &'a str,
    token_type: &'a str,
    orphan: bool,
    mfa_requirement: Option<()>,
    num_uses: u64,
}

fn slice_is_empty(slice: &[String]) -> bool {
    slice.is_empty()
}

impl<'a> From<&'a AuthReply> for Auth<'a> {
    fn from(auth: &'a AuthReply) -> Self {
        Self {
            client_token: auth.client_token.as_ref().map_or("", |token| token.expose()),
            accessor: &auth.accessor,
            policies: &auth.policies,
            token_policies: &auth.token_policies,
            identity_policies: &auth.identity_policies,
            metadata: (!auth.metadata.is_empty()).then_some(&auth.metadata),
            lease_duration: auth.lease_duration,
            renewable: auth.renewable,
            entity_id: &auth.entity_id,
            token_type: &auth.token_type,
            orphan: auth.orphan,
            mfa_requirement: None,
            num_uses: auth.num_uses,
        }
    }
}

#[derive(Serialize)]
struct WrapInfo<'a> {
    token: &'a str,
    accessor: &'a str,
    ttl: Ttl,
    creation_time: Timestamp,
    creation_path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    wrapped_accessor: &'a str,
}

impl<'a> From<&'a WrapReply> for WrapInfo<'a> {
    fn from(wrap: &'a WrapReply) -> Self {
        Self {
            token: wrap.token.expose(),
            accessor: &wrap.accessor,
            ttl: wrap.ttl,
            creation_time: wrap.creation_time,
            creation_path: &wrap.creation_path,
            wrapped_accessor: &wrap.wrapped_accessor,
        }
    }
}
