//! The broker as the server uses it: real files, pipes and sockets, real lines of OpenBao.
#![allow(clippy::unwrap_used)]

mod compatibility;
mod devices;
mod network;
mod secrets;
mod support;
mod tamper;
