use base_types::{Name, Result, Ttl};
use core_barrier::{Record, View};
use serde::{Deserialize, Serialize};

/// What tokens made through `auth/token/create/<role>` may and must be.
/// <https://openbao.org/api-docs/auth/token/#create-update-token-role>
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct TokenRole {
    pub name: String,
    pub allowed_policies: Vec<String>,
    pub allowed_policies_glob: Vec<String>,
    pub disallowed_policies: Vec<String>,
    pub disallowed_policies_glob: Vec<String>,
    pub allowed_entity_aliases: Vec<String>,
    pub orphan: bool,
    pub renewable: bool,
    pub path_suffix: String,
    pub token_bound_cidrs: Vec<String>,
    pub token_explicit_max_ttl: Ttl,
    pub token_no_default_policy: bool,
    pub token_num_uses: u64,
    pub token_period: Ttl,
    pub token_strictly_bind_ip: bool,
    pub token_type: String,
}

impl Record for TokenRole {
    const KIND: &'static str = "token role";
}

/// Token roles by namespace and name.
pub(crate) struct Roles(pub(crate) View);

impl Roles {
    pub(crate) async fn read(&self, namespace: &str, name: &Name) -> Result<Option<TokenRole>> {
        self.0.get(&format!("token/role/{namespace}/{name}")).await
    }

    pub(crate) async fn write(&self, namespace: &str, name: &Name, role: &TokenRole) -> Result<()> {
        self.0.put(&format!("token/role/{namespace}/{name}"), role).await
    }

    pub(crate) async fn delete(&self, namespace: &str, name: &Name) -> Result<()> {
        self.0.delete(&format!("token/role/{namespace}/{name}")).await
    }

    pub(crate) async fn list(&self, namespace: &str) -> Result<Vec<String>> {
        self.0.list(&format!("token/role/{namespace}/"), "", 0).await
    }
}
