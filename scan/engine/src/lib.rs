//! Finds what a [`Config`](scan_rules::Config) describes, in bytes.
//!
//! The work is in two parts. [`Scanner::search`] does what depends on the bytes alone, so that a blob is searched
//! once however many commits and paths hold it. [`Scanner::judge`] does what depends on where the
//! bytes were found: rules for paths, allow lists of paths and commits, rules that need another one's finding.
//!
//! ```
//! use scan_engine::{Occurrence, Options, Scanner};
//! use scan_rules::Config;
//!
//! let config = Config::parse(
//!     "[[rules]]\nid = 'ticket'\nregex = 'ticket-([0-9]{4})'\nkeywords = ['ticket']",
//!     "example",
//! )
//! .unwrap();
//! let scanner = Scanner::new(config, Options::default()).unwrap();
//! let hits = scanner.search(&mut scanner.scratch(), b"a line\nthe ticket-1234\n");
//! let found = scanner.judge(&hits, &Occurrence::of("notes.txt"));
//! assert_eq!(found[0].secret.expose(), b"1234");
//! assert_eq!(found[0].start_line, 2);
//! ```

mod clues;
mod decode;
mod entropy;
mod excuse;
mod filter;
mod finding;
#[doc(hidden)]
pub mod fuzzing;
mod hits;
mod judge;
mod keywords;
mod location;
mod matcher;
mod names;
mod near;
mod occurrence;
mod opening;
mod plan;
mod prefix;
mod reach;
mod scanner;
mod search;
mod trigger;
mod words;

pub use clues::{Clues, Copied};
pub use finding::{Component, Finding};
pub use hits::{HITS_MAX, Hits};
pub use occurrence::{Attributes, Occurrence};
pub use reach::{AROUND_BYTES, AROUND_LINES, Before, Piece, Reach, lines_of};
pub use scanner::{Options, Scanner, Scratch};
