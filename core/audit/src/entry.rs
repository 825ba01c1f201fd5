use base_types::{Timestamp, Ttl};
use serde_json::value::RawValue;

/// What is known when a request is about to be executed, or has been denied.
///
/// Everything is borrowed and plain. The field names are those of Vault's audit entries; an empty
/// text, a zero, `false` and an empty list are left out of the line, as Vault leaves them out.
/// Nothing here implements `Debug`, because tokens and data are still in the clear.
#[derive(Clone, Copy, Default)]
pub struct RequestEntry<'a> {
    pub auth: Auth<'a>,
    pub request: Request<'a>,
    /// Why the request is refused; empty when it goes on. It is written as it is, so it must not
    /// quote a value of the request.
    pub error: &'a str,
}

/// What is known when the reply is ready to leave.
#[derive(Clone, Copy)]
pub struct ResponseEntry<'a> {
    /// The entry that [`begin`](crate::Broker::begin) was given, unchanged.
    pub request: &'a RequestEntry<'a>,
    /// Who the caller has become: set by a login in place of the request's own `auth`.
    pub auth: Option<&'a Auth<'a>>,
    pub response: Response<'a>,
    /// Why the request failed; empty when it did not. Written as it is.
    pub error: &'a str,
}

/// A token, as it stands behind a request or comes out of one.
#[derive(Clone, Copy, Default)]
pub struct Auth<'a> {
    /// In the clear; written as its HMAC.
    pub client_token: &'a str,
    /// In the clear; written as its HMAC unless the device has `hmac_accessor=false`.
    pub accessor: &'a str,
    pub display_name: &'a str,
    pub policies: &'a [&'a str],
    pub token_policies: &'a [&'a str],
    pub identity_policies: &'a [&'a str],
    pub no_default_policy: bool,
    pub policy_results: Option<PolicyResults<'a>>,
    /// Names and values in the order in which they are written.
    pub metadata: &'a [(&'a str, &'a str)],
    /// How often a token that was just made can be used.
    pub num_uses: u64,
    /// How often the token of the request can still be used.
    pub remaining_uses: u64,
    pub entity_id: &'a str,
    pub entity_created: bool,
    /// `service`, `batch`, or `default` where there is no token.
    pub token_type: &'a str,
    pub token_ttl: Ttl,
    /// Written in whole seconds.
    pub token_issue_time: Option<Timestamp>,
}

/// What the policies said.
#[derive(Clone, Copy, Default)]
pub struct PolicyResults<'a> {
    pub allowed: bool,
    pub granting_policies: &'a [GrantingPolicy<'a>],
}

/// One policy that granted the request.
#[derive(Clone, Copy, Default)]
pub struct GrantingPolicy<'a> {
    pub name: &'a str,
    pub namespace_id: &'a str,
    pub namespace_path: &'a str,
    /// `acl`.
    pub kind: &'a str,
}

/// The request itself.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    pub id: &'a str,
    pub client_id: &'a str,
    pub replication_cluster: &'a str,
    /// `create`, `read`, `update`, `patch`, `delete`, `list`, `scan`, `help`, `revoke`, `renew`.
    pub operation: &'a str,
    /// All empty where no mount answers to the path.
    pub mount: Mount<'a>,
    /// In the clear; written as its HMAC.
    pub client_token: &'a str,
    /// In the clear; written as its HMAC unless the device has `hmac_accessor=false`.
    pub client_token_accessor: &'a str,
    pub namespace: NamespaceInfo<'a>,
    /// Relative to the namespace.
    pub path: &'a str,
    /// The body or the query as one JSON object; its string values are written as HMACs.
    pub data: Option<&'a RawValue>,
    pub policy_override: bool,
    pub remote_address: &'a str,
    pub remote_port: u16,
    pub wrap_ttl: Ttl,
    /// All headers of the request, one pair per value. Only those on the broker's allow-list are
    /// written.
    pub headers: &'a [(&'a str, &'a str)],
    pub client_certificate_serial_number: &'a str,
}

/// The mount that answers.
#[derive(Clone, Copy, Default)]
pub struct Mount<'a> {
    /// With the path of its namespace.
    pub point: &'a str,
    pub kind: &'a str,
    pub accessor: &'a str,
    pub running_version: &'a str,
    /// `secret` or `auth`.
    pub class: &'a str,
    /// The mount's `audit_non_hmac_request_keys`: a string whose nearest key is one of these is
    /// written as it is.
    pub plain_request_keys: &'a [String],
    /// The mount's `audit_non_hmac_response_keys`.
    pub plain_response_keys: &'a [String],
}

/// The namespace of a request.
#[derive(Clone, Copy, Default)]
pub struct NamespaceInfo<'a> {
    pub id: &'a str,
    pub path: &'a str,
}

/// The reply.
#[derive(Clone, Copy, Default)]
pub struct Response<'a> {
    /// The token that the request made.
    pub auth: Option<&'a Auth<'a>>,
    /// The lease of the secret; empty for a secret without a lease, `None` for no secret.
    pub lease_id: Option<&'a str>,
    /// One JSON object; its string values are written as HMACs.
    pub data: Option<&'a RawValue>,
    pub warnings: &'a [&'a str],
    pub redirect: &'a str,
    pub wrap_info: Option<WrapInfo<'a>>,
    /// Headers that the engine sets.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The wrapping token that went out in place of the reply.
#[derive(Clone, Copy)]
pub struct WrapInfo<'a> {
    pub ttl: Ttl,
    /// In the clear; written as its HMAC.
    pub token: &'a str,
    pub accessor: &'a str,
    pub creation_time: Timestamp,
    pub creation_path: &'a str,
    /// The accessor of the token inside, when a token was wrapped.
    pub wrapped_accessor: &'a str,
}
