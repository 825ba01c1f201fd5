use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use base_crypto::{Random, random_base62, random_uuid};
use base_types::{Error, Namespace, Result};
use core_barrier::{Record, View};
use serde::{Deserialize, Serialize};

/// A tenant: its mounts, policies, tokens and leases are found only through it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NamespaceRecord {
    pub id: Arc<str>,
    pub uuid: String,
    pub path: String,
    #[serde(default)]
    pub custom_metadata: BTreeMap<String, String>,
    /// Its deletion has begun; nothing in it answers any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
}

impl Record for NamespaceRecord {
    const KIND: &'static str = "namespace";
}

/// A namespace with its path proven.
#[derive(Clone, Debug)]
pub struct NamespaceEntry {
    pub path: Namespace,
    pub record: NamespaceRecord,
}

impl NamespaceEntry {
    pub fn id(&self) -> &Arc<str> {
        &self.record.id
    }
}

/// All namespaces, by path. Few and small, so they are held in memory.
pub struct Namespaces {
    state: View,
    random: Arc<dyn Random>,
    table: ArcSwap<Table>,
    /// Held while the table changes.
    changes: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Table {
    by_path: BTreeMap<Namespace, Arc<NamespaceEntry>>,
    by_id: HashMap<Arc<str>, Arc<NamespaceEntry>>,
}

impl Table {
    fn insert(&mut self, entry: &Arc<NamespaceEntry>) {
        self.by_path.insert(entry.path.clone(), entry.clone());
        self.by_id.insert(entry.id().clone(), entry.clone());
    }
}

pub const ROOT_ID: &str = "root";
const ID_LENGTH: usize = 6;

impl Namespaces {
    pub(crate) fn new(state: View, random: Arc<dyn Random>) -> Self {
        Self { state, random, table: ArcSwap::default(), changes: tokio::sync::Mutex::new(()) }
    }

    pub(crate) async fn load(&self) -> Result<()> {
        let mut table = Table::default();
        table.insert(&Arc::new(root()));
        for key in self.state.keys("namespace/", "", 0).await? {
            // One namespace that cannot be read must not keep all others closed.
            match self.state.get::<NamespaceRecord>(&key).await {
                Ok(Some(record)) => {
                    let path = Namespace::parse(&record.path)?;
                    table.insert(&Arc::new(NamespaceEntry { path, record }));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(error = %error.log(), "a namespace could not be read")
                }
            }
        }
        self.table.store(Arc::new(table));
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.table.store(Arc::default());
    }

    pub fn find(&self, path: &Namespace) -> Option<Arc<NamespaceEntry>> {
        self.table.load().by_path.get(path).cloned()
    }

    pub fn by_id(&self, id: &str) -> Option<Arc<NamespaceEntry>> {
        self.table.load().by_id.get(id).cloned()
    }

    /// The deepest namespace that `path` leads into from `from`, and the rest of the path.
    pub(crate) fn descend<'p>(
        &self,
        from: Arc<NamespaceEntry>,
        path: &'p str,
    ) -> (Arc<NamespaceEntry>, &'p str) {
        let table = self.table.load();
        if table.by_path.len() < 2 {
            return (from, path);
        }
        let (mut at, mut rest) = (from, path);
        while let Some((segment, tail)) = rest.split_once('/') {
            let child = at.path.child(segment).ok().and_then(|child| table.by_path.get(&child));
            let Some(child) = child else { break };
            (at, rest) = (child.clone(), tail);
        }
        (at, rest)
    }

    /// All namespaces at or below `path`.
    pub fn below(&self, path: &Namespace) -> Vec<Arc<NamespaceEntry>> {
        let table = self.table.load();
        table.by_path.values().filter(|entry| path.contains(&entry.path)).cloned().collect()
    }

    /// The namespaces directly below `path`.
    pub fn children(&self, path: &Namespace) -> Vec<Arc<NamespaceEntry>> {
        let is_child = |entry: &&Arc<NamespaceEntry>| entry.path.parent().as_ref() == Some(path);
        self.table.load().by_path.values().filter(is_child).cloned().collect()
    }

    /// # Errors
    /// `NotFound` if the parent does not exist; `Invalid` if the namespace does, or is going.
    pub(crate) async fn create(
        &self,
        path: &Namespace,
        custom_metadata: BTreeMap<String, String>,
    ) -> Result<Arc<NamespaceEntry>> {
        let _change = self.changes.lock().await;
        let parent =
            path.parent().ok_or_else(|| Error::invalid("the root namespace always exists"))?;
        if self.find(&parent).is_none_or(|parent| parent.record.deleting) {
            return Err(Error::invalid(format!(
                "parent namespace {:?} does not exist",
                parent.as_str()
            )));
        }
        if self.find(path).is_some() {
            return Err(Error::invalid(format!("namespace {:?} already exists", path.as_str())));
        }
        let record = NamespaceRecord {
            id: random_base62(&*self.random, ID_LENGTH).into(),
            uuid: random_uuid(&*self.random),
            path: path.as_str().to_owned(),
            custom_metadata,
            deleting: false,
        };
        self.store(path, record).await
    }

    /// Replaces the metadata of a namespace, or marks it as going.
    pub(crate) async fn update(
        &self,
        path: &Namespace,
        change: impl FnOnce(&mut NamespaceRecord),
    ) -> Result<Arc<NamespaceEntry>> {
        let _change = self.changes.lock().await;
        let entry = self.find(path).ok_or_else(|| Error::not_found(""))?;
        let mut record = entry.record.clone();
        change(&mut record);
        self.store(path, record).await
    }

    async fn store(
        &self,
        path: &Namespace,
        record: NamespaceRecord,
    ) -> Result<Arc<NamespaceEntry>> {
        self.state.put(&key(path), &record).await?;
        let entry = Arc::new(NamespaceEntry { path: path.clone(), record });
        let mut table = (**self.table.load()).clone();
        table.insert(&entry);
        self.table.store(Arc::new(table));
        Ok(entry)
    }

    /// Forgets a namespace whose content is gone.
    pub(crate) async fn remove(&self, path: &Namespace) -> Result<()> {
        let _change = self.changes.lock().await;
        self.state.delete(&key(path)).await?;
        let mut table = (**self.table.load()).clone();
        if let Some(entry) = table.by_path.remove(path) {
            table.by_id.remove(entry.id());
        }
        self.table.store(Arc::new(table));
        Ok(())
    }
}

fn key(path: &Namespace) -> String {
    format!("namespace/{}", path.as_str().trim_end_matches('/'))
}

fn root() -> NamespaceEntry {
    NamespaceEntry {
        path: Namespace::root(),
        record: NamespaceRecord {
            id: ROOT_ID.into(),
            uuid: ROOT_ID.to_owned(),
            path: String::new(),
            custom_metadata: BTreeMap::new(),
            deleting: false,
        },
    }
}
