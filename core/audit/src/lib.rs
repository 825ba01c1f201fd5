//! The audit trail: no request is executed before its entry is written, and no reply leaves
//! before its own is.
//!
//! A [`Broker`] formats each entry once per distinct way of hiding values (its salt and options)
//! and hands the text to every device. Each device has a queue and a thread of its own, so that a
//! slow or dead one holds up nobody: an entry counts as recorded when the first device has written
//! it, and as refused when none has. What a device missed is recorded in its own stream.
//!
//! Entries are JSON lines in Vault's format. One object of ours, `chain`, is added: a sequence
//! number and the SHA-256 of the line before, with checkpoints signed at short intervals, so that
//! [`verify`] finds a changed, removed, inserted or moved line without the server's help. Its one
//! blind spot is stated there.

mod broker;
mod chain;
mod config;
mod device;
mod entry;
mod format;
mod head;
mod redact;
mod sink;
mod ticket;
mod verify;

pub use broker::{Audited, Broker, Receipt, Setup};
pub use chain::{INTERVAL, LINES_MAX, Reason};
pub use config::{DeviceConfig, Kind};
pub use device::DeviceState;
pub use entry::{
    Auth, GrantingPolicy, Mount, NamespaceInfo, PolicyResults, Request, RequestEntry, Response,
    ResponseEntry, WrapInfo,
};
pub use head::Head;
pub use sink::HttpPoster;
pub use verify::{Problem, ProblemKind, Report, verify};
