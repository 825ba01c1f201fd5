//! Requests to `sys/` through the whole core, over a store in memory.
#![allow(clippy::unwrap_used)]

mod audit;
mod capabilities;
mod config;
mod explain;
mod harness;
mod internal;
mod leases;
mod loans;
mod lockouts;
mod metrics;
mod mounts;
mod namespaces;
mod password_policies;
mod plugins;
mod policies;
mod quotas;
mod replay;
mod seal;
mod tools;
mod wrapping;
