//! The way of a request: who calls, where it leads, whether it may, what it does, that it was
//! recorded. [`Core::handle`] is the whole of it, in one file.

mod core;
mod counters;
mod envelope;
mod expiry;
mod grants;
mod handle;
mod in_flight;
mod jobs;
mod lockout;
mod loggers;
mod making;
mod mounting;
mod mounts;
mod namespaces;
mod page;
mod passwords;
mod policies;
mod records;
mod reply;
mod request;
mod revocation;
mod services;
mod session;
mod targets;
mod trail;
mod web;
mod wrapping;

pub use crate::core::{
    AuditSetup, Core, GeneratedRoot, Initialized, LOCKABLE, Parts, Settings, TOKEN_LENGTH,
};
pub use counters::{Counter, Counters};
pub use envelope::json;
pub use in_flight::{Flight, InFlight, Landing};
pub use jobs::Progress;
pub use lockout::Lockouts;
pub use loggers::Loggers;
pub use mounting::NewMount;
pub use mounts::{LockoutConfig, MountConfig, MountEntry, MountRecord};
pub use namespaces::{NamespaceEntry, NamespaceRecord, Namespaces, ROOT_ID};
pub use passwords::{PasswordPolicy, PasswordPolicyRecord};
pub use policies::{Policies, PolicyRecord, PolicyUpdate, check_assignable};
pub use reply::{Outcome, Reply};
pub use request::{Peer, Request};
pub use session::Session;
pub use web::Cors;
pub use wrapping::WrappedRecord;
