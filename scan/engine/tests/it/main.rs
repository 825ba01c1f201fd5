#![allow(clippy::unwrap_used, reason = "a test says by panicking what went wrong")]

mod betterleaks;
mod case;
mod gitleaks;
mod ours;
mod semantics;
