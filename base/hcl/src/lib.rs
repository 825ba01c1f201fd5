//! HCL version 1, the language of Vault's policies and server configuration, and its JSON form.
//!
//! [`parse`] gives a tree in which every key and value knows its line and column. The many
//! spellings of the language become one shape: a label is a key one level deeper, so that
//! `path "a" { }`, `path = { a = { } }` and `{"path": {"a": {}}}` are the same tree. Keys keep
//! their order and may repeat.
//!
//! [`Fields`] turns a part of the tree into typed values, key by key, and refuses what nobody
//! asked for:
//!
//! ```
//! # fn main() -> base_types::Result<()> {
//! let file = base_hcl::parse("listener \"tcp\" {\n  address = \"127.0.0.1:8200\"\n}\nui = true\n")?;
//! let mut fields = file.fields();
//! for listener in fields.blocks("listener", 1)? {
//!     assert_eq!(listener.label(0), "tcp");
//!     let mut fields = listener.body.fields();
//!     assert_eq!(fields.string("address")?.as_deref(), Some("127.0.0.1:8200"));
//!     assert_eq!(fields.bool("tls_disable")?, None);
//!     fields.finish()?;
//! }
//! assert_eq!(fields.bool("ui")?, Some(true));
//! fields.finish()
//! # }
//! ```
//!
//! Errors name the place, what is wrong and what to do; whoever read a file adds its name with
//! [`base_types::Error::at`]. They quote keys, and numbers that are out of range, but never a
//! text, since that may be a secret. No input makes the parser panic or take more than linear time.

mod cursor;
mod fields;
mod hcl;
mod json;
mod nearest;
mod text;
mod tree;

use base_types::{Error, Result};

pub use fields::{Block, Fields};
pub use nearest::nearest;
pub use tree::{Body, Entry, Key, Kind, Number, Position, Value};

/// The largest text that is read, in bytes.
pub const SIZE_MAX: usize = 1 << 20;

/// How deep objects, lists and labels may lie inside each other.
pub const DEPTH_MAX: usize = 64;

/// Reads a whole document. It is JSON if its first character other than space is `{`, else HCL.
///
/// # Errors
/// `TooLarge` beyond [`SIZE_MAX`]; `Invalid`, with line and column, for anything else.
pub fn parse(text: &str) -> Result<Body> {
    if text.len() > SIZE_MAX {
        return Err(Error::too_large(format!(
            "the text has {} bytes and may have {SIZE_MAX}: split it",
            text.len()
        )));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') { json::document(text) } else { hcl::document(text) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
