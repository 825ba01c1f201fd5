use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use base_crypto::{HmacKey, Random, hex, random_array, unhex};
use base_types::{Error, Result};
use jiff::civil::Date;
use scan_sources::Leak;
use serde::Deserialize;

/// Findings that somebody accepted, each by what it is and not by where: a new secret on the same line is another
/// one, and the same secret moved elsewhere stays accepted.
///
/// The file has a key of its own, under which each secret is hashed. Nobody reads secrets out of it, but who has it can
/// try whether a guess is one of them: a secret that can be guessed is not to be accepted but changed.
pub struct Accepted {
    key: Option<[u8; 32]>,
    entries: HashMap<String, Entry>,
    /// What was added and is not in the file yet.
    added: String,
}

/// What the file says of a finding.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
struct Entry {
    rule: String,
    /// HMAC-SHA-256 of the rule and the secret, in hexadecimal.
    fingerprint: String,
    reason: String,
    /// The first day on which it no longer counts, as `2027-01-31`.
    #[serde(default)]
    expires: Option<String>,
    /// Where it was when it was accepted; for people alone.
    #[serde(default)]
    file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    key: String,
    #[serde(default)]
    accept: Vec<Entry>,
}

/// Whether a finding is accepted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Acceptance {
    Accepted,
    /// It was until this day.
    Expired(String),
    Not,
}

impl Accepted {
    /// Nothing is accepted.
    pub fn none() -> Self {
        Self { key: None, entries: HashMap::new(), added: String::new() }
    }

    /// Reads the file; if there is none, nothing is accepted.
    ///
    /// # Errors
    ///
    /// `Invalid` names the file and what is wrong in it.
    pub fn open(path: &Path) -> Result<Self> {
        let fault = |e: &dyn std::fmt::Display| Error::invalid(format!("{}: {e}", path.display()));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::none()),
            Err(e) => return Err(fault(&e)),
        };
        let content: Content = toml::from_str(&text).map_err(|e| fault(&e))?;
        let key = unhex(&content.key).and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| fault(&"the key is not 64 hexadecimal digits"))?;
        let mut entries = HashMap::new();
        for entry in content.accept {
            if let Some(day) = &entry.expires {
                day.parse::<Date>()
                    .map_err(|e| fault(&format!("expires of {}: {e}", entry.rule)))?;
            }
            if entry.reason.trim().is_empty() {
                return Err(fault(&format!("an entry of {} has no reason", entry.rule)));
            }
            entries.insert(entry.fingerprint.to_lowercase(), entry);
        }
        Ok(Self { key: Some(key), entries, added: String::new() })
    }

    /// Whether a finding is accepted on the day `today`.
    pub fn find(&self, leak: &Leak, today: Date) -> Acceptance {
        let Some(key) = &self.key else { return Acceptance::Not };
        match self.entries.get(&fingerprint(key, leak)) {
            Some(entry) if entry.rule == leak.finding.rule_id => match &entry.expires {
                Some(day) if day.parse::<Date>().is_ok_and(|day| day <= today) => {
                    Acceptance::Expired(day.clone())
                }
                _ => Acceptance::Accepted,
            },
            _ => Acceptance::Not,
        }
    }

    /// Accepts a finding, from now until the day `expires`. Whether it was new.
    pub fn accept(
        &mut self,
        leak: &Leak,
        reason: &str,
        expires: Option<Date>,
        random: &dyn Random,
    ) -> bool {
        let mut text = String::new();
        let key = *self.key.get_or_insert_with(|| {
            let key = random_array(random);
            text = format!("{HEAD}key = \"{}\"\n", hex(&key));
            key
        });
        let entry = Entry {
            rule: leak.finding.rule_id.clone(),
            fingerprint: fingerprint(&key, leak),
            reason: reason.to_owned(),
            expires: expires.map(|day| day.to_string()),
            file: Some(leak.file.clone()),
        };
        self.added.push_str(&text);
        let known = self.entries.get(&entry.fingerprint);
        if known.is_some_and(|known| known.expires.is_none()) {
            return false;
        }
        self.added.push_str(&entry.text(&leak.file));
        self.entries.insert(entry.fingerprint.clone(), entry).is_none()
    }

    /// Adds to the file what was accepted.
    ///
    /// # Errors
    ///
    /// `Unavailable` if it cannot be written.
    pub fn save(&mut self, path: &Path) -> Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(std::mem::take(&mut self.added).as_bytes()))
            .map_err(|e| Error::unavailable(format!("cannot write {}: {e}", path.display())))
    }
}

const HEAD: &str = "# Findings of `strongroom scan` that were accepted, by their content. Take an entry out to see its\n\
                    # finding again. The key belongs to this file; without it the entries mean nothing.\n";

impl Entry {
    fn text(&self, file: &str) -> String {
        // A string of JSON is one of TOML too.
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!(
            "\n[[accept]]\nrule = {}\nfingerprint = \"{}\"\nfile = {}\nreason = {}\n",
            quote(&self.rule),
            self.fingerprint,
            quote(file),
            quote(&self.reason)
        );
        if let Some(day) = &self.expires {
            text.push_str(&format!("expires = \"{day}\"\n"));
        }
        text
    }
}

/// The hash of a finding. The length before the rule keeps it apart from the secret.
fn fingerprint(key: &[u8; 32], leak: &Leak) -> String {
    let rule = leak.finding.rule_id.as_bytes();
    let content = match leak.finding.secret.expose().as_slice() {
        // A file that is found by its name has no other content.
        [] => leak.file.as_bytes(),
        secret => secret,
    };
    let mut message = (rule.len() as u64).to_be_bytes().to_vec();
    message.extend_from_slice(rule);
    message.extend_from_slice(content);
    hex(&HmacKey::new(key).sign(&message))
}
