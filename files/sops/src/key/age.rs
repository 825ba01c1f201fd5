//! age: X25519 and SSH keys, plugins, and identity files under a passphrase.
//!
//! The wrapped key is a whole armored file of age for one recipient.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use age::armor::{self, ArmoredReader, ArmoredWriter};
use age::secrecy::SecretString;
use age::{Callbacks, Decryptor, Encryptor, Identity, IdentityFile, NoCallbacks, Recipient};
use base_types::Secret;
use files_document::{Item, Scalar};
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, failed, field};
use crate::words::words;
use crate::{Failure, FailureKind, Result};

pub(super) struct Age;

/// No passphrase of an identity file may ask for more than 2^22 rounds of scrypt: some seconds and
/// four gibibytes.
const WORK_FACTOR_MAX: u8 = 22;

impl KeySource for Age {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "age",
            flag: "age",
            letter: Some('a'),
            variable: "SOPS_AGE_RECIPIENTS",
            rule: "age",
            group: "age",
            order: "age",
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        field(fields, "recipient")
    }

    fn fields(&self, name: &str, _: &Surroundings<'_>) -> Result<Vec<Item>> {
        recipient(name)?;
        Ok(vec![Item::member("recipient", Scalar::text(name))])
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], _: &Surroundings<'_>) -> Result<String> {
        let recipient = recipient(&self.name(fields))?.into_recipient()?;
        let encryptor = Encryptor::with_recipients(std::iter::once(recipient.as_ref()))
            .map_err(|error| unavailable(error.to_string()))?;
        let write = || {
            let armor = ArmoredWriter::wrap_output(Vec::new(), armor::Format::AsciiArmor)?;
            let mut writer = encryptor.wrap_output(armor)?;
            writer.write_all(secret)?;
            writer.finish()?.finish()
        };
        let armored = write().map_err(|error: std::io::Error| unavailable(error.to_string()))?;
        Ok(String::from_utf8(armored).expect("armor is ASCII"))
    }

    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        let identities = identities(&self.name(fields), with)?;
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(wrapped.as_bytes()))
            .map_err(|error| failed(format!("the wrapped key is no age file: {error}")))?;
        let identities = identities.iter().map(|identity| identity.as_ref());
        let mut reader =
            decryptor.decrypt(identities).map_err(|error| failed(error.to_string()))?;
        let mut plain = Zeroizing::new(Vec::new());
        reader.read_to_end(&mut plain).map_err(|error| failed(error.to_string()))?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }
}

/// A recipient by its spelling.
enum Spelled {
    Plugin(age::plugin::Recipient),
    Ssh(age::ssh::Recipient),
    Tag(age::tag::Recipient),
    TagPq(Box<age::tagpq::Recipient>),
    X25519(age::x25519::Recipient),
}

fn recipient(name: &str) -> Result<Spelled> {
    let other = || {
        Failure::invalid(format!(
            "'{name}' is no age recipient: it begins with age1, or is a public SSH key of type \
             ssh-ed25519 or ssh-rsa"
        ))
    };
    if name.starts_with("ssh-") {
        return name.parse().map(Spelled::Ssh).map_err(|_| other());
    }
    if let Ok(recipient) = name.parse() {
        return Ok(Spelled::X25519(recipient));
    }
    if let Ok(recipient) = name.parse() {
        return Ok(Spelled::Tag(recipient));
    }
    if let Ok(recipient) = name.parse() {
        return Ok(Spelled::TagPq(Box::new(recipient)));
    }
    name.parse().map(Spelled::Plugin).map_err(|_| other())
}

impl Spelled {
    fn into_recipient(self) -> Result<Box<dyn Recipient>> {
        Ok(match self {
            Self::Plugin(recipient) => {
                let name = recipient.plugin().to_owned();
                let plugin =
                    age::plugin::RecipientPluginV1::new(&name, &[recipient], &[], NoCallbacks);
                Box::new(plugin.map_err(|error| unavailable(error.to_string()))?)
            }
            Self::Ssh(recipient) => Box::new(recipient),
            Self::Tag(recipient) => Box::new(recipient),
            Self::TagPq(recipient) => recipient,
            Self::X25519(recipient) => Box::new(recipient),
        })
    }
}

type Identities = Vec<Box<dyn Identity>>;

