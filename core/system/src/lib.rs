//! The engine behind `sys/`: how the server is administrated.
//!
//! It is mounted once in each namespace. What it shows and changes lies in the namespace of the
//! request, and nowhere else; what concerns the whole server answers in the root namespace only.
//! Each file holds one area: its routes, its requests, its handlers.

mod audit;
mod capabilities;
mod config;
mod explain;
mod fields;
mod generate_root;
mod help;
mod host;
mod internal;
mod lease_targets;
mod leases;
mod lockouts;
mod loggers;
mod metrics;
mod mount_info;
mod mounts;
mod namespaces;
mod openapi;
mod password_policies;
mod plugins;
mod policies;
mod quotas;
mod remount;
mod rotation;
mod scope;
mod seal;
mod system;
pub mod token;
mod tools;
mod tune;
mod wrapping;

pub use help::{Help, help};
pub use metrics::metrics;
pub use system::{System, kind};
