//! The words every other crate speaks: errors, secrets, durations, instants, paths.
//!
//! Nothing here does I/O, knows async or names a protocol.

mod cidr;
mod duration;
mod error;
mod id;
mod name;
mod path;
mod secret;
mod time;

pub use cidr::Cidr;
pub use duration::Ttl;
pub use error::{Error, ErrorKind, Result};
pub use id::TokenId;
pub use name::Name;
pub use path::{Namespace, RequestPath};
pub use secret::Secret;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};

/// A boxed future: what trait objects return where `async fn` cannot.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
