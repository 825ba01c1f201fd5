use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use files_document::Format;
use files_sops::{EncryptedFile, FailureKind};
use zeroize::Zeroizing;

use crate::session::{Stop, unwritten};
use crate::{code, complain, output, parallel};

/// The files at and below these paths by their names, or those of the current folder. Links are not
/// followed, and what git keeps for itself is left out.
pub(crate) fn files(paths: &[String]) -> Result<Vec<PathBuf>, Stop> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    let here = [".".to_owned()];
    for path in if paths.is_empty() { &here[..] } else { paths } {
        let path = Path::new(path);
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => folders.push(path.to_owned()),
            Ok(_) => files.push(path.to_owned()),
            Err(_) => {
                let text = format!("Error: cannot operate on non-existent file {path:?}");
                return Err(Stop::new(code::NO_FILE, text));
            }
        }
    }
    while let Some(folder) = folders.pop() {
        let trouble =
            |error| Stop::new(code::READ, format!("{} cannot be read: {error}", folder.display()));
        for entry in fs::read_dir(&folder).map_err(trouble)? {
            let entry = entry.map_err(trouble)?;
            let kind = entry.file_type().map_err(trouble)?;
            // Without the `./` that nobody has typed.
            let path = match folder.as_path() == Path::new(".") {
                true => entry.file_name().into(),
                false => entry.path(),
            };
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// A file of a tree.
pub(crate) enum Found {
    Encrypted(Box<EncryptedFile>),
    /// It has no metadata of sops.
    Plain,
    /// It has some, but something is wrong with it.
    Broken(Stop),
}

/// Larger files hold no secrets that somebody edits, and are not looked into.
const SIZE_MAX: u64 = 64 << 20;

/// What every encrypted file has somewhere.
const SIGN: &[u8] = b"ENC[AES256_GCM,";

/// Looks at a file; what cannot be read at all is broken.
pub(crate) fn look(path: &Path) -> Found {
    let read = fs::metadata(path).and_then(|found| match found.len() > SIZE_MAX {
        true => Ok(Vec::new()),
        false => fs::read(path),
    });
    match read {
        Ok(text) => look_into(path, &Zeroizing::new(text)),
        Err(error) => Found::Broken(Stop::new(code::READ, format!("it cannot be read: {error}"))),
    }
}

/// As [`look`], for what has been read.
pub(crate) fn look_into(path: &Path, text: &[u8]) -> Found {
    if !text.windows(SIGN.len()).any(|part| part == SIGN) {
        return Found::Plain;
    }
    let format = Format::of_path(&path.to_string_lossy());
    match EncryptedFile::parse(format, text) {
        Ok(file) => Found::Encrypted(Box::new(file)),
        // The sign may stand in any text, this one among others.
        Err(failure) if failure.kind == FailureKind::NotEncrypted => Found::Plain,
        Err(_) if format == Format::Binary => Found::Plain,
        Err(failure) => Found::Broken(failure.into()),
    }
}

/// What becomes of a file.
pub(crate) enum Outcome {
    /// It gets this text.
    Change(Vec<u8>),
    NotEncrypted,
    UpToDate,
}

/// What became of a file.
enum Done {
    /// The folder in which its name is.
    Changed(Option<PathBuf>),
    Nothing,
    UpToDate,
}

/// Changes all files of a tree for which `work` gives another text, complains of those where that is not possible and ends with
/// a line of counts. `verb` says what was done.
pub(crate) fn change(
    files: &[PathBuf],
    verb: &str,
    work: impl Fn(&Path) -> Result<Outcome, Stop> + Sync,
) -> u8 {
    let outcomes = parallel::each(files, |path| {
        Ok::<_, Stop>(match work(path)? {
            Outcome::Change(text) => {
                Done::Changed(output::put(path, &text).map_err(|error| unwritten(path, &error))?)
            }
            Outcome::NotEncrypted => Done::Nothing,
            Outcome::UpToDate => Done::UpToDate,
        })
    });
    let (mut changed, mut same, mut failed) = (0, 0, 0);
    let mut folders = BTreeSet::new();
    for (path, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Ok(Done::Changed(folder)) => {
                changed += 1;
                folders.extend(folder);
            }
            Ok(Done::UpToDate) => same += 1,
            Ok(Done::Nothing) => {}
            Err(stop) => {
                failed += 1;
                complain(&format!("{}: {}", path.display(), stop.text));
            }
        }
    }
    for folder in &folders {
        if let Err(error) = output::sync(folder) {
            failed += 1;
            complain(&format!(
                "{}: what was written may be lost in a crash: {error}",
                folder.display()
            ));
        }
    }
    let up_to_date = if same > 0 { format!(", {same} up to date") } else { String::new() };
    complain(&format!("{changed} {verb}{up_to_date}, {failed} failed"));
    u8::from(failed > 0)
}
