use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::{Clock, Error, Name, Namespace, Result, Timestamp};
use core_barrier::{Record, Tx, View};
use core_identity::{Entity, Token};
use core_policy::{Acl, DEFAULT_TEXT, Identity, Policy, RESPONSE_WRAPPING_TEXT};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::namespaces::NamespaceEntry;

/// A policy as it is stored: the text as it was written, and what goes with it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PolicyRecord {
    pub name: String,
    pub text: String,
    /// Counts the writes since the policy was made, from 1.
    #[serde(default = "first_version")]
    pub version: i64,
    /// When it was written; nothing for a policy from before this was kept, or built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whoever writes it must say which version they replace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cas_required: bool,
    /// The last instant at which there is such a policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Timestamp>,
}

fn first_version() -> i64 {
    1
}

impl PolicyRecord {
    fn built_in(name: &Name, text: &str, version: i64) -> Self {
        let (name, text) = (name.to_string(), text.to_owned());
        Self { name, text, version, modified: None, cas_required: false, expiration: None }
    }

    fn counts_at(&self, now: Timestamp) -> bool {
        self.expiration.is_none_or(|expiration| now <= expiration)
    }
}

impl Record for PolicyRecord {
    const KIND: &'static str = "policy";
}

/// What to write of a policy. What is `None` stays as it is; of a new policy it is empty.
#[derive(Clone, Debug, Default)]
pub struct PolicyUpdate {
    pub text: Option<String>,
    pub cas_required: Option<bool>,
    pub expiration: Option<Option<Timestamp>>,
    /// The version that is replaced: 0, or -1, where there must be none yet.
    pub cas: Option<i64>,
}

impl PolicyUpdate {
    fn applied(
        self,
        name: &Name,
        old: Option<PolicyRecord>,
        now: Timestamp,
    ) -> Result<PolicyRecord> {
        let cas_required = self.cas_required.unwrap_or_default();
        self.check_version(old.as_ref(), cas_required)?;
        let old = old.unwrap_or_else(|| PolicyRecord::built_in(name, "", 0));
        Ok(PolicyRecord {
            text: self.text.unwrap_or(old.text),
            version: old.version + 1,
            modified: Some(now),
            cas_required: self.cas_required.unwrap_or(old.cas_required),
            expiration: self.expiration.unwrap_or(old.expiration),
            name: old.name,
        })
    }

    fn check_version(&self, old: Option<&PolicyRecord>, cas_required: bool) -> Result<()> {
        let current = old.map_or(0, |old| old.version);
        let fault = match self.cas {
            None if cas_required || old.is_some_and(|old| old.cas_required) => {
                "check-and-set parameter required for this call".to_owned()
            }
            Some(-1) if old.is_some() => {
                "check-and-set parameter set to -1 on existing entry".to_owned()
            }
            Some(asked) if asked != current && asked != -1 => format!(
                "check-and-set parameter {asked} did not match the current version {current}"
            ),
            None | Some(_) => return Ok(()),
        };
        Err(Error::invalid(fault))
    }
}

/// All policies, and what sets of them come to. A set is compiled once and kept until some policy
/// changes.
pub struct Policies {
    state: View,
    clock: Arc<dyn Clock>,
    parsed: Cache<String, Parsed>,
    compiled: Cache<String, Compiled>,
    /// How many changes there have been: what was read before one must not be kept after it. The
    /// lock makes comparing and keeping one step.
    changes: Mutex<u64>,
}

/// A policy, and the last instant at which it counts.
#[derive(Clone)]
struct Parsed {
    policy: Arc<Policy>,
    until: Option<Timestamp>,
}

/// An ACL, whether it depends on the entity it was compiled for, and the last instant at which all
/// policies in it count.
#[derive(Clone)]
struct Compiled {
    acl: Arc<Acl>,
    templated: bool,
    until: Option<Timestamp>,
}

const CACHED: usize = 4096;

impl Policies {
    pub(crate) fn new(state: View, clock: Arc<dyn Clock>) -> Self {
        let (parsed, compiled) = (Cache::new(CACHED), Cache::new(CACHED));
        Self { state, clock, parsed, compiled, changes: Mutex::new(0) }
    }

    pub async fn read(&self, namespace: &str, name: &Name) -> Result<Option<PolicyRecord>> {
        match name.as_str() {
            "root" => Ok(Some(PolicyRecord::built_in(name, "", 0))),
            "response-wrapping" => {
                Ok(Some(PolicyRecord::built_in(name, RESPONSE_WRAPPING_TEXT, 1)))
            }
            _ => {
                let stored = self.state.get(&key(namespace, name)).await?;
                Ok(in_force(name, stored, self.clock.now()))
            }
        }
    }

