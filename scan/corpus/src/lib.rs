//! What the scanner is tried on: the examples of the default rules, and a corpus of lines that are labelled.
//!
//! No text that looks like a secret is kept: examples say by an expression between `<<` and `>>` how a secret looks, and
//! it is drawn from that, the same every time.

mod draw;
mod example;
mod labelled;

pub use draw::Draw;
pub use example::{Example, examples};
pub use labelled::{Label, Labelled, corpus};
