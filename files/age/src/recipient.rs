use std::collections::BTreeSet;

use base_crypto::Random;

use crate::hybrid::HybridRecipient;
use crate::plugin::PluginRecipient;
use crate::ssh;
use crate::x25519::X25519Recipient;
use crate::{Error, FileKey, Result, Stanza, bech32};

/// For whom a file is encrypted.
pub trait Recipient {
    /// The file key as only this recipient can read it.
    ///
    /// # Errors
    /// `Invalid` if the recipient cannot be encrypted for; `Unavailable` if it needs a plugin that is
    /// not there.
    fn wrap(&self, file_key: &FileKey, random: &dyn Random) -> Result<Wrapped>;
}

/// What a recipient adds to a header.
pub struct Wrapped {
    pub stanzas: Vec<Stanza>,
    /// All recipients of a file must have the same, so that the weaker of two kinds does not undo
    /// what the stronger promises. <https://c2sp.org/age-plugin#phase-1-client-uni-directional>
    pub labels: BTreeSet<String>,
}

impl Wrapped {
    /// One stanza that goes with those of all classic recipients.
    pub(crate) fn classic(stanza: Stanza) -> Self {
        Self { stanzas: vec![stanza], labels: BTreeSet::new() }
    }
}

/// The recipient that `text` names: `age1…`, or a public SSH key.
///
/// # Errors
/// `Invalid` if it is none.
pub fn recipient(text: &str) -> Result<Box<dyn Recipient>> {
    let text = text.trim();
    // A public SSH key has its type before it.
    if text.starts_with("ssh-") || text.contains(' ') {
        return ssh::recipient(text);
    }
    let other = || {
        Error::invalid(format!(
            "'{}' is no age recipient: it begins with age1, or is a public SSH key of type \
             ssh-ed25519 or ssh-rsa",
            shown(text)
        ))
    };
    if text.starts_with("AGE-SECRET-KEY-") || text.starts_with("AGE-PLUGIN-") {
        return Err(Error::invalid(
            "this is an identity, which decrypts: give the recipient that belongs to it",
        ));
    }
    let (name, bytes) = bech32::decode(text).ok_or_else(other)?;
    match name.as_str() {
        _ if text.starts_with(|first: char| first.is_ascii_uppercase()) => Err(other()),
        "age" => Ok(Box::new(X25519Recipient::from_bytes(&bytes).ok_or_else(other)?)),
        "age1pq" => Ok(Box::new(HybridRecipient::from_bytes(&bytes)?)),
        name => match name.strip_prefix("age1") {
            Some(plugin) => Ok(Box::new(PluginRecipient::new(plugin, text)?)),
            None => Err(other()),
        },
    }
}

/// The recipients of a file that lists them, one in a line, with comments after `#`.
///
/// # Errors
/// `Invalid`, naming the line.
pub fn recipients(text: &str) -> Result<Vec<Box<dyn Recipient>>> {
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| recipient(line).map_err(|error| error.at(format!("line {}", at + 1))))
        .collect()
}

/// As much of a text as a message needs, in case it was pasted into the wrong place.
fn shown(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
