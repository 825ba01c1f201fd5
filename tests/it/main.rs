//! Whole servers, asked by HTTP as anybody would.
#![allow(clippy::unwrap_used)]

mod accounts;
mod audit;
mod authorization;
mod aws;
mod bypasses;
mod ceremonies;
mod cors;
mod doors;
mod durability;
mod full_disk;
mod headers;
mod input;
mod insight;
mod ldap;
mod log;
mod secrecy;
mod wrapping;