/// The identities from every place where sops looks for them.
fn identities(recipient: &str, with: &Surroundings<'_>) -> Result<Identities> {
    let mut all = Identities::new();
    for (variable, is_command) in
        [("SOPS_AGE_SSH_PRIVATE_KEY_FILE", false), ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", true)]
    {
        let Some(value) = with.variable(variable) else { continue };
        let (text, path) = match is_command {
            true => (output_of(value, recipient).map_err(|failure| failure.at(variable))?, None),
            false => (read(Path::new(value)).map_err(|failure| failure.at(variable))?, Some(value)),
        };
        all.push(ssh_identity(&text, path, with).map_err(|failure| failure.at(variable))?);
    }
    for path in [".ssh/id_ed25519", ".ssh/id_rsa"] {
        let path = with.home(path).filter(|path| path.is_file());
        // A key of a kind that age cannot use is not what the person asked for.
        all.extend(
            path.and_then(|path| ssh_identity(&read(&path).ok()?, path.to_str(), with).ok()),
        );
    }
    if let Some(keys) = with.variable("SOPS_AGE_KEY") {
        let lines = keys.split_whitespace().filter(|word| word.starts_with("AGE-"));
        let lines = Zeroizing::new(lines.collect::<Vec<_>>().join("\n"));
        all.extend(identity_file(lines.as_bytes(), "SOPS_AGE_KEY", with)?);
    }
    if let Some(path) = with.variable("SOPS_AGE_KEY_FILE") {
        let text = read(Path::new(path)).map_err(|failure| failure.at("SOPS_AGE_KEY_FILE"))?;
        all.extend(identity_file(&text, path, with)?);
    }
    if let Some(command) = with.variable("SOPS_AGE_KEY_CMD") {
        let text =
            output_of(command, recipient).map_err(|failure| failure.at("SOPS_AGE_KEY_CMD"))?;
        all.extend(identity_file(&text, "SOPS_AGE_KEY_CMD", with)?);
    }
    let usual = with.config_folder().map(|folder| folder.join("sops/age/keys.txt"));
    if let Some(path) = usual.as_ref().filter(|path| path.is_file()) {
        all.extend(identity_file(&read(path)?, &path.display().to_string(), with)?);
    }
    if all.is_empty() {
        return Err(failed(nothing_found(usual)));
    }
    Ok(all)
}

fn nothing_found(usual: Option<PathBuf>) -> String {
    let usual = usual.map_or("the usual place".to_owned(), |path| path.display().to_string());
    format!(
        "no age identity was found; set SOPS_AGE_KEY_FILE (or SOPS_AGE_KEY, SOPS_AGE_KEY_CMD, \
         SOPS_AGE_SSH_PRIVATE_KEY_FILE), or put one into {usual}"
    )
}

fn ssh_identity(
    text: &[u8],
    path: Option<&str>,
    with: &Surroundings<'_>,
) -> Result<Box<dyn Identity>> {
    let name = path.map(str::to_owned);
    let identity = age::ssh::Identity::from_buffer(text, name)
        .map_err(|_| failed("this is no private SSH key"))?;
    match identity {
        age::ssh::Identity::Unsupported(_) => {
            Err(failed("an SSH key of this type cannot decrypt; use ed25519 or rsa"))
        }
        age::ssh::Identity::Encrypted(_) | age::ssh::Identity::Unencrypted(_) => {
            Ok(Box::new(identity.with_callbacks(Ask(with.ask))))
        }
    }
}

/// The identities of a file, which may itself be encrypted with a passphrase.
fn identity_file(text: &[u8], name: &str, with: &Surroundings<'_>) -> Result<Identities> {
    let is_encrypted =
        text.starts_with(b"age-encryption.org/") || text.starts_with(b"-----BEGIN AGE");
    if is_encrypted {
        return encrypted_file(text, name, with);
    }
    let file = IdentityFile::from_buffer(text)
        .map_err(|error| failed(format!("{name}: {error}")))?
        .with_callbacks(Ask(with.ask));
    let identities = file.into_identities().map_err(|error| failed(format!("{name}: {error}")))?;
    Ok(identities.into_iter().map(|identity| identity as Box<dyn Identity>).collect())
}

fn encrypted_file(text: &[u8], name: &str, with: &Surroundings<'_>) -> Result<Identities> {
    let trouble = |error: &dyn std::fmt::Display| failed(format!("{name}: {error}"));
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(text)).map_err(|e| trouble(&e))?;
    let passphrase = (with.ask)(name)
        .ok_or_else(|| failed(format!("{name} needs a passphrase, and nobody is there to ask")))?;
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.expose().clone()));
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let mut reader =
        decryptor.decrypt(std::iter::once(&identity as &dyn Identity)).map_err(|e| trouble(&e))?;
    let mut plain = Zeroizing::new(Vec::new());
    reader.read_to_end(&mut plain).map_err(|e| trouble(&e))?;
    if plain.starts_with(b"age-encryption.org/") {
        return Err(failed(format!("{name}: an identity file inside another one is not read")));
    }
    identity_file(&plain, name, with)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let read = fs::read(path).map(Zeroizing::new);
    read.map_err(|error| failed(format!("{} cannot be read: {error}", path.display())))
}

/// What a program prints that knows the identity of `recipient`.
fn output_of(command: &str, recipient: &str) -> Result<Zeroizing<Vec<u8>>> {
    let words = words(command)?;
    let [program, arguments @ ..] = words.as_slice() else {
        return Err(failed("it names no command"));
    };
    let output = Command::new(program)
        .args(arguments)
        .env("SOPS_AGE_RECIPIENT", recipient)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("'{program}' cannot be started: {error}")))?;
    let stdout = Zeroizing::new(output.stdout);
    if output.status.success() {
        Ok(stdout)
    } else {
        Err(failed(format!("'{program}' failed: {}", output.status)))
    }
}

/// Who is asked for passphrases.
#[derive(Clone)]
struct Ask(fn(&str) -> Option<Secret<String>>);

impl Callbacks for Ask {
    fn display_message(&self, _: &str) {}

    fn confirm(&self, _: &str, _: &str, _: Option<&str>) -> Option<bool> {
        None
    }

    fn request_public_string(&self, _: &str) -> Option<String> {
        None
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        (self.0)(description).map(|passphrase| SecretString::from(passphrase.expose().clone()))
    }
}

fn unavailable(text: String) -> Failure {
    Failure::new(FailureKind::Unavailable, text)
}
