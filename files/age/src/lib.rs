//! Files of age: encrypted for recipients, each of whom has an identity that decrypts them.
//! <https://c2sp.org/age>
//!
//! A random [`FileKey`] encrypts the payload; the header holds it once for each recipient, in
//! [`Stanza`]s. A [`Recipient`] wraps it, an [`Identity`] unwraps it; each kind of the two is one file
//! here. [`encrypt`] and [`decrypt`] put the parts together and work on streams of any length in the
//! memory of a few chunks.

mod armor;
mod base64;
mod bech32;
mod command;
mod error;
mod file;
mod header;
mod hpke;
mod hybrid;
mod identity;
mod identity_file;
mod person;
mod plugin;
mod recipient;
mod scrypt;
mod ssh;
mod stanza;
mod stream;
mod x25519;

pub use command::run;
pub use error::{Error, Result};
pub use file::{Encrypting, Form, decrypt, decrypt_bytes, encrypt, encrypt_bytes};
pub use hybrid::HybridIdentity;
pub use identity::{FileKey, Identity};
pub use identity_file::{identities, is_encrypted, recipients_of, ssh_identity};
pub use person::Person;
pub use plugin::PluginIdentity;
pub use recipient::{Recipient, Wrapped, recipient, recipients};
pub use scrypt::{ScryptIdentity, ScryptRecipient};
pub use stanza::Stanza;
pub use x25519::X25519Identity;
