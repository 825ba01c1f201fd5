//! Every parser that meets bytes from outside, as a function of those bytes that panics when the
//! parser breaks a promise.
//!
//! A target asserts more than the absence of a panic: canonical forms are stable, what is accepted
//! has the properties that the accepting type documents, a decision agrees with a naive reading of
//! its policy, and no error, warning or audit line repeats a secret. `tests/smoke` runs all of them
//! over `../seeds` with every `cargo test`; `../README.md` says how to search for longer.
// What cannot work out ends the run, as in a test.
#![allow(clippy::unwrap_used)]

mod age;
mod audit_log;
mod body;
mod config;
mod document;
mod filter;
mod hcl;
mod outside;
mod passwords;
mod policy;
mod policy_reference;
mod redaction;
mod request;
mod scan;
mod shares;
mod sops;
mod sources;
mod store_log;
mod template;
mod tokens;
mod types;

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use base_types::{ManualClock, Timestamp};
use tokio::runtime::{Builder, Runtime};

pub use age::{age_file, age_keys};
pub use audit_log::audit_log;
pub use body::body;
pub use config::config;
pub use document::document;
pub use filter::scan_filter;
pub use hcl::hcl;
pub use outside::{aws_answer, keyservice, kubeconfig, ldif, sealed_secret};
pub use passwords::passwords;
pub use policy::policy;
pub use redaction::redaction;
pub use request::request;
pub use scan::{scan_config, scan_decoded, scan_names, scan_search};
pub use shares::shares;
pub use sops::{sops_config, sops_file};
pub use sources::{scan_archive, scan_git, scan_git_sha256, scan_wide};
pub use store_log::store_log;
pub use template::template;
pub use tokens::tokens;
pub use types::types;

/// A function that panics where a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `seeds` and of its file in `fuzz_targets`.
pub const TARGETS: &[(&str, Target)] = &[
    ("age_file", age_file),
    ("age_keys", age_keys),
    ("audit_log", audit_log),
    ("aws_answer", aws_answer),
    ("body", body),
    ("config", config),
    ("document", document),
    ("hcl", hcl),
    ("keyservice", keyservice),
    ("kubeconfig", kubeconfig),
    ("ldif", ldif),
    ("passwords", passwords),
    ("policy", policy),
    ("redaction", redaction),
    ("request", request),
    ("scan_archive", scan_archive),
    ("scan_config", scan_config),
    ("scan_decoded", scan_decoded),
    ("scan_filter", scan_filter),
    ("scan_git", scan_git),
    ("scan_git_sha256", scan_git_sha256),
    ("scan_names", scan_names),
    ("scan_search", scan_search),
    ("scan_wide", scan_wide),
    ("sealed_secret", sealed_secret),
    ("shares", shares),
    ("sops_config", sops_config),
    ("sops_file", sops_file),
    ("store_log", store_log),
    ("template", template),
    ("tokens", tokens),
    ("types", types),
];

/// The text that seeds hold where a secret would be, and that must not come out again.
pub const PLANTED: &str = "hunter2-hunter2";

/// The input as text. Bytes that are no text are replaced rather than refused, so that a mutation
/// does not end the search; the line break that ends a text file is no part of the input.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data.strip_suffix(b"\n").unwrap_or(data))
}

/// Runs a future to its end. All targets share one runtime, so that what one input left running
/// finds its reactor at the next.
fn block_on<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime =
        RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().unwrap());
    runtime.block_on(future)
}

/// 2026-01-01, for ever: a run with the same input is the same run.
fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600)))
}
