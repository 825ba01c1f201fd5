//! Sources on repositories that the real git makes.
#![allow(clippy::unwrap_used)]

mod versions;
