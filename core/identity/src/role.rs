use base_types::{Cidr, Name, Result, Ttl};
use core_barrier::{Record, View};
use serde::{Deserialize, Serialize};

/// What tokens made through `auth/token/create/<role>` may and must be.
/// <https://openbao.org/api-docs/auth/token/#create-update-token-role>
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct TokenRole {
    pub name: String,
    pub allowed_policies: Vec<String>,
    pub allowed_policies_glob: Vec<String>,
    pub disallowed_policies: Vec<String>,
    pub disallowed_policies_glob: Vec<String>,
    /// `None` until one was written, which answers show.
    pub allowed_entity_aliases: Option<Vec<String>>,
    pub orphan: bool,
    pub renewable: bool,
    pub path_suffix: String,
    pub token_bound_cidrs: Vec<Cidr>,
    pub token_explicit_max_ttl: Ttl,
    pub token_no_default_policy: bool,
    pub token_num_uses: u64,
    pub token_period: Ttl,
    pub token_strictly_bind_ip: bool,
    pub token_type: RoleTokenType,
    /// Which values were written under their deprecated names, and are shown under them.
    pub deprecated: DeprecatedNames,
}

/// Which kind of token a role makes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoleTokenType {
    Batch,
    /// Batch, unless the request asks otherwise.
    DefaultBatch,
    /// Service, unless the request asks otherwise.
    #[default]
    DefaultService,
    Service,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct DeprecatedNames {
    pub bound_cidrs: bool,
    pub explicit_max_ttl: bool,
    pub period: bool,
}

impl Default for TokenRole {
    fn default() -> Self {
        Self {
            name: String::new(),
            allowed_policies: Vec::new(),
            allowed_policies_glob: Vec::new(),
            disallowed_policies: Vec::new(),
            disallowed_policies_glob: Vec::new(),
            allowed_entity_aliases: None,
            orphan: false,
            renewable: true,
            path_suffix: String::new(),
            token_bound_cidrs: Vec::new(),
            token_explicit_max_ttl: Ttl::ZERO,
            token_no_default_policy: false,
            token_num_uses: 0,
            token_period: Ttl::ZERO,
            token_strictly_bind_ip: false,
            token_type: RoleTokenType::default(),
            deprecated: DeprecatedNames::default(),
        }
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_does_not_change() {
        let role = TokenRole {
            name: "ci".into(),
            allowed_policies: vec!["a".into()],
            token_bound_cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            token_period: Ttl::from_seconds(60),
            ..TokenRole::default()
        };
        let golden = r#"{"name":"ci","allowed_policies":["a"],"allowed_policies_glob":[],"disallowed_policies":[],"disallowed_policies_glob":[],"allowed_entity_aliases":null,"orphan":false,"renewable":true,"path_suffix":"","token_bound_cidrs":["10.0.0.0/8"],"token_explicit_max_ttl":0,"token_no_default_policy":false,"token_num_uses":0,"token_period":60,"token_strictly_bind_ip":false,"token_type":"default-service","deprecated":{"bound_cidrs":false,"explicit_max_ttl":false,"period":false}}"#;
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
        assert_eq!(serde_json::from_str::<TokenRole>(golden).unwrap(), role);
    }
}
