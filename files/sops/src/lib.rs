//! Files of SOPS: values encrypted one by one in files that stay readable, with the key that
//! encrypts them wrapped by the keys of people and machines.
//!
//! [`encrypt`] makes such a file; [`EncryptedFile`] reads one, its [`KeyGroups`] give the
//! [`DataKey`], and with that it becomes an [`OpenFile`], whose values can be read, replaced or put
//! under a new key. Files are those of sops: every version from 3.7 on is read, and 3.9 and later
//! read what is written. In an edit only what has changed differs in the text.
//!
//! Where master keys live is a [`KeySource`] each; who may read a new file is in
//! [`Config`](config::Config), the file `.sops.yaml`. Nothing here knows terminals or arguments.

pub mod config;
mod crypt;
mod emit;
mod failure;
mod file;
mod flat;
mod group;
mod key;
pub mod keyservice;
mod mac;
mod merge;
mod metadata;
mod outline;
mod path;
mod pattern;
mod place;
mod plain;
mod publish;
mod selector;
mod value;
mod vault;
mod walk;
mod words;

pub use emit::{emit_value, text};
pub use failure::{Failure, FailureKind, Result};
pub use file::{EncryptedFile, Layout, OpenFile, Protection, Written, encrypt, is_encrypted};
pub use group::{KeyGroup, KeyGroups};
pub use key::{Identities, KeyOption, KeySource, MasterKey, Row, SOURCES, Surroundings, Unwrapped};
pub use merge::{Ancestor, Merged};
pub use metadata::Metadata;
pub use outline::{Content, Outlined};
pub use path::{Path, Step, value_of_json};
pub use publish::Destination;
pub use selector::{Selector, SelectorPattern};
pub use value::DataKey;
pub use words::words;
