//! TOML: what sops does not know and its users ask for. The tree of a table holds first what its
//! own lines say, then the tables below it.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::{Writer, file, is_section};
