use std::io::Read;

use base_types::{Error, Result};
use scan_engine::Occurrence;

use crate::log::Unprefixed;
use crate::outcome::{Gap, Leak, Outcome};
use crate::search::Searcher;
use crate::task::Task;

/// Scans what can be read only once, such as the standard input. `name` is what findings say of their file, and may
/// be empty.
///
/// # Errors
///
/// `Unavailable` if the stream breaks.
pub fn scan_stream(task: Task<'_>, input: &mut dyn Read, name: &str) -> Result<Outcome> {
    let mut searcher = Searcher::new(task);
    let found = searcher
        .stream(input)
        .map_err(|e| Error::unavailable(format!("cannot read the input: {e}")))?;
    let mut outcome = Outcome::default();
    for part in &found.parts {
        for (file, finding) in part.judge(task.scanner, &Occurrence::of(name)) {
            outcome.leaks.push(Leak {
                finding,
                file,
                symlink: String::new(),
                commit: None,
                link: String::new(),
            });
        }
    }
    let gaps = found.gaps.iter();
    outcome.gaps =
        gaps.map(|(inner, reason)| Gap::fault(format!("{name}{inner}"), reason)).collect();
    outcome.sort();
    outcome.tell_stopped(task.progress);
    Ok(outcome)
}

/// Scans the log of a build: without the timestamps, names and colours that runners put before and into every line, so
/// that a key of several lines is whole. Lines keep their numbers; columns are those of what is left.
///
/// # Errors
///
/// As those of [`scan_stream`].
pub fn scan_log(task: Task<'_>, input: &mut dyn Read, name: &str) -> Result<Outcome> {
    scan_stream(task, &mut Unprefixed::new(input), name)
}
