//! age: X25519, post-quantum and SSH keys, plugins, and identity files under a passphrase.
//!
//! The wrapped key is a whole armored file of age for one recipient.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use base_types::Secret;
use files_age::{Error, Form, Identity};
use files_document::{Item, Scalar};
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, failed, field};
use crate::words::words;
use crate::{Failure, FailureKind, Result};

pub(super) struct Age;

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
            options: &[],
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        field(fields, "recipient")
    }

    fn fields(&self, name: &str, _: &Surroundings<'_>) -> Result<Vec<Item>> {
        files_age::recipient(name).map_err(invalid)?;
        Ok(vec![Item::member("recipient", Scalar::text(name))])
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        let recipient = files_age::recipient(&self.name(fields)).map_err(invalid)?;
        let file = files_age::encrypt_bytes(&[recipient], Form::Armored, secret, with.random)
            .map_err(|error| Failure::new(FailureKind::Unavailable, error.to_string()))?;
        Ok(String::from_utf8(file).expect("armor is ASCII"))
    }

    fn unwrap(
        &self,
        fields: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        let identities = with.identities.of(&self.name(fields), with)?;
        files_age::decrypt_bytes(wrapped.as_bytes(), &identities)
            .map_err(|error| failed(error.to_string()))
    }
}

/// The identities that were read in this run. All files of a tree are opened with the same ones, which
/// may be under a passphrase that takes a second to try.
#[derive(Default)]
pub struct Identities<'a>(Mutex<BTreeMap<String, Found<'a>>>);

type Found<'a> = Arc<Vec<Box<dyn Identity + 'a>>>;

/// Variables with commands that are told for which recipient an identity is needed.
const KEY_COMMAND: &str = "SOPS_AGE_KEY_CMD";
const SSH_COMMAND: &str = "SOPS_AGE_SSH_PRIVATE_KEY_CMD";

impl<'a> Identities<'a> {
    /// Those that may decrypt for `recipient`.
    fn of(&self, recipient: &str, with: &Surroundings<'a>) -> Result<Found<'a>> {
        let is_asked_for =
            [KEY_COMMAND, SSH_COMMAND].iter().any(|name| with.variable(name).is_some());
        let name = if is_asked_for { recipient } else { "" };
        // Under the lock: what one file waits for, the others need as well.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return Ok(found.clone());
        }
        let found = Arc::new(identities(recipient, with)?);
        known.insert(name.to_owned(), found.clone());
        Ok(found)
    }

    /// Whoever runs for long reads them again, since files may have changed.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The identities from every place where sops looks for them.
fn identities<'a>(recipient: &str, with: &Surroundings<'a>) -> Result<Vec<Box<dyn Identity + 'a>>> {
    let person = with.person;
    let mut all = Vec::new();
    for (variable, is_command) in [("SOPS_AGE_SSH_PRIVATE_KEY_FILE", false), (SSH_COMMAND, true)] {
        let Some(value) = with.variable(variable) else { continue };
        let text = match is_command {
            true => output_of(value, recipient),
            false => read(Path::new(value)),
        };
        let text = text.map_err(|failure| failure.at(variable))?;
        let name = if is_command { "the SSH key" } else { value };
        let identity = files_age::ssh_identity(&text, name, person);
        all.push(identity.map_err(|error| failed(format!("{variable}: {error}")))?);
    }
    for path in [".ssh/id_ed25519", ".ssh/id_rsa"] {
        let path = with.home(path).filter(|path| path.is_file());
        // A key of a kind that age cannot use is not what the person asked for.
        all.extend(path.and_then(|path| {
            files_age::ssh_identity(&read(&path).ok()?, &path.to_string_lossy(), person).ok()
        }));
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
    if let Some(command) = with.variable(KEY_COMMAND) {
        let text = output_of(command, recipient).map_err(|failure| failure.at(KEY_COMMAND))?;
        all.extend(identity_file(&text, KEY_COMMAND, with)?);
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

/// The identities of a file, which may itself be encrypted with a passphrase.
fn identity_file<'a>(
    text: &[u8],
    name: &str,
    with: &Surroundings<'a>,
) -> Result<Vec<Box<dyn Identity + 'a>>> {
    let found = files_age::identities(text, name, with.person);
    found.map_err(|error| failed(format!("{name}: {error}")))
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

fn invalid(error: Error) -> Failure {
    Failure::invalid(error.to_string())
}
