//! Whole servers, asked by HTTP as anybody would.
#![allow(clippy::unwrap_used)]

mod audit;
mod durability;
mod input;
mod secrecy;
mod wrapping;
