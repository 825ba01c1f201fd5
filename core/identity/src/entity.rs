use std::collections::BTreeMap;
use std::sync::Arc;

use base_crypto::{Random, random_uuid};
use base_types::{Clock, Result, Timestamp};
use core_barrier::{Record, View};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

/// One person or machine, however it logs in.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Entity {
    pub id: Arc<str>,
    pub name: String,
    pub namespace: Arc<str>,
    pub created: Timestamp,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub policies: Vec<String>,
    #[serde(default)]
    pub disabled: bool,
    pub aliases: Vec<Alias>,
}

/// The name of an entity at one auth mount.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Alias {
    pub id: String,
    pub mount_accessor: String,
    pub name: String,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Record for Entity {
    const KIND: &'static str = "entity";
}

#[derive(Deserialize, Serialize)]
struct AliasRecord {
    namespace: Arc<str>,
    entity: Arc<str>,
}

impl Record for AliasRecord {
    const KIND: &'static str = "entity alias";
}

/// Found by alias, one read each; never loaded whole.
pub struct Entities {
    state: View,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// By store key of the alias. Entities are only ever created here and not changed, so what is
    /// cached stays true while unsealed.
    by_alias: Cache<String, Arc<Entity>>,
    by_id: Cache<Arc<str>, Arc<Entity>>,
}

const CACHED: usize = 4096;

impl Entities {
    pub fn new(state: View, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { state, clock, random, by_alias: Cache::new(CACHED), by_id: Cache::new(CACHED) }
    }

    /// The entity with this alias; made now if this is its first login.
    pub async fn of_login(
        &self,
        namespace: &str,
        mount_accessor: &str,
        alias: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Arc<Entity>> {
        let key = format!("entity/alias/{mount_accessor}/{alias}");
        if let Some(entity) = self.by_alias.get(&key) {
            return Ok(entity);
        }
        let (id, name) = (random_uuid(&*self.random), random_uuid(&*self.random));
        let alias = Alias {
            id: random_uuid(&*self.random),
            mount_accessor: mount_accessor.to_owned(),
            name: alias.to_owned(),
            metadata: metadata.clone(),
        };
        let fresh = Entity {
            id: id.as_str().into(),
            name: format!("entity_{}", &name[..8]),
            namespace: namespace.into(),
            created: self.clock.now(),
            metadata: BTreeMap::new(),
            policies: Vec::new(),
            disabled: false,
            aliases: vec![alias],
        };
        let (key_ref, fresh) = (key.as_str(), &fresh);
        let entity = self
            .state
            .transact(move |tx| async move {
                if let Some(found) = tx.get::<AliasRecord>(key_ref).await? {
                    let key = entity_key(&found.namespace, &found.entity);
                    if let Some(entity) = tx.get::<Entity>(&key).await? {
                        return Ok(entity);
                    }
                }
                let record =
                    AliasRecord { namespace: fresh.namespace.clone(), entity: fresh.id.clone() };
                tx.put(key_ref, &record)?;
                tx.put(&entity_key(&fresh.namespace, &fresh.id), fresh)?;
                Ok(fresh.clone())
            })
            .await?;
        let entity = Arc::new(entity);
        self.by_alias.insert(key, entity.clone());
        self.by_id.insert(entity.id.clone(), entity.clone());
        Ok(entity)
    }

    /// Forgets what was read while unsealed.
    pub fn clear(&self) {
        self.by_alias.clear();
        self.by_id.clear();
    }

    /// The entity with this id, if it is one of this namespace.
    pub async fn read(&self, namespace: &str, id: &Arc<str>) -> Result<Option<Arc<Entity>>> {
        if let Some(entity) = self.by_id.get(id) {
            return Ok(Some(entity).filter(|entity| &*entity.namespace == namespace));
        }
        let found = self.state.get::<Entity>(&entity_key(namespace, id)).await?.map(Arc::new);
        if let Some(entity) = &found {
            self.by_id.insert(id.clone(), entity.clone());
        }
        Ok(found)
    }
}

fn entity_key(namespace: &str, id: &str) -> String {
    format!("entity/id/{namespace}/{id}")
}
