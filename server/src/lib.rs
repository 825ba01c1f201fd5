//! The server: its configuration, its listeners, and what puts the parts together.

pub mod config;
pub mod diagnose;
pub mod listener;
pub mod logging;

mod dev;
mod loggers;
mod outbound;
mod registry;
mod run;
mod service;
mod wiring;

pub use dev::{DevOptions, dev, serve_dev};
pub use registry::kinds;
pub use run::{Running, serve};
