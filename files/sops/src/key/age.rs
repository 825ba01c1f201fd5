//! age: X25519, post-quantum and SSH keys, plugins, and identity files under a passphrase.
//!
//! The wrapped key is a whole armored file of age for one recipient.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base_types::Secret;
use files_age::{Error, Form, Identity, Person};
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
        let ask = Ask(with.ask);
        let identities = identities(&self.name(fields), with, &ask)?;
        files_age::decrypt_bytes(wrapped.as_bytes(), &identities)
            .map_err(|error| failed(error.to_string()))
    }
}

type Identities<'a> = Vec<Box<dyn Identity + 'a>>;

/// The identities from every place where sops looks for them.
fn identities<'a>(
    recipient: &str,
    with: &Surroundings<'_>,
    ask: &'a Ask,
) -> Result<Identities<'a>> {
    let mut all = Identities::new();
    for (variable, is_command) in
        [("SOPS_AGE_SSH_PRIVATE_KEY_FILE", false), ("SOPS_AGE_SSH_PRIVATE_KEY_CMD", true)]
    {
        let Some(value) = with.variable(variable) else { continue };
        let text = match is_command {
            true => output_of(value, recipient),
            false => read(Path::new(value)),
        };
        let text = text.map_err(|failure| failure.at(variable))?;
        let name = if is_command { "the SSH key" } else { value };
        let identity = files_age::ssh_identity(&text, name, ask);
        all.push(identity.map_err(|error| failed(format!("{variable}: {error}")))?);
    }
    for path in [".ssh/id_ed25519", ".ssh/id_rsa"] {
        let path = with.home(path).filter(|path| path.is_file());
        // A key of a kind that age cannot use is not what the person asked for.
        all.extend(path.and_then(|path| {
            files_age::ssh_identity(&read(&path).ok()?, &path.to_string_lossy(), ask).ok()
        }));
    }
    if let Some(keys) = with.variable("SOPS_AGE_KEY") {
        let lines = keys.split_whitespace().filter(|word| word.starts_with("AGE-"));
        let lines = Zeroizing::new(lines.collect::<Vec<_>>().join("\n"));
        all.extend(identity_file(lines.as_bytes(), "SOPS_AGE_KEY", ask)?);
    }
    if let Some(path) = with.variable("SOPS_AGE_KEY_FILE") {
        let text = read(Path::new(path)).map_err(|failure| failure.at("SOPS_AGE_KEY_FILE"))?;
        all.extend(identity_file(&text, path, ask)?);
    }
    if let Some(command) = with.variable("SOPS_AGE_KEY_CMD") {
        let text =
            output_of(command, recipient).map_err(|failure| failure.at("SOPS_AGE_KEY_CMD"))?;
        all.extend(identity_file(&text, "SOPS_AGE_KEY_CMD", ask)?);
    }
    let usual = with.config_folder().map(|folder| folder.join("sops/age/keys.txt"));
    if let Some(path) = usual.as_ref().filter(|path| path.is_file()) {
        all.extend(identity_file(&read(path)?, &path.display().to_string(), ask)?);
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
fn identity_file<'a>(text: &[u8], name: &str, ask: &'a Ask) -> Result<Identities<'a>> {
    files_age::identities(text, name, ask).map_err(|error| failed(format!("{name}: {error}")))
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
struct Ask(fn(&str) -> Option<Secret<String>>);

impl Person for Ask {
    fn secret(&self, question: &str) -> Option<Secret<String>> {
        (self.0)(question)
    }
}

fn invalid(error: Error) -> Failure {
    Failure::invalid(error.to_string())
}
