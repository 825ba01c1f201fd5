//! The engine in a whole server, with real databases.
#![allow(clippy::unwrap_used)]

mod credential_types;
mod dynamic;
mod hostile;
mod mysql;
mod openbao;
mod redis;
mod root;
mod static_roles;
mod tls;
mod world;
