use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::{Clock, Error, Name, Namespace, Result};
use core_barrier::{Record, View};
use core_identity::{Entity, Token};
use core_policy::{Acl, DEFAULT_TEXT, Identity, Policy, RESPONSE_WRAPPING_TEXT};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::namespaces::NamespaceEntry;

/// The text of a policy as it was written.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PolicyRecord {
    pub name: String,
    pub text: String,
}

impl Record for PolicyRecord {
    const KIND: &'static str = "policy";
}

/// All policies, and what sets of them come to. A set is compiled once and kept until some policy
/// changes.
pub struct Policies {
    state: View,
    clock: Arc<dyn Clock>,
    parsed: Cache<String, Arc<Policy>>,
    compiled: Cache<Arc<str>, Compiled>,
    /// How many changes there have been: what was read before one must not be kept after it. The
    /// lock makes comparing and keeping one step.
    changes: Mutex<u64>,
}

/// An ACL, and whether it depends on the entity it was compiled for.
#[derive(Clone)]
struct Compiled {
    acl: Arc<Acl>,
    templated: bool,
}

const CACHED: usize = 4096;

impl Policies {
    pub(crate) fn new(state: View, clock: Arc<dyn Clock>) -> Self {
        let (parsed, compiled) = (Cache::new(CACHED), Cache::new(CACHED));
        Self { state, clock, parsed, compiled, changes: Mutex::new(0) }
    }

    pub async fn read(&self, namespace: &str, name: &Name) -> Result<Option<PolicyRecord>> {
        let built_in = |text: &str| PolicyRecord { name: name.to_string(), text: text.to_owned() };
        match name.as_str() {
            "root" => Ok(Some(built_in(""))),
            "response-wrapping" => Ok(Some(built_in(RESPONSE_WRAPPING_TEXT))),
            "default" => {
                let stored = self.state.get(&key(namespace, name)).await?;
                Ok(Some(stored.unwrap_or_else(|| built_in(DEFAULT_TEXT))))
            }
            _ => self.state.get(&key(namespace, name)).await,
        }
    }

    /// The names a person sees: without the one that only wrapping tokens have.
    pub async fn list(&self, namespace: &NamespaceEntry) -> Result<Vec<String>> {
        let mut names = self.state.keys(&format!("policy/acl/{}/", namespace.id()), "", 0).await?;
        let prefix = format!("policy/acl/{}/", namespace.id());
        for name in &mut names {
            name.drain(..prefix.len());
        }
        if !names.iter().any(|name| name == "default") {
            names.push("default".to_owned());
        }
        if namespace.path.is_root() {
            names.push("root".to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Stores a policy and gives the warnings about it.
    ///
    /// # Errors
    /// `Invalid` with line and column, or if this policy cannot be changed.
    pub async fn write(&self, namespace: &str, name: &Name, text: &str) -> Result<Vec<String>> {
        core_policy::check_write(name)?;
        let policy = Policy::parse(name, text)?;
        let record = PolicyRecord { name: name.to_string(), text: text.to_owned() };
        self.state.put(&key(namespace, name), &record).await?;
        self.forget();
        Ok(policy.warnings().to_vec())
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
        let key = key(namespace, name);
        if let Some(policy) = self.parsed.get(&key) {
            return Ok(Some(policy));
        }
        let before = *self.changes();
        let policy = match name.as_str() {
            "root" => Policy::root(),
            _ => match self.read(namespace, name).await? {
                Some(record) => Policy::parse(name, &record.text)?,
                None => return Ok(None),
            },
        };
        let policy = Arc::new(policy);
        let changes = self.changes();
        if *changes == before {
            self.parsed.insert(key, policy.clone());
        }
        Ok(Some(policy))
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
        let fresh = |found: &Compiled| found.acl.valid_until().is_none_or(|until| now <= until);
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
            policies.extend(self.policy(namespace.id(), &name).await?);
        }
        let templated = policies.iter().any(|policy| policy.is_templated());
        let identity = entity.map(identity_of).unwrap_or_default();
        let set: Vec<(&Namespace, &Policy)> =
            policies.iter().map(|policy| (&namespace.path, &**policy)).collect();
        let acl = Arc::new(Acl::compile(&set, &identity, now));
        let key = if templated { own.unwrap_or(plain) } else { plain };
        let changes = self.changes();
        if *changes == before {
            self.compiled.insert(key, Compiled { acl: acl.clone(), templated });
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

fn key(namespace: &str, name: &Name) -> String {
    format!("policy/acl/{namespace}/{name}")
}

fn set_key(namespace: &NamespaceEntry, names: &[&String], entity: &str) -> Arc<str> {
    let mut key = String::with_capacity(64);
    key.push_str(namespace.id());
    for name in names {
        key.push('\n');
        key.push_str(name);
    }
    key.push_str("\n\n");
    key.push_str(entity);
    key.into()
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
