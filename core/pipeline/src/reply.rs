use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_audit::Audited;
use core_engine_api::{AuthReply, Raw, WrapReply};
use serde_json::value::RawValue;

/// What leaves the server. It can only be made together with the proof that it was recorded, or
/// for a request that was refused before there was anything to record.
pub struct Reply {
    pub request_id: Arc<str>,
    pub outcome: Result<Outcome>,
    _recorded: Recorded,
}

/// Why a reply may leave.
#[allow(dead_code)] // Held, never read: holding it is the proof.
enum Recorded {
    InAudit(Audited),
    /// The server is sealed, or no audit device takes the entry: nothing was done, nothing is told.
    NothingDone,
}

/// A reply that is no refusal.
#[derive(Debug, Default)]
pub struct Outcome {
    pub data: Option<Box<RawValue>>,
    /// The thing is not there, though `data` says something about it.
    pub absent: bool,
    /// What was asked for goes on after the reply.
    pub accepted: bool,
    pub lease_id: String,
    pub renewable: bool,
    pub lease_duration: Ttl,
    pub auth: Option<AuthReply>,
    pub wrap: Option<WrapReply>,
    /// Of the credential in `data`; empty if it has none.
    pub accessor: String,
    pub warnings: Vec<String>,
    pub raw: Option<Raw>,
}

impl Outcome {
    /// There is nothing to say but that it was done.
    pub fn is_empty(&self) -> bool {
        !self.absent
            && self.data.is_none()
            && self.auth.is_none()
            && self.wrap.is_none()
            && self.warnings.is_empty()
            && self.raw.is_none()
    }
}

impl Reply {
    pub(crate) fn recorded(
        audited: Audited,
        request_id: Arc<str>,
        outcome: Result<Outcome>,
    ) -> Self {
        Self { request_id, outcome, _recorded: Recorded::InAudit(audited) }
    }

    pub(crate) fn refused(request_id: Arc<str>, error: Error) -> Self {
        Self { request_id, outcome: Err(error), _recorded: Recorded::NothingDone }
    }
}
