use base_types::{Error, Result};
use core_audit as audit;
use core_identity::{Kind, Token, Uses};
use core_policy::Granted;
use serde_json::value::RawValue;

use crate::Request;
use crate::handle::Place;
use crate::reply::Outcome;
use crate::session::Session;

/// What the audit log is told about one request, first and last. It borrows everything, since it
/// lives only as long as the request does.
pub(crate) struct Trail<'a> {
    request: &'a Request,
    place: &'a Place,
    session: Option<&'a Session>,
    pub(crate) operation: &'static str,
    pub(crate) granted: Option<&'a Granted>,
    remote: String,
    port: u16,
    headers: Vec<(&'a str, &'a str)>,
    data: Option<Box<RawValue>>,
    policies: Vec<&'a str>,
    metadata: Vec<(&'a str, &'a str)>,
}

/// The parts of an entry that must outlive it.
pub(crate) struct Owned<'a, 't> {
    trail: &'t Trail<'a>,
    granting: Vec<audit::GrantingPolicy<'t>>,
    error: String,
}

/// The same for the answer.
pub(crate) struct Answer<'a, 't> {
    request: Owned<'a, 't>,
    outcome: &'t Result<Outcome>,
    policies: Vec<&'t str>,
    token_policies: Vec<&'t str>,
    metadata: Vec<(&'t str, &'t str)>,
    warnings: Vec<&'t str>,
}

impl<'a> Trail<'a> {
    pub(crate) fn new(
        request: &'a Request,
        place: &'a Place,
        session: Option<&'a Session>,
    ) -> Self {
        let remote = request.peer.remote;
        let token = session.map(|session| &session.token);
        Self {
            request,
            place,
            session,
            operation: "",
            granted: None,
            remote: remote.map(|remote| remote.ip().to_string()).unwrap_or_default(),
            port: remote.map_or(0, |remote| remote.port()),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            data: request.body.to_json(),
            policies: token
                .map(|token| token.policies.iter().map(String::as_str).collect())
                .unwrap_or_default(),
            metadata: token
                .map(|token| token.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn request(&self, error: Option<&Error>) -> Owned<'a, '_> {
        let mut granting = Vec::new();
        if let (Some(session), Some(granted)) = (self.session, self.granted) {
            let namespace_id = &**session.namespace.id();
            let namespace_path = session.namespace.path.as_str();
            let entry =
                |name| audit::GrantingPolicy { name, namespace_id, namespace_path, kind: "acl" };
            if granted.is_root() {
                granting.push(entry("root"));
            }
            granting.extend(session.acl.granting(granted).map(|source| entry(&*source.policy)));
        }
        let error = error.map(|error| error.public().to_owned()).unwrap_or_default();
        Owned { trail: self, granting, error }
    }

    pub(crate) fn response<'t>(
        &'t self,
        refusal: Option<&Error>,
        outcome: &'t Result<Outcome>,
    ) -> Answer<'a, 't> {
        let auth = outcome.as_ref().ok().and_then(|outcome| outcome.auth.as_ref());
        let texts = |texts: &'t [String]| texts.iter().map(String::as_str).collect();
        Answer {
            request: self.request(refusal),
            outcome,
            policies: auth.map(|auth| texts(&auth.policies)).unwrap_or_default(),
            token_policies: auth.map(|auth| texts(&auth.token_policies)).unwrap_or_default(),
            metadata: auth
                .map(|auth| auth.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect())
                .unwrap_or_default(),
            warnings: outcome.as_ref().map(|outcome| texts(&outcome.warnings)).unwrap_or_default(),
        }
    }

    fn client_token(&self) -> &str {
        // A token that did not prove good is not recorded, lest the log confirm guesses.
        match self.session {
            Some(_) => self.request.token.as_ref().map_or("", |token| token.expose()),
            None => "",
        }
    }

    fn auth<'t>(
        &'t self,
        granting: &'t [audit::GrantingPolicy<'t>],
        allowed: bool,
    ) -> audit::Auth<'t> {
        let Some(session) = self.session else {
            return audit::Auth { token_type: "default", ..audit::Auth::default() };
        };
        let token: &Token = &session.token;
        audit::Auth {
            client_token: self.client_token(),
            accessor: &token.accessor,
            display_name: &token.display_name,
            policies: &self.policies,
            token_policies: &self.policies,
            policy_results: Some(audit::PolicyResults { allowed, granting_policies: granting }),
            metadata: &self.metadata,
            remaining_uses: match token.uses {
                Uses::Left(left) => left.saturating_sub(1),
                Uses::Unlimited => 0,
            },
            entity_id: token.entity.as_deref().unwrap_or_default(),
            token_type: kind_name(token.kind),
            token_ttl: token.ttl,
            token_issue_time: Some(token.created),
            ..audit::Auth::default()
        }
    }

    fn mount(&self) -> audit::Mount<'_> {
        let Some(mount) = &self.place.mount else { return audit::Mount::default() };
        audit::Mount {
            point: &mount.full_path,
            kind: mount.kind.meta().name,
            accessor: &mount.record.accessor,
            running_version: concat!("v", env!("CARGO_PKG_VERSION"), "+builtin.strongroom"),
            class: match mount.role() {
                core_engine_api::Role::Auth => "auth",
                core_engine_api::Role::Secrets => "secret",
            },
            plain_request_keys: &mount.record.config.audit_non_hmac_request_keys,
            plain_response_keys: &mount.record.config.audit_non_hmac_response_keys,
        }
    }
}

