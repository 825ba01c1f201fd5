use std::collections::BTreeMap;

use base_types::Namespace;

/// What is known about the owner of a token: the values for templates in policy paths.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// A token need not belong to an entity; rules that name one are then void.
    pub entity: Option<Entity>,
    /// All groups that the entity is in, directly or through other groups.
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, Default)]
pub struct Entity {
    pub id: String,
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    pub aliases: Vec<Alias>,
}

/// One login of an entity at one auth mount.
#[derive(Clone, Debug, Default)]
pub struct Alias {
    pub mount_accessor: String,
    pub id: String,
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    pub custom_metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub id: String,
    pub name: String,
    /// Where the group lives. By name, a policy sees only the groups of its own namespace.
    pub namespace: Namespace,
    pub metadata: BTreeMap<String, String>,
}
