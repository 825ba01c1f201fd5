use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Step, Writer, send};
use crate::Result;
use crate::http::Client;
use crate::random::Random;

/// Writes and deletes secrets. Each write touches the version and the metadata at once, and its
/// value carries its own version number.
pub(super) struct SecretWriter {
    number: u32,
    /// Goes into every value, so that no value of an earlier life can pass for a later one.
    mark: u64,
    counter: u64,
    /// What was acknowledged for each secret; no entry means that nothing is there.
    secrets: BTreeMap<String, Secret>,
    /// The write that is under way: what will be there if it is carried out.
    open: Option<(String, Option<Secret>)>,
}

/// A secret as it must be found: its newest version and what that holds.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Secret {
    version: u64,
    content: String,
}

const SECRETS: u64 = 20;
/// One write of this many deletes the secret with all its versions.
const DELETE_ONE_OF: u64 = 12;

impl SecretWriter {
    pub(super) fn new(number: u32, mark: u64) -> Self {
        Self { number, mark, counter: 0, secrets: BTreeMap::new(), open: None }
    }

    fn name(&self, secret: u64) -> String {
        format!("writer-{}/secret-{secret}", self.number)
    }

    /// Whether what was found is what was acknowledged, or what the open write would leave.
    fn explains(&self, name: &str, found: Option<&Secret>) -> bool {
        let opened = self.open.as_ref().filter(|(open, _)| open == name);
        found == self.secrets.get(name) || opened.is_some_and(|(_, after)| after.as_ref() == found)
    }
}

impl Writer for SecretWriter {
    fn write(&mut self, client: &mut Client, random: &mut Random) -> Result<Step> {
        let name = self.name(random.below(SECRETS));
        let before = self.secrets.get(&name).map_or(0, |secret| secret.version);
        let (method, path, body, after) = if before > 0 && random.below(DELETE_ONE_OF) == 0 {
            ("DELETE", format!("/v1/kv/metadata/{name}"), Value::Null, None)
        } else {
            self.counter += 1;
            let content = format!("{}-{}", self.mark, self.counter);
            let secret = Secret { version: before + 1, content };
            let data = json!({"version": secret.version, "content": secret.content});
            let body = json!({"data": data, "options": {"cas": before}});
            ("POST", format!("/v1/kv/data/{name}"), body, Some(secret))
        };
        self.open = Some((name.clone(), after.clone()));
        let answer = send(client, method, &path, &body)?;
        self.open = None;
        match answer {
            Answer::Done(_) => {
                match after {
                    Some(secret) => self.secrets.insert(name, secret),
                    None => self.secrets.remove(&name),
                };
                Ok(Step::Acknowledged)
            }
            Answer::Refused(message) => Ok(Step::Refused(message)),
        }
    }

    fn check(&mut self, client: &mut Client) -> Result<Vec<String>> {
        let mut losses = Vec::new();
        for number in 0..SECRETS {
            let name = self.name(number);
            let (found, half) = read(client, &name)?;
            losses.extend(half);
            if !self.explains(&name, found.as_ref()) {
                let expected = self.secrets.get(&name);
                losses.push(format!("{name}: expected {expected:?}, found {found:?}"));
            }
            match found {
                Some(secret) => self.secrets.insert(name, secret),
                None => self.secrets.remove(&name),
            };
        }
        self.open = None;
        Ok(losses)
    }
}

/// Reads a secret with its metadata, and says where the two do not agree.
fn read(client: &mut Client, name: &str) -> Result<(Option<Secret>, Vec<String>)> {
    let data = client.call("GET", &format!("/v1/kv/data/{name}"), &Value::Null)?;
    let metadata = client.call("GET", &format!("/v1/kv/metadata/{name}"), &Value::Null)?;
    if data.status == 404 && metadata.status == 404 {
        return Ok((None, Vec::new()));
    }
    let (data, metadata) = (&data.json()["data"], &metadata.json()["data"]);
    let version = data["metadata"]["version"].as_u64().unwrap_or_default();
    let content = data["data"]["content"].as_str().unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    if metadata["current_version"] != version || data["data"]["version"] != version {
        faults.push(format!("{name}: half a write: data {data}, metadata {metadata}"));
    }
    let versions = metadata["versions"].as_object().cloned().unwrap_or_default();
    // The oldest one too: the write that drops a version must drop it in both places.
    let oldest = versions.keys().filter_map(|key| key.parse::<u64>().ok()).min();
    if let Some(oldest) = oldest {
        let path = format!("/v1/kv/data/{name}?version={oldest}");
        let old = client.call("GET", &path, &Value::Null)?.json();
        if old["data"]["data"]["version"] != oldest {
            faults.push(format!("{name}: version {oldest} is listed but reads as {old}"));
        }
    }
    Ok((Some(Secret { version, content }), faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(version: u64) -> Secret {
        Secret { version, content: format!("7-{version}") }
    }

    #[test]
    fn only_the_acknowledged_or_the_open_state_is_explained() {
        let mut writer = SecretWriter::new(0, 7);
        writer.secrets.insert("a".to_owned(), secret(3));
        assert!(writer.explains("a", Some(&secret(3))));
        assert!(!writer.explains("a", Some(&secret(2))), "an older version is a loss");
        assert!(!writer.explains("a", Some(&secret(4))), "nobody wrote this yet");
        assert!(!writer.explains("a", None), "a missing secret is a loss");
        writer.open = Some(("a".to_owned(), Some(secret(4))));
        assert!(writer.explains("a", Some(&secret(3))) && writer.explains("a", Some(&secret(4))));
        assert!(!writer.explains("a", None));
        writer.open = Some(("a".to_owned(), None));
        assert!(writer.explains("a", None));
        assert!(writer.explains("b", None));
        assert!(!writer.explains("b", Some(&secret(1))), "what was deleted stays deleted");
    }
}
