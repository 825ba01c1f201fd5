//! JSON: an object at the top, its members in order and each key once.

mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::{Writer, quoted};
