use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::session::{Session, Stop, absolute, here};
use crate::{code, complain, output};

/// What a line of `.gitattributes` that is ours says.
const ATTRIBUTES: &str = "diff=strongroom merge=strongroom";

/// The files that can be encrypted value by value.
const PATTERNS: [&str; 6] = ["*.yaml", "*.yml", "*.json", "*.env", "*.ini", "*.toml"];

/// The sections of git's configuration that are ours.
const SECTIONS: [&str; 2] = ["diff.strongroom", "merge.strongroom"];

/// Tells git how to show and merge encrypted files, in the repository of the current folder: by its
/// configuration, which is this clone's own, and by `.gitattributes`, which all clones share.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    let attributes = top.join(".gitattributes");
    if session.flags.on("undo") {
        for section in SECTIONS {
            // It may not be there.
            let _ = git(&["config", "--local", "--remove-section", section]);
        }
        change_lines(&attributes, |lines| lines.retain(|line| !is_ours(line)))?;
        complain("git shows and merges encrypted files as any others");
        return Ok(0);
    }
    let command = command(session)?;
    let values = if session.flags.on("values") { " --values" } else { "" };
    for (key, value) in [
        ("diff.strongroom.textconv", format!("{command} git-textconv{values}")),
        // What is shown may be decrypted, and git would keep it.
        ("diff.strongroom.cachetextconv", "false".to_owned()),
        ("merge.strongroom.name", "encrypted files, value by value".to_owned()),
        ("merge.strongroom.driver", format!("{command} git-merge %O %A %B %L %P")),
    ] {
        git(&["config", "--local", "--replace-all", key, &value])?;
    }
    let patterns: Vec<&str> = match session.words.is_empty() {
        true => PATTERNS.to_vec(),
        false => session.words.iter().map(String::as_str).collect(),
    };
    if let Some(pattern) = patterns.iter().find(|pattern| pattern.contains(char::is_whitespace)) {
        return Err(Stop::usage(format!(
            "'{pattern}' cannot stand in .gitattributes: it has blanks"
        )));
    }
    change_lines(&attributes, |lines| {
        for pattern in &patterns {
            let line = format!("{pattern} {ATTRIBUTES}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    })?;
    complain(&format!(
        "git shows and merges encrypted files value by value: {}\nCommit .gitattributes; every clone \
         needs '{command} git-setup' once.",
        patterns.join(" ")
    ));
    Ok(0)
}

fn is_ours(line: &str) -> bool {
    line.strip_suffix(ATTRIBUTES).is_some_and(|pattern| pattern.ends_with(' '))
}

/// Changes the lines of a file. It is not touched if they stay, and goes with its last line.
fn change_lines(path: &Path, change: impl FnOnce(&mut Vec<String>)) -> Result<(), Stop> {
    let trouble = |error: io::Error| {
        Stop::new(code::WRITE, format!("{} cannot be changed: {error}", path.display()))
    };
    let before = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(trouble(error)),
    };
    let mut lines: Vec<String> =
        before.as_deref().unwrap_or_default().lines().map(str::to_owned).collect();
    let count = lines.len();
    change(&mut lines);
    if lines.len() == count {
        return Ok(());
    }
    match lines.is_empty() {
        true => fs::remove_file(path).map_err(trouble),
        false => output::replace(path, (lines.join("\n") + "\n").as_bytes()).map_err(trouble),
    }
}

/// How git is to call this program: as it was called, so that an update of it is found too.
fn command(session: &Session) -> Result<String, Stop> {
    let called = std::env::args_os().next().unwrap_or_default();
    let called = called.to_string_lossy();
    let program = match called.contains('/') {
        true => absolute(&here()?, Path::new(&*called)).to_string_lossy().into_owned(),
        false => called.into_owned(),
    };
    // Git gives the text to a shell.
    let program = format!("'{}'", program.replace('\'', r"'\''"));
    Ok(match session.program.strip_suffix(" files") {
        Some(_) => format!("{program} files"),
        None => program,
    })
}

/// What git answers, without the line break at its end.
fn git(args: &[&str]) -> Result<String, Stop> {
    let output = Command::new("git")
        .args(args)
        .output()
        .map_err(|error| Stop::usage(format!("git cannot be started: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()),
        false => Err(Stop::usage(format!(
            "git {}: {}",
            args[0],
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}
