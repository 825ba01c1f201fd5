//! Secrets that somebody else made: a map of names to JSON objects.
//!
//! [`Kv1`] keeps one value per path, [`Kv2`] the last versions of it with metadata. Neither reads
//! what it stores: the text of the object goes in and comes out again.

mod json;
mod kv1;
mod v2;

pub use kv1::Kv1;
pub use v2::Kv2;
