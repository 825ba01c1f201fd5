//! Kinds of recipients that other programs know, `age-plugin-NAME` each.
//! <https://c2sp.org/age-plugin>

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base_crypto::Random;
use base_types::Secret;

use crate::stanza::Lines;
use crate::{Error, FileKey, Identity, Person, Recipient, Result, Stanza, Wrapped, base64, bech32};

/// `age1NAME1…`, or an identity that files are encrypted for.
pub(crate) struct PluginRecipient {
    plugin: String,
    /// The command that hands it to the plugin.
    command: &'static str,
    text: String,
}

impl PluginRecipient {
    pub(crate) fn new(plugin: &str, text: &str) -> Result<Self> {
        check_name(plugin)?;
        let (plugin, text) = (plugin.to_owned(), text.to_owned());
        Ok(Self { plugin, command: "add-recipient", text })
    }
}

impl Recipient for PluginRecipient {
    fn wrap(&self, file_key: &FileKey, _: &dyn Random) -> Result<Wrapped> {
        let mut plugin = Conversation::start(&self.plugin, "recipient-v1", &Nobody)?;
        plugin.send(&Stanza::new([self.command, self.text.as_str()], []))?;
        plugin.send(&Stanza::new(["wrap-file-key"], *file_key.expose()))?;
        plugin.send(&Stanza::new(["extension-labels"], []))?;
        plugin.send(&Stanza::new(["done"], []))?;
        let mut wrapped = Wrapped { stanzas: Vec::new(), labels: BTreeSet::new() };
        plugin.answer(|said| match said.tag() {
            "recipient-stanza" if said.arguments.len() > 2 => {
                let arguments = said.arguments[2..].iter().cloned();
                wrapped.stanzas.push(Stanza::new(arguments, said.body.clone()));
                true
            }
            "labels" => {
                wrapped.labels.extend(said.arguments[1..].iter().cloned());
                true
            }
            _ => false,
        })?;
        match wrapped.stanzas.is_empty() {
            true => Err(plugin.fault("it has wrapped nothing")),
            false => Ok(wrapped),
        }
    }
}

/// `AGE-PLUGIN-NAME-1…`.
pub struct PluginIdentity<'a> {
    plugin: String,
    text: Secret<String>,
    person: &'a dyn Person,
}

impl<'a> PluginIdentity<'a> {
    /// # Errors
    /// `Invalid` if the text is no such identity.
    pub fn parse(text: &str, person: &'a dyn Person) -> Result<Self> {
        let broken = || Error::invalid("this is no identity AGE-PLUGIN-NAME-1…");
        let (name, _) = bech32::decode(text).ok_or_else(broken)?;
        let name = name.strip_prefix("age-plugin-").and_then(|name| name.strip_suffix('-'));
        let plugin = name.ok_or_else(broken)?.to_owned();
        check_name(&plugin)?;
        Ok(Self { plugin, text: Secret::new(text.to_owned()), person })
    }

    /// The identity of a plugin that needs none, by the plugin's name.
    ///
    /// # Errors
    /// `Invalid` if no plugin can be called so.
    pub fn of_plugin(plugin: &str, person: &'a dyn Person) -> Result<Self> {
        check_name(plugin)?;
        let text = bech32::encode(&format!("age-plugin-{plugin}-"), b"").to_ascii_uppercase();
        Ok(Self { plugin: plugin.to_owned(), text: Secret::new(text), person })
    }

    pub(crate) fn recipient(&self) -> PluginRecipient {
        PluginRecipient {
            plugin: self.plugin.clone(),
            command: "add-identity",
            text: self.text.expose().clone(),
        }
    }
}

impl Identity for PluginIdentity<'_> {
    fn unwrap(&self, stanzas: &[Stanza]) -> Result<Option<FileKey>> {
        let mut plugin = Conversation::start(&self.plugin, "identity-v1", self.person)?;
        plugin.send(&Stanza::new(["add-identity", self.text.expose()], []))?;
        for stanza in stanzas {
            let arguments = ["recipient-stanza", "0"].into_iter();
            let arguments = arguments.chain(stanza.arguments.iter().map(String::as_str));
            plugin.send(&Stanza::new(arguments, stanza.body.clone()))?;
        }
        plugin.send(&Stanza::new(["done"], []))?;
        let mut key = None;
        let outcome = plugin.answer(|said| {
            let is_key = said.tag() == "file-key";
            if is_key {
                key = said.body.as_slice().try_into().ok().map(Secret::new);
            }
            is_key
        });
        match (key, outcome) {
            (Some(key), _) => Ok(Some(key)),
            (None, outcome) => outcome.map(|()| None),
        }
    }
}

