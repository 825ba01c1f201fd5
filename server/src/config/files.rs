use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base_types::{Error, Result};

/// The files to read, with each folder replaced by its `*.hcl` and `*.json` in the order of names.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Err(Error::invalid("no configuration is named: add -config=FILE"));
    }
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.append(&mut folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(|error| unreadable(path, &error))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|error| unreadable(path, &error)))
        .collect::<Result<_>>()?;
    files.retain(|file| is_configuration(file));
    files.sort();
    if files.is_empty() {
        return Err(Error::invalid(format!("{} holds no *.hcl or *.json file", path.display())));
    }
    Ok(files)
}

/// Hidden files are left out: editors keep their copies there.
fn is_configuration(file: &Path) -> bool {
    let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let kind = file.extension().is_some_and(|ending| ending == "hcl" || ending == "json");
    kind && !hidden && file.is_file()
}

pub(super) fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = lines_until(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        Error::invalid(format!("{}: line {line} is not UTF-8 text", file.display()))
    })
}

fn lines_until(bytes: &[u8]) -> usize {
    1 + bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => Error::not_found(format!("the configuration {path} does not exist")),
        ErrorKind::PermissionDenied => Error::invalid(format!(
            "the configuration {path} may not be read by this user: change its owner or mode"
        )),
        _ => Error::invalid(format!("the configuration {path} cannot be read: {error}")),
    }
}