impl<'t> Owned<'_, 't> {
    pub(crate) fn entry(&self) -> audit::RequestEntry<'_> {
        let trail = self.trail;
        audit::RequestEntry {
            auth: trail.auth(&self.granting, self.error.is_empty()),
            request: audit::Request {
                id: &trail.request.id,
                operation: trail.operation,
                mount: trail.mount(),
                client_token: trail.client_token(),
                client_token_accessor: trail.session.map_or("", |session| &session.token.accessor),
                namespace: audit::NamespaceInfo {
                    id: trail.place.namespace.id(),
                    path: trail.place.namespace.path.as_str(),
                },
                path: trail.place.path(),
                data: trail.data.as_deref(),
                remote_address: &trail.remote,
                remote_port: trail.port,
                wrap_ttl: trail.request.wrap_ttl.unwrap_or_default(),
                headers: &trail.headers,
                ..audit::Request::default()
            },
            error: &self.error,
        }
    }
}

/// What [`Answer`] lends to the entry that is made of it.
pub(crate) struct Lent<'t> {
    request: audit::RequestEntry<'t>,
    auth: Option<audit::Auth<'t>>,
}

impl Answer<'_, '_> {
    /// Hands the finished entry to `write`.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let outcome = self.outcome.as_ref().ok();
        let auth = outcome.and_then(|outcome| outcome.auth.as_ref()).map(|auth| audit::Auth {
            client_token: auth.client_token.as_ref().map_or("", |token| token.expose()),
            accessor: &auth.accessor,
            policies: &self.policies,
            token_policies: &self.token_policies,
            metadata: &self.metadata,
            num_uses: auth.num_uses,
            entity_id: &auth.entity_id,
            token_type: &auth.token_type,
            token_ttl: auth.lease_duration,
            ..audit::Auth::default()
        });
        Lent { request: self.request.entry(), auth }
    }

    pub(crate) fn entry<'l>(&'l self, lent: &'l Lent<'_>) -> audit::ResponseEntry<'l> {
        let outcome = self.outcome.as_ref().ok();
        let wrap = outcome.and_then(|outcome| outcome.wrap.as_ref());
        audit::ResponseEntry {
            request: &lent.request,
            auth: None,
            response: audit::Response {
                auth: lent.auth.as_ref(),
                lease_id: outcome
                    .filter(|outcome| !outcome.lease_id.is_empty())
                    .map(|outcome| &*outcome.lease_id),
                data: outcome.and_then(|outcome| outcome.data.as_deref()),
                warnings: &self.warnings,
                wrap_info: wrap.map(|wrap| audit::WrapInfo {
                    ttl: wrap.ttl,
                    token: wrap.token.expose(),
                    accessor: &wrap.accessor,
                    creation_time: wrap.creation_time,
                    creation_path: &wrap.creation_path,
                    wrapped_accessor: &wrap.wrapped_accessor,
                }),
                ..audit::Response::default()
            },
            error: self.outcome.as_ref().err().map_or("", |error| error.public()),
        }
    }
}

pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Batch => "batch",
        Kind::Service => "service",
    }
}
