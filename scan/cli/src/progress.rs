use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use scan_sources::Progress;

/// How often the line on the terminal is written anew.
const TICK: Duration = Duration::from_millis(100);

/// Does some work while a terminal shows how far it is. The work is ended when the time is up.
pub(crate) fn watch<T>(
    progress: &Progress,
    shown: bool,
    timeout: Option<Duration>,
    work: impl FnOnce() -> T,
) -> T {
    let shown = shown && std::io::stderr().is_terminal();
    if !shown && timeout.is_none() {
        return work();
    }
    let (done, is_done) = mpsc::channel::<()>();
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    progress.stop();
                }
                if shown {
                    let _ = write!(std::io::stderr(), "\r\u{1b}[K{}", line(progress));
                }
            }
            if shown {
                let _ = write!(std::io::stderr(), "\r\u{1b}[K");
            }
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

fn line(progress: &Progress) -> String {
    let (done, total) = (progress.done(), progress.total());
    let bar = match (done * 30).checked_div(total) {
        Some(full) => format!("[{:<30}] ", "=".repeat(full.min(30) as usize)),
        None => String::new(),
    };
    format!("{bar}{done} of {total}, {}", size(progress.bytes()))
}

/// Bytes in decimal units, as people count them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} {}", UNITS[0]) } else { format!("{value:.2} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (84_725_682, "84.73 MB"),
            (3_700_000_000, "3.70 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
