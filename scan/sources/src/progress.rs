use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// How far a scan is, for whoever shows it, or ends it, while other threads work.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
    leaks: AtomicU64,
    stopped: Arc<AtomicBool>,
    reason: OnceLock<String>,
}

/// So many leaks one scan tells of: nobody reads more, and they take up 600 MB of memory. A few trees in a repository can name one file
/// more often than that.
const LEAKS_MAX: u64 = 500_000;

impl Progress {
    /// Objects or files that are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Objects or files that are known to be there; 0 as long as nobody knows.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes of content that were looked at, after decompression.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Ends the scan soon. What was found until then is told, with a [`Gap`](crate::Gap) for the rest.
    pub fn stop(&self) {
        self.end("the time was up: give more, or scan less at once".into());
    }

    fn end(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Why the scan ends before it is done, and what helps.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What is set when the scan ends.
    pub(crate) fn stopped(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopped)
    }

    pub(crate) fn expect(&self, more: u64) {
        self.total.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn step(&self, by: u64) {
        self.done.fetch_add(by, Ordering::Relaxed);
    }

    /// Counts leaks that are kept, and ends the scan if there are too many.
    pub(crate) fn keep(&self, leaks: usize) {
        let leaks = leaks as u64;
        if self.leaks.fetch_add(leaks, Ordering::Relaxed) + leaks > LEAKS_MAX {
            self.end(format!(
                "there are more than {LEAKS_MAX} leaks: mend the rule that finds them, or these first"
            ));
        }
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_leaks_end_a_scan() {
        let progress = Progress::default();
        progress.keep(LEAKS_MAX as usize);
        assert!(!progress.is_stopped() && progress.reason().is_none());
        progress.keep(1);
        progress.stop();
        assert!(progress.is_stopped());
        assert!(progress.reason().is_some_and(|reason| reason.contains("more than 500000 leaks")));
    }
}
