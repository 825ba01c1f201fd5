//! Secrets with versions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::machine::Answer;

pub(crate) const KEYS: [&str; 3] = ["a", "b", "c/d"];
/// How many versions are kept where nothing is configured.
const KEPT: u64 = 10;

#[derive(Default)]
pub(crate) struct Kv(BTreeMap<&'static str, Secret>);

#[derive(Default)]
struct Secret {
    current: u64,
    versions: BTreeMap<u64, Version>,
}

struct Version {
    /// `None` once destroyed.
    value: Option<u64>,
    deleted: bool,
}

/// What an operation does to one version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    Delete,
    Destroy,
    Undelete,
}

impl Kv {
    pub(crate) fn write(&mut self, key: &'static str, value: u64, cas: Option<u64>) -> Answer {
        let current = self.0.get(key).map_or(0, |secret| secret.current);
        if cas.is_some_and(|cas| cas != current) {
            return Answer::Invalid;
        }
        let secret = self.0.entry(key).or_default();
        secret.current += 1;
        secret.versions.insert(secret.current, Version { value: Some(value), deleted: false });
        secret.versions.retain(|version, _| version + KEPT > secret.current);
        Answer::Done(json!(secret.current))
    }

    /// The value and its version.
    pub(crate) fn read(&self, key: &str, version: u64) -> Answer {
        let found = self.0.get(key).and_then(|secret| {
            let version = if version == 0 { secret.current } else { version };
            let found = secret.versions.get(&version).filter(|found| !found.deleted)?;
            found.value.map(|value| json!([value, version]))
        });
        found.map_or(Answer::Missing, Answer::Done)
    }

    /// Deletes the newest version.
    pub(crate) fn delete(&mut self, key: &str) -> Answer {
        let current = self.0.get(key).map_or(0, |secret| secret.current);
        self.change(key, &[current], Fate::Delete)
    }

    pub(crate) fn change(&mut self, key: &str, versions: &[u64], fate: Fate) -> Answer {
        let Some(secret) = self.0.get_mut(key) else {
            return Answer::Done(Value::Null);
        };
        for version in versions {
            let Some(version) = secret.versions.get_mut(version) else { continue };
            match fate {
                Fate::Delete => version.deleted = true,
                Fate::Destroy => version.value = None,
                Fate::Undelete => version.deleted = false,
            }
        }
        Answer::Done(Value::Null)
    }

    pub(crate) fn remove(&mut self, key: &str) -> Answer {
        self.0.remove(key);
        Answer::Done(Value::Null)
    }

    pub(crate) fn list(&self) -> Answer {
        let name = |key: &&str| key.find('/').map_or(*key, |slash| &key[..=slash]).to_owned();
        let names: Vec<String> = self.0.keys().map(name).collect();
        if names.is_empty() { Answer::Missing } else { Answer::Done(json!(names)) }
    }

    pub(crate) fn current(&self, key: &str) -> u64 {
        self.0.get(key).map_or(0, |secret| secret.current)
    }
}
