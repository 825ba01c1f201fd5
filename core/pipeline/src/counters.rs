use std::sync::atomic::{AtomicU64, Ordering};

/// What has happened since the server started. Each is counted where it happens.
#[derive(Default)]
pub struct Counters {
    /// Requests that reached the core, whatever became of them.
    pub requests: Counter,
    /// Requests that were refused with "permission denied".
    pub denied: Counter,
    /// Tokens made by logins and by the token engine; not those that wrap a response.
    pub tokens: Counter,
    /// Secrets with a lease.
    pub leases: Counter,
    /// Leases that ended, of tokens and of secrets.
    pub leases_ended: Counter,
    /// Secrets whose lease was over and that their engine took back.
    pub revoked: Counter,
    /// How often an engine could not.
    pub revocation_failures: Counter,
    /// Passwords of other systems that were changed.
    pub rotations: Counter,
    /// How often one could not be.
    pub rotation_failures: Counter,
    /// Responses that were put aside for the holder of a wrapping token.
    pub wrapped: Counter,
}

/// A number that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
