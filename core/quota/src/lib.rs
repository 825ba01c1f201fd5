//! How much is allowed: requests per time and client, and leases that may exist at once.
//!
//! Of several quotas that fit a path only the most specific counts: the one for the longest path,
//! and the global one, whose path is empty, last.

mod bucket;
mod quotas;

pub use quotas::{Limit, Quota, QuotaConfig, Quotas, Slot, Target};
