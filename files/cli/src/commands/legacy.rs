use super::{decrypt, edit, encrypt, rotate, set};
use crate::code;
use crate::session::{Session, Stop};

/// The form without a command: flags say what to do, and without them the file is edited.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let flags = &session.flags;
    let modes = ["encrypt", "decrypt", "rotate"].into_iter().filter(|mode| flags.on(mode));
    let assignment = flags.value("set");
    match (modes.collect::<Vec<_>>().as_slice(), assignment) {
        ([], None) => edit::run(session),
        (["encrypt"], None) => encrypt::run(session),
        (["decrypt"], None) => decrypt::run(session),
        (["rotate"], None) => rotate::run(session),
        ([], Some(assignment)) => assign(session, assignment),
        _ => Err(Stop::new(
            code::CONFLICT,
            "Error: cannot encrypt, decrypt, rotate or set at the same time",
        )),
    }
}

/// `["key"][0] "value"`: the path ends with the last bracket before the value.
fn assign(session: &Session, assignment: &str) -> Result<u8, Stop> {
    let [file] = session.arguments("FILE")?;
    let (path, value) = split(assignment).ok_or_else(|| {
        Stop::new(7, "Invalid --set format: write a path, a blank and a JSON value")
    })?;
    set::assign(session, file, path, value)
}

fn split(assignment: &str) -> Option<(&str, &str)> {
    let blanks = assignment.match_indices("] ").map(|(at, _)| at + 1);
    let mut splits = blanks.map(|at| (&assignment[..at], assignment[at..].trim()));
    splits.find(|(path, _)| path.parse::<files_sops::Path>().is_ok())
}
