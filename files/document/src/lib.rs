//! Files that hold secrets, as trees that can be edited without moving anything else in the text.
//!
//! [`Document::parse`] reads YAML, JSON, TOML, INI, dotenv or any bytes and gives the tree that
//! sops sees: members in order, comments as items among them, scalars with sops' types. An edit is
//! a function from tree to tree: [`Document::update`] takes the tree that is meant, compares it
//! with the one that is there and changes the text only where they differ.
//!
//! ```
//! # fn main() -> base_types::Result<()> {
//! use files_document::{Document, Format, Item, Scalar};
//!
//! let mut file = Document::parse(Format::Yaml, b"user: 'ann'   # who\npass: \"x\" # what\n")?;
//! let mut trees = file.trees().to_vec();
//! for item in &mut trees[0] {
//!     if let Item::Member(member) = item
//!         && member.key == "pass"
//!     {
//!         member.value = Scalar::text("y").into();
//!     }
//! }
//! file.update(trees)?;
//! assert_eq!(file.text(), b"user: 'ann'   # who\npass: \"y\" # what\n");
//! # Ok(())
//! # }
//! ```
//!
//! Texts, comments and every other value may be secrets: `Debug` shows none of them, and errors
//! name places and keys alone.

mod change;
mod document;
mod dotenv;
mod edits;
mod flat;
mod format;
mod ini;
mod json;
mod layout;
mod place;
mod toml;
mod tree;
mod yaml;

pub use document::{Document, SIZE_MAX};
pub use format::Format;
pub use tree::{Comment, Element, Item, Member, Scalar, Value, get};
