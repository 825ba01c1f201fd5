//! A small client for the Vault HTTP API: everything outside the server that talks to it goes
//! through here.
//!
//! A [`Request`] names a verb and a path below `/v1/`; [`Client::send`] returns the raw answer,
//! [`Client::secret`] the envelope that nearly all paths answer with. The token is kept in a
//! `Secret` and appears in no error and no `Debug` output.

mod client;
mod config;
mod connect;
mod error;
mod request;
mod response;
mod tls;

pub use client::Client;
pub use config::{Config, Tls};
pub use error::{ApiError, Error, Result};
pub use request::{Request, Verb};
pub use response::{Auth, Response, SecretResponse, WrapInfo};
