use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use files_document::{Document, Format};
use files_sops::words;
use zeroize::Zeroizing;

use crate::session::{Session, Stop};
use crate::{child, code};

/// What a file that is not there yet begins with, by its format.
const EXAMPLE: &[(&str, &str)] = &[("example_key", "example_value")];

/// Editors that are taken if no variable names one.
const EDITORS: [&str; 3] = ["vim", "nano", "vi"];

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let [path] = session.arguments("FILE")?;
    let file = Path::new(path);
    if !file.exists() {
        return create(session, file);
    }
    let input = session.read(path)?;
    let (format, _) = session.formats(&input)?;
    let open = session.open(format, &input.text)?;
    let plain = session.open(format, &input.text)?.plain(format, session.layout(format)?)?;
    let before = session.text_of(&input, plain);
    let place = Draft::new(file, &before)?;
    let trees = loop {
        place.edit(session)?;
        let after = place.read()?;
        if *after == *before {
            return Err(Stop::new(code::UNMODIFIED, "File has not changed, exiting."));
        }
        match Document::parse(format, &after) {
            Ok(document) => break document.trees().to_vec(),
            Err(error) => again(error.public())?,
        }
    };
    match open.replace(trees, &session.surroundings)? {
        Some(bytes) => session.write_to(file, &bytes)?,
        None => return Err(Stop::new(code::UNMODIFIED, "File has not changed, exiting.")),
    }
    Ok(0)
}

/// A new file, which begins as an example.
fn create(session: &Session, file: &Path) -> Result<u8, Stop> {
    let input = crate::session::Input {
        name: file.to_owned(),
        path: Some(file.to_owned()),
        text: Zeroizing::default(),
    };
    let (format, output) = session.formats(&input)?;
    let protection = super::encrypt::protection(session, &input)?;
    let example = match format {
        Format::Binary => Vec::new(),
        Format::Dotenv | Format::Ini | Format::Json | Format::Toml | Format::Yaml => {
            let member = |(key, text): &(&str, &str)| {
                files_document::Item::member(*key, files_document::Scalar::text(*text))
            };
            let mut items: Vec<_> = EXAMPLE.iter().map(member).collect();
            if format == Format::Ini {
                items = vec![files_document::Item::member("DEFAULT", items)];
            }
            Document::emit(format, &[items], (session.layout(format)?.indent)())?
        }
    };
    let place = Draft::new(file, &example)?;
    loop {
        place.edit(session)?;
        let after = place.read()?;
        if *after == example {
            return Err(Stop::new(code::UNMODIFIED, "File has not changed, exiting."));
        }
        let (layout, with) = (session.layout(output)?, &session.surroundings);
        match files_sops::encrypt(format, &after, output, layout, protection.clone(), with) {
            Ok(written) => {
                session.write_to(file, &session.text_of(&input, written))?;
                return Ok(0);
            }
            Err(failure) => again(&failure.text)?,
        }
    }
}

/// What was written cannot be kept; it is not thrown away either.
fn again(text: &str) -> Result<(), Stop> {
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{text}\nPress a key to return to the editor, or Ctrl+C to exit.");
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(length) if length > 0 => Ok(()),
        _ => Err(Stop::usage("\nthe changes were not kept")),
    }
}

/// The plaintext while an editor has it: in a folder that nobody else can enter, in memory where
/// the machine has such a place, and gone with this value.
struct Draft {
    file: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Draft {
    fn new(file: &Path, plain: &[u8]) -> Result<Self, Stop> {
        let trouble =
            |error| Stop::new(code::WRITE, format!("no temporary file can be made: {error}"));
        let folder = crate::output::private_folder().map_err(trouble)?;
        let draft = folder.path().join(file.file_name().unwrap_or("file".as_ref()));
        std::fs::write(&draft, plain).map_err(trouble)?;
        std::fs::set_permissions(&draft, PermissionsExt::from_mode(0o600)).map_err(trouble)?;
        Ok(Self { file: draft, _folder: folder })
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, Stop> {
        let read = std::fs::read(&self.file).map(Zeroizing::new);
        read.map_err(|error| Stop::new(code::READ, format!("the edited file is gone: {error}")))
    }

    fn edit(&self, session: &Session) -> Result<(), Stop> {
        let mut named = ["SOPS_EDITOR", "EDITOR"].into_iter();
        let named = named.find_map(|name| session.surroundings.variable(name));
        let candidates: Vec<Vec<String>> = match named {
            Some(editor) => vec![words(editor)?],
            None => EDITORS.map(|editor| vec![editor.to_owned()]).into(),
        };
        for candidate in &candidates {
            let [program, arguments @ ..] = candidate.as_slice() else { continue };
            let mut editor = Command::new(program);
            editor.args(arguments).arg(&self.file);
            match child::run(editor) {
                Ok(status) if status.success() => return Ok(()),
                Ok(status) => return Err(Stop::usage(format!("the editor failed: {status}"))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(Stop::usage(format!("{program} cannot be started: {error}")));
                }
            }
        }
        Err(Stop::new(code::NO_EDITOR, "no editor was found; set SOPS_EDITOR or EDITOR"))
    }
}
