//! What all commands over files do with the machine: put a file in the place of another one at
//! once, and ask a person for a passphrase.

mod prompt;
mod replace;

pub use prompt::{confirmed, passphrase};
pub use replace::{Replacement, put, replace, sync};
