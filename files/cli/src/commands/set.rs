use std::io::Read;

use files_document::Item;
use files_sops::{Failure, FailureKind, Path, value_of_json};
use zeroize::Zeroizing;

use crate::code;
use crate::session::{Session, Stop};

pub(crate) fn set(session: &Session) -> Result<u8, Stop> {
    let (file, path, value) = match session.flags.on("value-stdin") {
        true => {
            let [file, path] = session.arguments("FILE PATH")?;
            (file, path, stdin()?)
        }
        false => {
            let [file, path, value] = session.arguments("FILE PATH VALUE")?;
            let value = match session.flags.on("value-file") {
                true => file_text(value)?,
                false => Zeroizing::new(value.to_owned()),
            };
            (file, path, value)
        }
    };
    assign(session, file, path, &value)
}

/// Sets a value in the file and says nothing.
pub(crate) fn assign(session: &Session, file: &str, path: &str, json: &str) -> Result<u8, Stop> {
    let path: Path = path.parse().map_err(|failure: Failure| {
        Stop::new(code::of(failure.kind), format!("Invalid set index format: {}", failure.text))
    })?;
    let value = value_of_json(json)?;
    change(session, file, |items| path.set(items, value))
}

pub(crate) fn unset(session: &Session) -> Result<u8, Stop> {
    let [file, path] = session.arguments("FILE PATH")?;
    let path: Path = path.parse()?;
    change(session, file, |items| match path.unset(items) {
        Err(failure)
            if failure.kind == FailureKind::PathMissing && session.flags.on("idempotent") =>
        {
            Ok(())
        }
        other => other.map_err(|failure| failure.at("Key not found")),
    })
}

/// Changes the first document of the file, which is written only if that makes a difference.
fn change(
    session: &Session,
    file: &str,
    edit: impl FnOnce(&mut Vec<Item>) -> Result<(), Failure>,
) -> Result<u8, Stop> {
    let input = session.read(file)?;
    let (format, _) = session.formats(&input)?;
    let open = session.open(format, &input.text)?;
    let mut trees = open.trees().to_vec();
    if let Some(first) = trees.first_mut() {
        edit(first)?;
    }
    if let (Some(bytes), Some(path)) = (open.replace(trees, &session.surroundings)?, &input.path) {
        session.write_to(path, &bytes)?;
    }
    Ok(0)
}

fn stdin() -> Result<Zeroizing<String>, Stop> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin().lock().read_to_string(&mut text).map_err(|error| {
        Stop::new(code::READ, format!("standard input cannot be read: {error}"))
    })?;
    Ok(text)
}

fn file_text(path: &str) -> Result<Zeroizing<String>, Stop> {
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    read.map_err(|error| Stop::new(code::READ, format!("{path} cannot be read: {error}")))
}
