use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::compare::{Answer, Body, shape};
use super::normal::Normaliser;
use super::transcript::{Action, Check, Keep, Step, Transcript};
use crate::folder::Folder;
use crate::http::Client;
use crate::server::{Product, Server};
use crate::{Result, wait};

/// Plays transcripts against one server, as the person at the keyboard.
pub(crate) struct Player<'a> {
    server: &'a Server,
    bao: &'a Path,
    /// Home and working folder of the commands.
    folder: Folder,
    values: BTreeMap<String, String>,
    token: String,
    namespace: String,
    normaliser: Normaliser,
}

/// The headers that are part of the API; the others are the HTTP stack's own.
const HEADERS: [&str; 5] =
    ["allow", "cache-control", "content-type", "retry-after", "strict-transport-security"];

/// How long `[until N]` repeats a request.
const UNTIL_LIMIT: Duration = Duration::from_secs(20);

/// What a step printed before anything in it was replaced.
struct Raw {
    status: String,
    headers: Vec<(&'static str, String)>,
    output: String,
    errors: String,
}

impl<'a> Player<'a> {
    pub(crate) fn new(server: &'a Server, bao: &'a Path) -> Result<Self> {
        let mut player = Self {
            server,
            bao,
            folder: Folder::new("player")?,
            values: BTreeMap::new(),
            token: server.root_token.clone(),
            namespace: String::new(),
            normaliser: Normaliser::default(),
        };
        player.know("address", server.address.to_string());
        player.know("root_token", server.root_token.clone());
        player.know("unseal_key", server.unseal_key.clone());
        Ok(player)
    }

    /// Makes `value` known to the steps as `${name}`, and shows it so.
    pub(crate) fn know(&mut self, name: &str, value: String) {
        self.normaliser.mask(&value, name);
        self.values.insert(name.to_owned(), value);
    }

    /// Plays the whole transcript: one answer for each step that asks something.
    pub(crate) fn play(&mut self, transcript: &Transcript) -> Result<Vec<Option<Answer>>> {
        let mut answers = Vec::new();
        for step in &transcript.steps {
            let answer = self.step(step).map_err(|message| {
                let (area, line) = (&transcript.area, step.line);
                format!("{area}.txt line {line}, on {}: {message}", self.server.product.name())
            });
            answers.push(answer?);
        }
        Ok(answers)
    }

    fn step(&mut self, step: &Step) -> Result<Option<Answer>> {
        let raw = match &step.action {
            Action::As(who) => {
                self.token = match who.as_str() {
                    "root" => self.server.root_token.clone(),
                    "nobody" => String::new(),
                    other => self.fill(other)?,
                };
                return Ok(None);
            }
            Action::Namespace(path) => {
                self.namespace = self.fill(path)?;
                return Ok(None);
            }
            Action::File { name } => {
                self.folder.write(name, self.fill(&step.input)?)?;
                return Ok(None);
            }
            Action::Command { words } => self.command(words, &step.input)?,
            Action::Request { method, path, headers } => match step.check {
                Check::Until(status) => self.request_until(status, method, path, headers)?,
                _ => self.request(method, path, headers, &step.input)?,
            },
        };
        for keep in &step.keeps {
            self.keep(keep, &raw)?;
        }
        Ok(Some(self.answer(raw, step.check)))
    }