/// Nobody to ask: what is encrypted needs no secret of anybody.
struct Nobody;

impl Person for Nobody {
    fn secret(&self, _: &str) -> Option<Secret<String>> {
        None
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    match !name.is_empty() && name.bytes().all(is_known) {
        true => Ok(()),
        false => Err(Error::invalid(format!("no plugin can be called '{name}'"))),
    }
}

/// A plugin that runs, to which commands are sent as stanzas. It ends with this value.
struct Conversation<'a> {
    name: &'a str,
    process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    person: &'a dyn Person,
}

impl<'a> Conversation<'a> {
    fn start(name: &'a str, machine: &str, person: &'a dyn Person) -> Result<Self> {
        let program = find(name)?;
        let fault = |error: &dyn std::fmt::Display| {
            Error::Unavailable(format!("{} cannot be started: {error}", program.display()))
        };
        let mut process = Command::new(&program)
            .arg(format!("--age-plugin={machine}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| fault(&error))?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(fault(&"it has no pipes"));
        };
        Ok(Self { name, process, stdin, lines: Lines::new(BufReader::new(stdout)), person })
    }

    fn send(&mut self, stanza: &Stanza) -> Result<()> {
        let sent = self.stdin.write_all(stanza.text().as_bytes());
        sent.and_then(|()| self.stdin.flush()).map_err(|error| self.fault(&error.to_string()))
    }

    /// Answers what the plugin asks until it is done. `take` says whether a command was one that it
    /// knows.
    fn answer(&mut self, mut take: impl FnMut(&Stanza) -> bool) -> Result<()> {
        let mut faults = Vec::new();
        loop {
            let said = self.next()?;
            let message = String::from_utf8_lossy(&said.body).into_owned();
            let reply = match said.tag() {
                "done" => break,
                "error" => {
                    faults.push(message);
                    Stanza::new(["ok"], [])
                }
                "msg" => self.reply(self.person.tell(&message).then(Vec::new)),
                "request-public" => {
                    let text = self.person.text(&message);
                    self.reply(text.map(String::into_bytes))
                }
                "request-secret" => {
                    let secret = self.person.secret(&message);
                    self.reply(secret.map(|secret| secret.expose().as_bytes().to_vec()))
                }
                "confirm" => self.confirm(&said, &message),
                _ if take(&said) => Stanza::new(["ok"], []),
                _ => Stanza::new(["unsupported"], []),
            };
            self.send(&reply)?;
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(self.fault(&faults.join("; "))),
        }
    }

    fn reply(&self, answer: Option<Vec<u8>>) -> Stanza {
        match answer {
            Some(answer) => Stanza::new(["ok"], answer),
            None => Stanza::new(["fail"], []),
        }
    }

    fn confirm(&self, said: &Stanza, question: &str) -> Stanza {
        let choice = |at: usize| {
            let bytes = base64::decode(said.arguments.get(at)?)?;
            String::from_utf8(bytes).ok()
        };
        let (yes, no) = (choice(1).unwrap_or_default(), choice(2));
        match self.person.choice(question, &yes, no.as_deref()) {
            Some(true) => Stanza::new(["ok", "yes"], []),
            Some(false) => Stanza::new(["ok", "no"], []),
            None => Stanza::new(["fail"], []),
        }
    }

    fn next(&mut self) -> Result<Stanza> {
        let read = |lines: &mut Lines<BufReader<ChildStdout>>| {
            let first = lines.next_line()?.to_owned();
            let first = first.strip_prefix("-> ").ok_or_else(|| Error::header(""))?;
            Stanza::read(first, lines)
        };
        let name = self.name;
        read(&mut self.lines).map_err(|_| {
            Error::Unavailable(format!(
                "age-plugin-{name}: it ended, or speaks no plugin's language"
            ))
        })
    }

    fn fault(&self, text: &str) -> Error {
        Error::Unavailable(format!("age-plugin-{}: {text}", self.name))
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        // Whatever it still does, nobody waits for it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program of a plugin. Folders relative to where this happens to run are not searched.
fn find(name: &str) -> Result<PathBuf> {
    let program = format!("age-plugin-{name}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(&program)).find(|path| path.is_file()).ok_or_else(|| {
        Error::Unavailable(format!(
            "the plugin {program} is not installed: nothing in PATH is called so"
        ))
    })
}
