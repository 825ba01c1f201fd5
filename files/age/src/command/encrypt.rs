use std::io;

use base_crypto::SystemRandom;

use super::flags::Flags;
use super::input;
use super::output::Output;
use super::terminal::Terminal;
use crate::{
    Error, Form, Person, Recipient, Result, ScryptRecipient, encrypt, recipient, recipients,
    recipients_of,
};

pub(super) fn run(flags: &Flags) -> Result<()> {
    let recipients = all_recipients(flags)?;
    let form = if flags.on("armor") { Form::Armored } else { Form::Binary };
    let output = Output::of(flags.last("output"))?;
    if form == Form::Binary && output.is_terminal() && flags.last("output") != Some("-") {
        return Err(Error::invalid(
            "bytes are not for a terminal: write text with -a, a file with -o FILE, or force it with \
             -o -",
        ));
    }
    let mut input = input::open(flags.file.as_deref())?;
    let mut file = encrypt(&recipients, form, output, &SystemRandom)?;
    io::copy(&mut input, &mut file)?;
    Ok(file.finish()?.finish()?)
}

fn all_recipients(flags: &Flags) -> Result<Vec<Box<dyn Recipient>>> {
    let kinds = ["recipient", "recipients-file", "identity"];
    if flags.on("passphrase") {
        if kinds.iter().any(|kind| flags.on(kind)) {
            return Err(Error::invalid("a passphrase (-p) must be the only recipient"));
        }
        return Ok(vec![Box::new(ScryptRecipient::new(new_passphrase()?))]);
    }
    let mut all = Vec::new();
    for text in flags.all("recipient") {
        all.push(recipient(text)?);
    }
    for path in flags.all("recipients-file") {
        let text = input::read(path)?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| Error::invalid(format!("{path} is no list of recipients")))?;
        all.extend(recipients(text).map_err(|error| error.at(path))?);
    }
    for path in flags.all("identity") {
        let text = input::read(path)?;
        all.extend(recipients_of(&text, path, &Terminal).map_err(|error| error.at(path))?);
    }
    match all.is_empty() {
        true => Err(Error::invalid(
            "nobody is named who could read the file: use -r RECIPIENT, -R FILE, -i FILE or -p",
        )),
        false => Ok(all),
    }
}

/// A passphrase that was typed twice.
fn new_passphrase() -> Result<base_types::Secret<String>> {
    let ask = |question: &str| {
        Terminal.secret(question).ok_or_else(|| {
            Error::Unavailable("a passphrase is asked at a terminal, and there is none".to_owned())
        })
    };
    let passphrase = ask("the new file")?;
    if passphrase.expose().is_empty() {
        return Err(Error::invalid("an empty passphrase protects nothing"));
    }
    match ask("the new file, once more")? == passphrase {
        true => Ok(passphrase),
        false => Err(Error::invalid("the two passphrases differ")),
    }
}
