use base_types::Secret;

use crate::plugin::PluginIdentity;
use crate::scrypt::ScryptIdentity;
use crate::ssh::SshIdentity;
use crate::{
    Error, HybridIdentity, Identity, Person, Recipient, Result, X25519Identity, decrypt_bytes,
    file, recipient,
};

/// The identities of a text: one in a line, with comments after `#`; or a private SSH key; or a file
/// of age that holds identities under a passphrase, of which `person` is asked. `name` is what the
/// text is called then.
///
/// # Errors
/// `Invalid`, naming the line, for what is no identity, and if there is none.
pub fn identities<'a>(
    text: &[u8],
    name: &str,
    person: &'a dyn Person,
) -> Result<Vec<Box<dyn Identity + 'a>>> {
    each(text, name, person)?.into_iter().map(|identity| Ok(identity.into_identity())).collect()
}

/// The recipients that the identities of a text decrypt for.
///
/// # Errors
/// As [`identities`].
pub fn recipients_of(
    text: &[u8],
    name: &str,
    person: &dyn Person,
) -> Result<Vec<Box<dyn Recipient>>> {
    each(text, name, person)?.iter().map(Spelled::recipient).collect()
}

/// The recipients of the identities of a text as they are written. Those of plugins and SSH keys only
/// their own programs write.
///
/// # Errors
/// As [`identities`]; `Invalid` for an identity of these two kinds.
pub(crate) fn recipient_texts(file: &[u8], name: &str, person: &dyn Person) -> Result<Vec<String>> {
    let text = |identity: Spelled<'_>| match identity {
        Spelled::Hybrid(identity) => Ok(identity.recipient()),
        Spelled::X25519(identity) => Ok(identity.recipient()),
        Spelled::Plugin(_) | Spelled::Ssh(_) => Err(Error::invalid(
            "the recipient of a plugin's identity is written by the plugin, that of an SSH key by \
             ssh-keygen -y",
        )),
    };
    each(file, name, person)?.into_iter().map(text).collect()
}

/// A private SSH key.
///
/// # Errors
/// `Invalid` if it is none, or of a kind that cannot decrypt.
pub fn ssh_identity<'a>(
    text: &[u8],
    name: &str,
    person: &'a dyn Person,
) -> Result<Box<dyn Identity + 'a>> {
    Ok(Box::new(SshIdentity::parse(utf8(text)?, name, person)?))
}

/// Whether the text holds identities under a passphrase.
pub fn is_encrypted(text: &[u8]) -> bool {
    file::is_file(text)
}

/// An identity by how it is spelled.
enum Spelled<'a> {
    Hybrid(HybridIdentity),
    Plugin(PluginIdentity<'a>),
    Ssh(SshIdentity<'a>),
    X25519(X25519Identity),
}

impl<'a> Spelled<'a> {
    fn parse(line: &str, person: &'a dyn Person) -> Result<Self> {
        if line.starts_with("AGE-PLUGIN-") {
            return PluginIdentity::parse(line, person).map(Self::Plugin);
        }
        if line.starts_with("AGE-SECRET-KEY-PQ-1") {
            return HybridIdentity::parse(line).map(Self::Hybrid);
        }
        if line.starts_with("AGE-SECRET-KEY-1") {
            return X25519Identity::parse(line).map(Self::X25519);
        }
        if line.starts_with("age1") || line.starts_with("ssh-") {
            return Err(Error::invalid("this is a recipient, and an identity is needed"));
        }
        Err(Error::invalid(
            "this is no identity: one begins with AGE-SECRET-KEY-1, AGE-SECRET-KEY-PQ-1 or \
             AGE-PLUGIN-",
        ))
    }

    fn into_identity(self) -> Box<dyn Identity + 'a> {
        match self {
            Self::Hybrid(identity) => Box::new(identity),
            Self::Plugin(identity) => Box::new(identity),
            Self::Ssh(identity) => Box::new(identity),
            Self::X25519(identity) => Box::new(identity),
        }
    }

    fn recipient(&self) -> Result<Box<dyn Recipient>> {
        match self {
            Self::Hybrid(identity) => recipient(&identity.recipient()),
            Self::Plugin(identity) => Ok(Box::new(identity.recipient())),
            Self::Ssh(identity) => identity.recipient(),
            Self::X25519(identity) => recipient(&identity.recipient()),
        }
    }
}

fn each<'a>(text: &[u8], name: &str, person: &'a dyn Person) -> Result<Vec<Spelled<'a>>> {
    if !is_encrypted(text) {
        return of_text(utf8(text)?, name, person);
    }
    let identity = ScryptIdentity::new(|| {
        person.secret(name).ok_or_else(|| {
            Error::Unavailable(format!("{name} needs a passphrase, and nobody is there to ask"))
        })
    });
    let identity: Box<dyn Identity + '_> = Box::new(identity);
    let plain: Secret<Vec<u8>> = decrypt_bytes(text, &[identity]).map_err(|error| match error {
        Error::NoMatch => Error::invalid("the passphrase is another one"),
        error => error,
    })?;
    if is_encrypted(plain.expose()) {
        return Err(Error::invalid("an identity file inside another one is not read"));
    }
    of_text(utf8(plain.expose())?, name, person)
}

fn of_text<'a>(text: &str, name: &str, person: &'a dyn Person) -> Result<Vec<Spelled<'a>>> {
    if text.trim_start().starts_with("-----BEGIN") {
        return Ok(vec![Spelled::Ssh(SshIdentity::parse(text, name, person)?)]);
    }
    let lines = text.lines().map(str::trim).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let identities: Result<Vec<_>> = lines
        .map(|(at, line)| {
            Spelled::parse(line, person).map_err(|error| error.at(format!("line {}", at + 1)))
        })
        .collect();
    match identities {
        Ok(none) if none.is_empty() => Err(Error::invalid("there is no identity")),
        identities => identities,
    }
}

fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|_| Error::invalid("this is no text with identities"))
}
