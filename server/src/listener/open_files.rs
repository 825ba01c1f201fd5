use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept free for storage, logs, audit devices and outgoing connections.
const RESERVED: u64 = 128;
const CONNECTIONS_MAX: u64 = 16_384;

/// How many files this process may have open, after raising its own limit as far as it may.
pub fn open_files_max() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        // No harm: the limit that was there before still holds.
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// How many connections all listeners together may have, so that files never run out.
pub fn connections_max() -> usize {
    let files = open_files_max().saturating_sub(RESERVED).clamp(16, CONNECTIONS_MAX);
    usize::try_from(files).unwrap_or(usize::MAX)
}
