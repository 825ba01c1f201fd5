use crate::WithoutToken;

/// An endpoint that is answered in front of the pipeline: it works while the server is sealed, or
/// shares authorise it instead of a token.
pub struct Early {
    /// Below `/v1/sys/`.
    pub path: &'static str,
    pub(crate) access: Access,
}

/// Who gets past the list of early endpoints.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    Anybody,
    /// Holders of shares if the listener says so, else a token that may do so with sudo.
    Ceremony(fn(&WithoutToken) -> bool),
    /// Anybody who reads, if the listener says so, else the pipeline decides.
    Metrics,
    /// Anybody, since there is nothing left to close; the pipeline decides otherwise.
    WhileSealed,
}

/// Every endpoint that is answered in front of the pipeline. One that is not here is not reached.
pub static EARLY: [Early; 17] = [
    early("health", Access::Anybody),
    early("init", Access::Anybody),
    early("leader", Access::Anybody),
    early("seal-status", Access::Anybody),
    early("unseal", Access::Anybody),
    early("metrics", Access::Metrics),
    early("seal", Access::WhileSealed),
    early("generate-root/attempt", GENERATE_ROOT),
    early("generate-root/update", GENERATE_ROOT),
    early("rekey/init", REKEY),
    early("rekey/update", REKEY),
    early("rekey/verify", REKEY),
    early("rekey/backup", REKEY),
    early("rekey/recovery-key-backup", REKEY),
    early("rekey-recovery-key/init", REKEY),
    early("rekey-recovery-key/update", REKEY),
    early("rekey-recovery-key/verify", REKEY),
];

const GENERATE_ROOT: Access = Access::Ceremony(|open| open.generate_root);
const REKEY: Access = Access::Ceremony(|open| open.rekey);

const fn early(path: &'static str, access: Access) -> Early {
    Early { path, access }
}

impl Early {
    /// `path` is below `/v1/`, decoded.
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        let path = path.strip_prefix("sys/")?;
        EARLY.iter().find(|early| early.path == path)
    }
}
