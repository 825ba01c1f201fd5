//! Leases: what ends at a time, and is then revoked.
//!
//! A lease costs three small records and no memory. What is due is found by an index ordered by
//! time, so neither start-up nor memory grows with the number of leases. This crate knows when a
//! lease ends and not how: revoking is done by whoever asks for what is due.
//!
//! ```text
//! lease/id/<namespace>/<lease id>            -> Lease
//! lease/due/<time>/<namespace>/<lease id>    -> mark
//! lease/token/<token>/<namespace>/<lease id> -> mark      (leases that die with a token)
//! lease/stuck/<namespace>/<lease id>         -> mark      (given up on; waiting for a person)
//! ```

mod lease;
mod leases;

pub use lease::{Lease, Subject};
pub use leases::{Due, Leases};
