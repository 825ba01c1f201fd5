use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::server::Server;
use crate::{Result, process};

/// An end that the kernel sets to a server's log: the process dies in the middle of the write that
/// goes beyond it (`RLIMIT_FSIZE`, setrlimit(2)), and leaves a torn record behind.
pub(super) struct LogLimit {
    segment: u64,
}

impl LogLimit {
    /// Lets the server write so many bytes more. It must have written since it started, so that the
    /// room for the next records is reserved; and all else that it writes to must be shorter.
    pub(super) fn set(server: &Server, bytes: u64) -> Result<Self> {
        let (segment, path) = newest_segment(server)?;
        let log = fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        // Behind the last record there are zeros.
        let end = log.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        limit(server, &(end + bytes).to_string())?;
        Ok(Self { segment })
    }

    /// Whether the limit was about the segment that the server writes to now.
    pub(super) fn is_current(&self, server: &Server) -> Result<bool> {
        Ok(newest_segment(server)?.0 == self.segment)
    }

    pub(super) fn lift(self, server: &Server) -> Result<()> {
        limit(server, "unlimited")
    }
}

fn limit(server: &Server, bytes: &str) -> Result<()> {
    let mut prlimit = Command::new("prlimit");
    // The limit for core dumps: the way it dies is intended.
    prlimit.args(["--core=0:", &format!("--fsize={bytes}:"), "--pid", &server.id().to_string()]);
    process::capture(&mut prlimit).map(drop)
}

fn newest_segment(server: &Server) -> Result<(u64, PathBuf)> {
    let folder = server.folder().join("data");
    let fault = |error| format!("cannot list {}: {error}", folder.display());
    let mut newest = None;
    for entry in fs::read_dir(&folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number =
            name.strip_prefix("wal-").and_then(|rest| rest.strip_suffix(".log")?.parse().ok());
        newest = newest.max(number.map(|number| (number, path.clone())));
    }
    newest.ok_or_else(|| format!("{} holds no log", folder.display()))
}