    /// The names a person sees: without the one that only wrapping tokens have.
    pub async fn list(&self, namespace: &NamespaceEntry) -> Result<Vec<String>> {
        let prefix = format!("policy/acl/{}/", namespace.id());
        let (mut names, now) = (vec!["default".to_owned()], self.clock.now());
        if namespace.path.is_root() {
            names.push("root".to_owned());
        }
        for key in self.state.keys(&prefix, "", 0).await? {
            // One that cannot be read is there, and must not hide the others.
            let counts = match self.state.get::<PolicyRecord>(&key).await {
                Ok(stored) => stored.is_some_and(|stored| stored.counts_at(now)),
                Err(_) => true,
            };
            names.extend(counts.then(|| key[prefix.len()..].to_owned()));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Stores a policy, whatever it was before, and gives the warnings about it.
    ///
    /// # Errors
    /// `Invalid` with line and column, or if this policy cannot be changed.
    pub async fn write(&self, namespace: &str, name: &Name, text: &str) -> Result<Vec<String>> {
        let text = Some(text.to_owned());
        self.update(namespace, name, PolicyUpdate { text, ..PolicyUpdate::default() }).await
    }

    /// Stores what is new of a policy, and gives the warnings about it.
    ///
    /// # Errors
    /// As for [`Self::write`]; also if another version is there than the one to replace.
    pub async fn update(
        &self,
        namespace: &str,
        name: &Name,
        update: PolicyUpdate,
    ) -> Result<Vec<String>> {
        core_policy::check_write(name)?;
        let (key, now) = (&key(namespace, name), self.clock.now());
        let work = |tx: Tx| {
            let update = update.clone();
            async move {
                let record = update.applied(name, in_force(name, tx.get(key).await?, now), now)?;
                let policy = Policy::parse(name, &record.text)?;
                tx.put(key, &record)?;
                Ok(policy.warnings().to_vec())
            }
        };
        let warnings = self.state.transact(work).await?;
        self.forget();
        Ok(warnings)
    }

    pub async fn delete(&self, namespace: &str, name: &Name) -> Result<()> {
        core_policy::check_delete(name)?;
        self.state.delete(&key(namespace, name)).await?;
        self.forget();
        Ok(())
    }

    pub(crate) fn forget(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.parsed.clear();
        self.compiled.clear();
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The policy with this name, if there is one.
    pub async fn policy(&self, namespace: &str, name: &Name) -> Result<Option<Arc<Policy>>> {
        Ok(self.parsed(namespace, name).await?.map(|parsed| parsed.policy))
    }

    async fn parsed(&self, namespace: &str, name: &Name) -> Result<Option<Parsed>> {
        let (key, now) = (key(namespace, name), self.clock.now());
        let counts = |parsed: &Parsed| parsed.until.is_none_or(|until| now <= until);
        if let Some(parsed) = self.parsed.get(&key).filter(counts) {
            return Ok(Some(parsed));
        }
        let before = *self.changes();
        let (policy, until) = match name.as_str() {
            "root" => (Policy::root(), None),
            _ => match self.read(namespace, name).await? {
                Some(PolicyRecord { text, expiration, .. }) => {
                    (Policy::parse(name, &text)?.until(expiration), expiration)
                }
                None => return Ok(None),
            },
        };
        let parsed = Parsed { policy: Arc::new(policy), until };
        let changes = self.changes();
        if *changes == before {
            self.parsed.insert(key, parsed.clone());
        }
        Ok(Some(parsed))
    }

    /// What `token` may do. Its policies live in its own namespace.
    pub(crate) async fn acl(
        &self,
        token: &Token,
        namespace: &NamespaceEntry,
        entity: Option<&Entity>,
    ) -> Result<Arc<Acl>> {
        let identity_policies = entity.map_or(&[][..], |entity| &entity.policies);
        self.compile(namespace, token.policies.iter().chain(identity_policies), entity).await
    }

    /// What these policies come to for this entity.
    pub async fn compile(
        &self,
        namespace: &NamespaceEntry,
        names: impl IntoIterator<Item = &String>,
        entity: Option<&Entity>,
    ) -> Result<Arc<Acl>> {
        let now = self.clock.now();
        let names: Vec<&String> = names.into_iter().collect();
        let plain = set_key(namespace, &names, "");
        let own = entity.map(|entity| set_key(namespace, &names, &entity.id));
        let fresh = |found: &Compiled| found.until.is_none_or(|until| now <= until);
        let shared = |found: &Compiled| own.is_none() || !found.templated;
        if let Some(found) = self.compiled.get(&plain).filter(fresh).filter(shared) {
            return Ok(found.acl);
        }
        if let Some(found) = own.as_ref().and_then(|own| self.compiled.get(own)).filter(fresh) {
            return Ok(found.acl);
        }
        let before = *self.changes();
        let mut policies = Vec::new();
        for name in names {
            let Ok(name) = Name::parse(name) else { continue };
            policies.extend(self.parsed(namespace.id(), &name).await?);
        }
        let templated = policies.iter().any(|parsed| parsed.policy.is_templated());
        let identity = entity.map(identity_of).unwrap_or_default();
        let set: Vec<(&Namespace, &Policy)> =
            policies.iter().map(|parsed| (&namespace.path, &*parsed.policy)).collect();
        let acl = Arc::new(Acl::compile(&set, &identity, now));
        // A policy without rules ends too: the built-in one may be in force after it.
        let until =
            policies.iter().filter_map(|parsed| parsed.until).chain(acl.valid_until()).min();
        let key = if templated { own.unwrap_or(plain) } else { plain };
        let changes = self.changes();
        if *changes == before {
            self.compiled.insert(key, Compiled { acl: acl.clone(), templated, until });
        }
        Ok(acl)
    }

    /// Every policy of a namespace, for questions about all of them.
    pub async fn all(&self, namespace: &NamespaceEntry) -> Result<Vec<Arc<Policy>>> {
        let mut policies = Vec::new();
        for name in self.list(namespace).await? {
            policies.extend(self.policy(namespace.id(), &Name::parse(&name)?).await?);
        }
        Ok(policies)
    }
}

/// # Errors
/// `Invalid` for policies that nobody may be given.
pub fn check_assignable(names: &[String]) -> Result<()> {
    match names.iter().find(|name| name.as_str() == "response-wrapping") {
        Some(name) => Err(Error::invalid(format!("cannot assign policy {name:?}"))),
        None => Ok(()),
    }
}

/// What a stored policy means now: the default policy is there without being stored.
fn in_force(name: &Name, stored: Option<PolicyRecord>, now: Timestamp) -> Option<PolicyRecord> {
    let is_default = name.as_str() == "default";
    let standard = || is_default.then(|| PolicyRecord::built_in(name, DEFAULT_TEXT, 1));
    stored.filter(|stored| stored.counts_at(now)).or_else(standard)
}

fn key(namespace: &str, name: &Name) -> String {
    format!("policy/acl/{namespace}/{name}")
}

fn set_key(namespace: &NamespaceEntry, names: &[&String], entity: &str) -> String {
    let mut key = String::with_capacity(64);
    key.push_str(namespace.id());
    for name in names {
        key.push('\n');
        key.push_str(name);
    }
    key.push_str("\n\n");
    key.push_str(entity);
    key
}

fn identity_of(entity: &Entity) -> Identity {
    let alias = |alias: &core_identity::Alias| core_policy::Alias {
        mount_accessor: alias.mount_accessor.clone(),
        id: alias.id.clone(),
        name: alias.name.clone(),
        metadata: alias.metadata.clone(),
        ..Default::default()
    };
    Identity {
        entity: Some(core_policy::Entity {
            id: entity.id.to_string(),
            name: entity.name.clone(),
            metadata: entity.metadata.clone(),
            aliases: entity.aliases.iter().map(alias).collect(),
        }),
        groups: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let old = r#"{"name":"a","text":"x"}"#;
        let record: PolicyRecord = serde_json::from_str(old).unwrap();
        assert_eq!((record.version, record.modified, record.cas_required), (1, None, false));
        let golden = r#"{"name":"a","text":"x","version":2,"modified":"1970-01-01T00:00:10Z","cas_required":true,"expiration":"1970-01-01T00:00:20Z"}"#;
        let record: PolicyRecord = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), golden);
    }

    #[test]
    fn a_write_says_which_version_it_replaces() {
        let name = Name::parse("a").unwrap();
        let update = |cas, cas_required| {
            let text = Some("x".to_owned());
            PolicyUpdate { text, cas, cas_required, ..PolicyUpdate::default() }
        };
        let stored = |required| {
            let record = PolicyRecord::built_in(&name, "x", 3);
            PolicyRecord { cas_required: required, ..record }
        };
        for (cas, required, old, version) in [
            (None, None, None, Some(1)),
            (Some(0), None, None, Some(1)),
            (Some(-1), None, None, Some(1)),
            (Some(1), None, None, None),
            (None, Some(true), None, None),
            (None, None, Some(stored(false)), Some(4)),
            (Some(3), None, Some(stored(true)), Some(4)),
            (Some(2), None, Some(stored(false)), None),
            (Some(-1), None, Some(stored(false)), None),
            (None, Some(false), Some(stored(true)), None),
        ] {
            let case = format!("{cas:?} {required:?} {old:?}");
            let made = update(cas, required).applied(&name, old, Timestamp::from_seconds(10));
            assert_eq!(made.ok().map(|made| made.version), version, "{case}");
        }
    }
}
