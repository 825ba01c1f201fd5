//! TLS towards other systems: settings in PEM become the configuration of a client.

mod client;
mod lenient;

pub use client::{ClientTls, ServerCheck};
