use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use files_document::{Item, Scalar, Value};
use rustix::fs::Mode;
use zeroize::Zeroizing;

use crate::session::{Session, Stop};
use crate::{child, code};

/// Runs a command of the shell with the values of the file as variables.
pub(crate) fn env(session: &Session) -> Result<u8, Stop> {
    let [path, command] = session.arguments("FILE COMMAND")?;
    let input = session.read(path)?;
    let (format, _) = session.formats(&input)?;
    let open = session.open_to_read(format, &input.text)?;
    let mut shell = shell(command);
    if session.flags.on("pristine") {
        shell.env_clear();
    }
    for item in open.trees().first().into_iter().flatten() {
        if let Item::Member(member) = item {
            shell.env(&member.key, &*text(&member.key, &member.value)?);
        }
    }
    if session.flags.on("same-process") {
        return Err(Stop::usage(format!("the command cannot be started: {}", shell.exec())));
    }
    finish(shell)
}

/// Runs a command of the shell in which `{}` stands for the path of the decrypted file: a pipe that
/// can be read once, or with `--no-fifo` a file.
pub(crate) fn file(session: &Session) -> Result<u8, Stop> {
    let [path, command] = session.arguments("FILE COMMAND")?;
    let input = session.read(path)?;
    let (format, output) = session.formats(&input)?;
    let plain =
        session.open_to_read(format, &input.text)?.plain(output, session.layout(output)?)?;
    let plain = session.text_of(&input, plain);
    let name = session.flags.value("filename").unwrap_or("tmp-file");
    if name.contains('/') {
        return Err(Stop::usage("--filename must be a name without a folder"));
    }
    let trouble = |error| Stop::new(code::WRITE, format!("no temporary file can be made: {error}"));
    let folder = crate::output::private_folder().map_err(trouble)?;
    let place = folder.path().join(name);
    let shell = shell(&command.replace("{}", &place.to_string_lossy()));
    if session.flags.on("no-fifo") {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place);
        file.and_then(|mut file| file.write_all(&plain)).map_err(trouble)?;
        return finish(shell);
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, &place, Mode::from_raw_mode(0o600))
        .map_err(|error| trouble(error.into()))?;
    feed(place.clone(), plain);
    finish(shell)
}

/// Writes into the pipe once somebody reads it. Nobody waits for that: a command may leave the pipe
/// alone, and the thread ends with the process.
fn feed(place: std::path::PathBuf, plain: Zeroizing<Vec<u8>>) {
    std::thread::spawn(move || {
        if let Ok(mut pipe) = OpenOptions::new().write(true).open(&place) {
            // Who stops reading has read enough.
            let _ = pipe.write_all(&plain);
        }
    });
}

fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    shell
}

/// Waits for the command, whose exit code becomes ours.
fn finish(command: Command) -> Result<u8, Stop> {
    let status = child::run(command)
        .map_err(|error| Stop::usage(format!("the command cannot be started: {error}")))?;
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(1))
}

/// A value as a variable holds it.
fn text(key: &str, value: &Value) -> Result<Zeroizing<String>, Stop> {
    let text = match value {
        Value::List(_) | Value::Map(_) => {
            return Err(Stop::usage(format!(
                "cannot use complex value in environment; offending key {key}"
            )));
        }
        Value::Scalar(Scalar::Null) => String::new(),
        Value::Scalar(scalar) => files_sops::text(scalar),
    };
    if key.is_empty() || key.contains(['=', '\0']) || text.contains('\0') {
        return Err(Stop::usage(format!("{key:?} cannot be a variable")));
    }
    Ok(Zeroizing::new(text))
}
