use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use base_types::{Clock, Timestamp, Ttl};
use rustix::process::{Resource, getrlimit};

use super::Report;
use crate::listener::open_files_max;

const OPEN_FILES_GOOD: u64 = 4096;

/// What the server needs of the machine, whatever the configuration says.
pub(super) fn check(report: &mut Report) {
    let files = open_files_max();
    if files < OPEN_FILES_GOOD {
        report.warning(
            "open files",
            format!("this process may have {files} files open, and each connection is one"),
            "raise the limit: LimitNOFILE= in the unit, or ulimit -n",
        );
    } else {
        report.ok("open files", format!("up to {files}"));
    }
    check_swap(report, &std::fs::read_to_string("/proc/swaps").unwrap_or_default());
    if getrlimit(Resource::Core).current == Some(0) {
        report.ok("core dumps", "off");
    } else {
        report.warning(
            "core dumps",
            "a crash may write the memory, and secrets in it, to a file",
            "turn them off: LimitCORE=0 in the unit, or ulimit -c 0",
        );
    }
}

/// `swaps` has a line for each swap area below a heading.
pub(super) fn check_swap(report: &mut Report, swaps: &str) {
    let areas: Vec<&str> =
        swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    // Compressed memory is no disk.
    let on_disk = areas.iter().any(|area| !area.starts_with("/dev/zram"));
    if on_disk {
        report.warning(
            "swap",
            format!("memory, and secrets in it, may be written to {}", areas.join(", ")),
            "turn it off (swapoff, or MemorySwapMax=0 in the unit) or encrypt it",
        );
    } else {
        report.ok("swap", "none on a disk");
    }
}

/// The time this was written: no clock that is right shows an earlier one.
const PAST: Timestamp = Timestamp(1_790_000_000 * 1_000_000_000);
const TOLERANCE: Ttl = Ttl::from_seconds(60);

/// A wrong clock makes tokens and leases live too long or not at all.
pub(super) fn check_clock(report: &mut Report, files: &[PathBuf], clock: &dyn Clock) {
    let now = clock.now();
    let newest = files.iter().filter_map(|file| {
        let changed = std::fs::metadata(file).ok()?.modified().ok()?;
        let nanos = changed.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        i64::try_from(nanos).ok().map(Timestamp)
    });
    match newest.max() {
        _ if now < PAST => report.failure(
            "clock",
            format!("the machine believes it is {now}"),
            "set the time, and keep it right with NTP",
        ),
        Some(changed) if changed > now.plus(TOLERANCE) => report.warning(
            "clock",
            format!("it is {now}, but a configuration file was changed at {changed}"),
            "check the time, and keep it right with NTP",
        ),
        _ => report.ok("clock", now.to_string()),
    }
}
