//! The policy language as its users meet it.
#![allow(clippy::unwrap_used)]

mod cases;
mod explain;
mod identity;
mod notation;
mod reference;
mod text;