    fn command(&self, words: &[String], input: &str) -> Result<Raw> {
        let is_setting = |word: &&String| {
            word.split_once('=')
                .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        };
        let settings = words.iter().take_while(is_setting).count();
        let (settings, rest) = words.split_at(settings);
        let Some((program, arguments)) = rest.split_first().filter(|(word, _)| *word == "bao")
        else {
            return Err("a command starts with `bao`".to_owned());
        };
        let mut command = Command::new(self.bao);
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.env("BAO_ADDR", format!("http://{}", self.server.address));
        for (name, value) in [("BAO_TOKEN", &self.token), ("BAO_NAMESPACE", &self.namespace)] {
            if !value.is_empty() {
                command.env(name, value);
            }
        }
        for setting in settings {
            let (name, value) = setting.split_once('=').unwrap_or_default();
            command.env(name, self.fill(value)?);
        }
        for argument in arguments {
            command.arg(self.fill(argument)?);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input may have closed it.
            let _ = stdin.write_all(self.fill(input)?.as_bytes());
        }
        let output = child
            .wait_with_output()
            .map_err(|error| format!("cannot wait for {program}: {error}"))?;
        let code = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
        Ok(Raw {
            status: format!("exit {code}"),
            headers: Vec::new(),
            output: String::from_utf8_lossy(&output.stdout).into_owned(),
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        input: &str,
    ) -> Result<Raw> {
        let mut sent = Vec::new();
        for (name, value) in headers {
            sent.push((name.clone(), self.fill(value)?));
        }
        for (name, value) in
            [("X-Vault-Token", &self.token), ("X-Vault-Namespace", &self.namespace)]
        {
            let given = headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
            if !value.is_empty() && !given {
                sent.push((name.to_owned(), value.clone()));
            }
        }
        let (path, body) = (self.fill(path)?, self.fill(input)?);
        let body = body.strip_suffix('\n').unwrap_or(&body);
        let response =
            Client::new(self.server.address).send(method, &path, &sent, body.as_bytes())?;
        let header = |name: &'static str| {
            let value = response.header(name).unwrap_or("-");
            // How long to wait depends on the moment; that it is said does not.
            let is_wait = name == "retry-after" && value.parse::<u64>().is_ok();
            (name, if is_wait { "<seconds>".to_owned() } else { value.to_owned() })
        };
        Ok(Raw {
            status: response.status.to_string(),
            headers: HEADERS.map(header).to_vec(),
            output: response.text(),
            errors: String::new(),
        })
    }

    /// Repeats a request without a body until its status is `status`; the answer after that counts.
    fn request_until(
        &self,
        status: u16,
        method: &str,
        path: &str,
        headers: &[(String, String)],
    ) -> Result<Raw> {
        let expected = status.to_string();
        wait::until(UNTIL_LIMIT, || {
            let answer = self.request(method, path, headers, "");
            let done = !answer.as_ref().is_ok_and(|raw| raw.status != expected);
            done.then_some(())
        });
        // The first such answer may come from the middle of the change; this one does not.
        self.request(method, path, headers, "")
    }

    fn keep(&mut self, keep: &Keep, raw: &Raw) -> Result<()> {
        let value = if keep.pointer.is_empty() {
            raw.output.trim().to_owned()
        } else {
            let output: Value = serde_json::from_str(&raw.output).unwrap_or_default();
            match output.pointer(&keep.pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                // Ours may still lack it: the answer already differs, and later steps tell more.
                None if self.server.product == Product::Strongroom => format!("no-{}", keep.name),
                None => {
                    let Raw { status, output, errors, .. } = raw;
                    return Err(format!(
                        "no {} in the answer: {status} {output}{errors}",
                        keep.pointer
                    ));
                }
            }
        };
        self.normaliser.mask(&value, &keep.name);
        self.values.insert(keep.name.clone(), value);
        Ok(())
    }

    fn answer(&self, raw: Raw, check: Check) -> Answer {
        let Raw { status, headers, output, errors } = raw;
        if check == Check::Status {
            let body = Body::Lines(Vec::new());
            return Answer { status, headers: Vec::new(), body, errors: Vec::new() };
        }
        let json =
            serde_json::from_str(&output).ok().filter(|v: &Value| v.is_object() || v.is_array());
        let body = match json {
            Some(value) if check == Check::Shape => {
                Body::Json(self.normaliser.json(&shape(&value)))
            }
            Some(value) => Body::Json(self.normaliser.json(&value)),
            None => Body::Lines(self.normaliser.text(&output)),
        };
        Answer { status, headers, body, errors: self.normaliser.text(&errors) }
    }

    /// Replaces each `${name}` by the value kept under that name.
    fn fill(&self, text: &str) -> Result<String> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or("a '${' is not closed")?;
            let value = self.values.get(name);
            result.push_str(before);
            result.push_str(value.ok_or_else(|| format!("no value was kept as '{name}'"))?);
            rest = tail;
        }
        result.push_str(rest);
        Ok(result)
    }
}
