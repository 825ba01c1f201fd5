//! Where texts come from: the history of a repository, files, archives in them, streams and logs of builds.
//!
//! Each source shows what it holds to a [`Scanner`](scan_engine::Scanner) on all threads and comes to an [`Outcome`]:
//! the leaks, and what could not be scanned. Nothing is written anywhere, and the memory in use does not depend on
//! how large files are.
//!
//! ```
//! use scan_engine::{Options, Scanner};
//! use scan_rules::Config;
//! use scan_sources::{Limits, Progress, Task, scan_stream};
//!
//! let config = Config::parse("[[rules]]\nid = 'ticket'\nregex = 'ticket-([0-9]{4})'", "example").unwrap();
//! let scanner = Scanner::new(config, Options::default()).unwrap();
//! let progress = Progress::default();
//! let task = Task { scanner: &scanner, limits: Limits::default(), progress: &progress };
//! let outcome = scan_stream(task, &mut &b"a line\nthe ticket-1234\n"[..], "notes.txt").unwrap();
//! assert_eq!(outcome.leaks[0].fingerprint(), "notes.txt:ticket:2");
//! assert!(outcome.gaps.is_empty());
//! ```

mod archive;
mod dense;
mod files;
mod git;
mod known;
mod log;
mod outcome;
mod part;
mod progress;
mod search;
mod sniff;
mod stream;
mod task;
mod wide;

pub use files::Files;
pub use git::{Git, GitPart, Platform, Revisions};
pub use outcome::{Commit, Gap, GapKind, Leak, Outcome};
pub use progress::Progress;
pub use stream::{scan_log, scan_stream};
pub use task::{Limits, Task};
