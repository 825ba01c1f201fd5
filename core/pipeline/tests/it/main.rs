//! The request path from end to end, over a store in memory.
#![allow(clippy::unwrap_used)]

mod accounts;
mod acts;
mod audited;
mod caches;
mod crashes;
mod damage;
mod jobs;
mod leases;
mod namespaces;
mod quotas;
mod restarts;
mod targets;
mod token_engine;
mod token_life;
mod token_roles;
mod world;
mod wrapping;
