use std::fs;
use std::path::Path;
use std::process::Command;

use files_document::{Document, Format};
use files_sops::{Ancestor, Merged};
use zeroize::Zeroizing;

use crate::session::{Session, Stop};
use crate::tree::{Found, look_into};
use crate::{code, complain};

/// Merges for git, which names three files, the length of the marks that it puts around conflicts and
/// the name that the file has in the tree. What comes of it goes into the second file, and the exit
/// code says whether all is settled. Whatever goes wrong is a conflict too: then ours stays.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let versions: [&str; 5] = session.arguments("ANCESTOR OURS THEIRS SIZE NAME")?;
    let name = versions[4];
    match merge(session, versions) {
        Ok(conflicts) if conflicts.is_empty() => Ok(0),
        Ok(conflicts) => {
            let places: String = conflicts.iter().map(|place| format!("  {place}\n")).collect();
            complain(&format!(
                "{name}: both sides changed the following, and ours is in the file; set what is right \
                 and add it:\n{}",
                places.trim_end()
            ));
            Ok(CONFLICT)
        }
        Err(stop) => {
            complain(&format!("{name} cannot be merged, and is ours for now: {}", stop.text));
            Ok(CONFLICT)
        }
    }
}

/// What tells git that somebody has to look at the file.
const CONFLICT: u8 = 1;

/// The places that are not settled.
fn merge(session: &Session, versions: [&str; 5]) -> Result<Vec<String>, Stop> {
    let [ancestor, ours, theirs, size, name] = versions;
    let read = |path: &str| {
        let read = fs::read(path).map(Zeroizing::new);
        read.map_err(|error| Stop::new(code::READ, format!("{path} cannot be read: {error}")))
    };
    let [base, own, other] = [read(ancestor)?, read(ours)?, read(theirs)?];
    let look = |text: &[u8]| look_into(Path::new(name), text);
    match (look(&own), look(&other)) {
        (Found::Encrypted(_), Found::Encrypted(_)) => {}
        (Found::Plain, Found::Plain) => return as_text([ours, ancestor, theirs], size),
        (Found::Broken(stop), _) | (_, Found::Broken(stop)) => return Err(stop),
        _ => return Err(Stop::usage("one side has encrypted it and the other has not")),
    }
    let format = Format::of_path(name);
    let ancestor = match look(&base) {
        Found::Encrypted(_) => Ancestor::Encrypted(Box::new(session.open(format, &base)?)),
        Found::Plain if base.trim_ascii().is_empty() => Ancestor::Plain(Vec::new()),
        Found::Plain => Ancestor::Plain(Document::parse(format, &base)?.trees().to_vec()),
        Found::Broken(stop) => return Err(stop),
    };
    let (own, other) = (session.open(format, &own)?, session.open(format, &other)?);
    let Merged { text, conflicts } = own.merge(&ancestor, other, &session.surroundings)?;
    // This file is git's own, which puts it into its place itself.
    fs::write(ours, text)
        .map_err(|error| Stop::new(code::WRITE, format!("{ours} cannot be written: {error}")))?;
    Ok(conflicts)
}

/// Files that are not encrypted are merged line by line, as without this driver.
fn as_text([ours, ancestor, theirs]: [&str; 3], size: &str) -> Result<Vec<String>, Stop> {
    let status = Command::new("git")
        .args(["merge-file", "--quiet", "-L", "ours", "-L", "base", "-L", "theirs"])
        .arg(format!("--marker-size={size}"))
        .args([ours, ancestor, theirs])
        .status()
        .map_err(|error| Stop::usage(format!("git cannot be started: {error}")))?;
    match status.code() {
        Some(0) => Ok(Vec::new()),
        Some(1..128) => Ok(vec!["lines between the marks of git".to_owned()]),
        _ => Err(Stop::usage(format!("git merge-file failed: {status}"))),
    }
}
