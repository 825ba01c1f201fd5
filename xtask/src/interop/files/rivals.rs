use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Number, Value};

use crate::Result;
use crate::folder::Folder;
use crate::sops::{Key, Sops};

/// Both programs, and a folder with a key that both find.
pub(super) struct Rivals {
    ours: PathBuf,
    sops: Sops,
    pub(super) folder: Folder,
    pub(super) key: Key,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    Ours,
    Sops,
}

pub(super) struct Answer {
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Rivals {
    pub(super) fn new(ours: &Path) -> Result<Self> {
        let folder = Folder::new("interop-files")?;
        let key = Key::new(&folder)?;
        Ok(Self { ours: ours.to_owned(), sops: Sops::find()?, folder, key })
    }

    pub(super) fn read(&self, name: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    pub(super) fn run(
        &self,
        who: Who,
        words: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Answer> {
        let mut command = match who {
            Who::Ours => Command::new(&self.ours),
            Who::Sops => Command::new(&self.sops.program),
        };
        if who == Who::Ours {
            command.arg("files");
        }
        let output = command
            .args(words)
            .current_dir(self.folder.path())
            .envs(self.key.environment(&self.folder))
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot start {who:?}: {error}"))?;
        Ok(Answer {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// What a run that must work prints.
    pub(super) fn output(
        &self,
        who: Who,
        words: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Vec<u8>> {
        let answer = self.run(who, words, variables)?;
        match answer.code {
            Some(0) => Ok(answer.stdout),
            code => Err(format!("{who:?} {}: {code:?}: {}", words.join(" "), answer.stderr)),
        }
    }

    /// Encrypts a file in its place for the key, with more flags.
    pub(super) fn encrypt(&self, who: Who, name: &str, flags: &[&str]) -> Result<()> {
        // Only the older form has all flags in both.
        let words = [&["-e", "-i", "--age", self.key.recipient.as_str()], flags, &[name]].concat();
        self.output(who, &words, &[]).map(|_| ())
    }

    /// What a file says, as far as both write it alike: values as JSON with their comments, or the
    /// bytes where a format has only those.
    pub(super) fn content(
        &self,
        who: Who,
        name: &str,
        variables: &[(&str, &str)],
    ) -> Result<String> {
        let bytes = self.output(who, &["decrypt", name], variables)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let is_tree = name.ends_with(".yaml") || name.ends_with(".json");
        if !is_tree || text.contains("\n---\n") {
            return Ok(text);
        }
        let json = self.output(who, &["decrypt", "--output-type", "json", name], variables)?;
        let json: Value =
            serde_json::from_slice(&json).map_err(|error| format!("no JSON: {error}"))?;
        let mut lines: Vec<String> = text.lines().filter_map(remark).collect();
        // Older versions move a comment at the end of a line above it.
        lines.sort();
        let lines = if name.ends_with(".yaml") { lines.join("\n") } else { String::new() };
        Ok(format!("{}\n{lines}", plain_numbers(json)))
    }
}

/// The comment of a line, but for a sign within a text.
fn remark(line: &str) -> Option<String> {
    let is_all = line.trim_start().starts_with('#');
    let at = if is_all { line.find('#')? } else { line.find(" #")? + 1 };
    Some(line[at..].to_owned())
}

/// JSON has one type of number, however it is written.
fn plain_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            number.as_f64().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
        }
        Value::Array(values) => values.into_iter().map(plain_numbers).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, plain_numbers(value))).collect()
        }
        other => other,
    }
}

/// That two texts are equal.
pub(super) fn same(found: &str, expected: &str) -> Result<()> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("found\n{found}\nexpected\n{expected}")),
    }
}

pub(super) fn holds(what: &str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}
