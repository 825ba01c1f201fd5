//! Leases: what ends at a time, and is then revoked.
//!
//! A lease costs three small records and no memory. What is due is found by an index ordered by
//! time, so neither start-up nor memory grows with the number of leases. What is due in another
//! system moves from there into the queue of that [`Target`], once: however long a target stays
//! away, nobody who looks for what is due meets its leases again. This crate knows when a lease ends
//! and not how: revoking is done by whoever asks for what is due.
//!
//! ```text
//! lease/id/<namespace>/<lease id>            -> Lease
//! lease/due/<time>/<namespace>/<lease id>    -> mark
//! lease/token/<token>/<namespace>/<lease id> -> mark      (leases that die with a token)
//! lease/stuck/<namespace>/<lease id>         -> mark      (given up on; waiting for a person)
//! lease/queue/<target>/<namespace>/<lease id> -> mark     (its time has come)
//! lease/trouble/<target>                     -> Trouble   (it does not work at the moment)
//! lease/job/<namespace>/<job id>             -> Job       (the end of all below a prefix)
//! ```

mod due;
mod job;
mod lease;
mod leases;
mod target;

pub use due::{Due, DueEntry, DueSearch};
pub use job::{Job, Stage};
pub use lease::{Lease, Subject};
pub use leases::Leases;
pub use target::{Target, Trouble};
