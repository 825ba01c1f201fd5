//! Real databases and directories from Debian's packages, each in a folder and on a port of its own, ended when
//! dropped. `cargo xtask setup` installs them.

// What cannot work out ends the test.
#![allow(clippy::unwrap_used)]

mod mariadb;
mod postgresql;
mod process;
mod redis;
mod slapd;

pub use mariadb::Mariadb;
pub use postgresql::Postgresql;
pub use process::free_port;
pub use redis::Redis;
pub use slapd::Slapd;
