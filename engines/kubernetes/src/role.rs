use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::Record;
use core_engine_api::{Call, Listing, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Kubernetes;
use crate::names::{NameTemplate, check_name};
use crate::objects::{Kind, PolicyRule};
use crate::selector::{LabelSelector, document};

/// What tokens are issued for. Exactly one of `service_account_name`, `kubernetes_role_name` and
/// `generated_role_rules` is not empty: it says how much is made for each of them.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// Lower case, sorted; `*` stands for all.
    pub(crate) allowed_kubernetes_namespaces: Option<Vec<String>>,
    /// A [`LabelSelector`]; empty for none.
    pub(crate) allowed_kubernetes_namespace_selector: String,
    pub(crate) token_max_ttl: Ttl,
    pub(crate) token_default_ttl: Ttl,
    pub(crate) token_default_audiences: Option<Vec<String>>,
    pub(crate) service_account_name: String,
    pub(crate) kubernetes_role_name: String,
    pub(crate) kubernetes_role_type: RoleType,
    pub(crate) generated_role_rules: String,
    pub(crate) name_template: String,
    pub(crate) extra_labels: Option<BTreeMap<String, String>>,
    pub(crate) extra_annotations: Option<BTreeMap<String, String>>,
}

impl Record for Role {
    const KIND: &'static str = "Kubernetes role";
}

/// What `kubernetes_role_name` names, or `generated_role_rules` makes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum RoleType {
    ClusterRole,
    #[default]
    Role,
}

impl RoleType {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::ClusterRole => Kind::ClusterRole,
            Self::Role => Kind::Role,
        }
    }

    fn parse(text: &str) -> Result<Self> {
        match text.to_lowercase().as_str() {
            "clusterrole" => Ok(Self::ClusterRole),
            "" | "role" => Ok(Self::Role),
            _ => Err(Error::invalid("kubernetes_role_type must be either 'Role' or 'ClusterRole'")),
        }
    }
}

fn key(name: &str) -> String {
    format!("role/{}", name.to_lowercase())
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct RoleName {
    /// The name of the role.
    pub(crate) name: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteRole {
    /// The name of the role.
    name: String,
    /// The Kubernetes namespaces in which it may be used; `*` for all.
    allowed_kubernetes_namespaces: Option<Vec<String>>,
    /// A label selector, as JSON or YAML, of further namespaces in which it may be used.
    allowed_kubernetes_namespace_selector: Option<String>,
    /// How long tokens live at most.
    token_max_ttl: Option<Ttl>,
    /// How long tokens live if the request does not say.
    token_default_ttl: Option<Ttl>,
    /// Whom tokens are for if the request does not say.
    token_default_audiences: Option<Vec<String>>,
    /// An account that exists: only tokens are made.
    service_account_name: Option<String>,
    /// A role that exists: for each token an account with this role is made.
    kubernetes_role_name: Option<String>,
    /// `Role` or `ClusterRole`.
    kubernetes_role_type: Option<String>,
    /// The rules of a role, as JSON or YAML: for each token a role and an account are made.
    generated_role_rules: Option<String>,
    /// How what is made is named, from `.DisplayName` and `.RoleName`; it needs something random.
    name_template: Option<String>,
    /// Further labels of what is made.
    extra_labels: Option<BTreeMap<String, String>>,
    /// Further annotations of what is made.
    extra_annotations: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct RoleAnswer<'a> {
    allowed_kubernetes_namespace_selector: &'a str,
    allowed_kubernetes_namespaces: &'a Option<Vec<String>>,
    extra_annotations: &'a Option<BTreeMap<String, String>>,
    extra_labels: &'a Option<BTreeMap<String, String>>,
    generated_role_rules: &'a str,
    kubernetes_role_name: &'a str,
    kubernetes_role_type: &'static str,
    name: &'a str,
    name_template: &'a str,
    service_account_name: &'a str,
    token_default_audiences: &'a Option<Vec<String>>,
    token_default_ttl: Ttl,
    token_max_ttl: Ttl,
}

impl Kubernetes {
    pub(crate) async fn list_roles(self: Arc<Self>, _: Call, listing: Listing) -> Result<Response> {
        listing.of(&self.storage, "role/").await
    }

    pub(crate) async fn read_role(self: Arc<Self>, _: Call, request: RoleName) -> Result<Response> {
        let role = self.role(&request.name).await?.ok_or_else(|| Error::not_found(""))?;
        Response::data(&role.answer())
    }

    pub(crate) async fn write_role(
        self: Arc<Self>,
        _: Call,
        request: WriteRole,
    ) -> Result<Response> {
        let name = request.name.to_lowercase();
        let mut role = match self.role(&name).await? {
            Some(role) => role,
            None => Role { name: name.clone(), ..Role::default() },
        };
        role.change(request)?;
        role.check()?;
        self.storage.put(&key(&name), &role).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_role(
        self: Arc<Self>,
        _: Call,
        request: RoleName,
    ) -> Result<Response> {
        self.storage.delete(&key(&request.name)).await?;
        Ok(Response::none())
    }

    pub(crate) async fn role_exists(self: Arc<Self>, request: RoleName) -> Result<bool> {
        Ok(self.role(&request.name).await?.is_some())
    }

    pub(crate) async fn role(&self, name: &str) -> Result<Option<Role>> {
        self.storage.get(&key(name)).await
    }
}

impl Role {
    /// The one namespace that is meant when a request names none.
    pub(crate) fn single_namespace(&self) -> Option<&String> {
        match self.allowed_kubernetes_namespaces.as_deref() {
            Some([only])
                if only != "*" && self.allowed_kubernetes_namespace_selector.is_empty() =>
            {
                Some(only)
            }
            _ => None,
        }
    }

    /// # Errors
    /// `Invalid` if `generated_role_rules` is not what its name says.
    pub(crate) fn rules(&self) -> Result<Vec<PolicyRule>> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Rules {
            rules: Option<Vec<PolicyRule>>,
        }
        let parsed: Option<Rules> = document(&self.generated_role_rules);
        let parsed = parsed.ok_or_else(|| {
            Error::invalid(
                "failed to parse 'generated_role_rules' as k8s.io/api/rbac/v1/Policy object",
            )
        })?;
        Ok(parsed.rules.unwrap_or_default())
    }

    /// Takes what a request gives; the rest stays as it is.
    fn change(&mut self, request: WriteRole) -> Result<()> {
        fn set<T>(field: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *field = given;
            }
        }
        let WriteRole { name: _, kubernetes_role_type, .. } = &request;
        if let Some(text) = kubernetes_role_type {
            self.kubernetes_role_type = RoleType::parse(text)?;
        }
        if let Some(namespaces) = request.allowed_kubernetes_namespaces {
            let lower = namespaces.iter().map(|name| name.to_lowercase());
            self.allowed_kubernetes_namespaces = Some(sorted(lower));
        }
        if let Some(audiences) = request.token_default_audiences {
            self.token_default_audiences = Some(sorted(audiences.into_iter()));
        }
        set(
            &mut self.allowed_kubernetes_namespace_selector,
            request.allowed_kubernetes_namespace_selector,
        );
        set(&mut self.token_max_ttl, request.token_max_ttl);
        set(&mut self.token_default_ttl, request.token_default_ttl);
        set(&mut self.service_account_name, request.service_account_name);
        set(&mut self.kubernetes_role_name, request.kubernetes_role_name);
        set(&mut self.generated_role_rules, request.generated_role_rules);
        set(&mut self.name_template, request.name_template);
        self.extra_labels = request.extra_labels.or(self.extra_labels.take());
        self.extra_annotations = request.extra_annotations.or(self.extra_annotations.take());
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let selector = &self.allowed_kubernetes_namespace_selector;
        let namespaces = self.allowed_kubernetes_namespaces.as_deref().unwrap_or_default();
        if namespaces.is_empty() && selector.is_empty() {
            return Err(Error::invalid(
                "one (at least) of allowed_kubernetes_namespaces or allowed_kubernetes_namespace_selector must be set",
            ));
        }
        let ways =
            [&self.service_account_name, &self.kubernetes_role_name, &self.generated_role_rules];
        if ways.into_iter().filter(|way| !way.is_empty()).count() != 1 {
            return Err(Error::invalid(
                "one (and only one) of service_account_name, kubernetes_role_name or generated_role_rules must be set",
            ));
        }
        let (default, max) = (self.token_default_ttl, self.token_max_ttl);
        if !max.is_zero() && default > max {
            return Err(Error::invalid(format!(
                "token_default_ttl {default} cannot be greater than token_max_ttl {max}"
            )));
        }
        if !self.service_account_name.is_empty() {
            check_name("service_account_name", &self.service_account_name)?;
        }
        if !selector.is_empty() {
            LabelSelector::parse(selector)?;
        }
        if !self.generated_role_rules.is_empty() {
            self.rules()?;
        }
        NameTemplate::parse(&self.name_template).map(drop)
    }

    fn answer(&self) -> RoleAnswer<'_> {
        RoleAnswer {
            allowed_kubernetes_namespace_selector: &self.allowed_kubernetes_namespace_selector,
            allowed_kubernetes_namespaces: &self.allowed_kubernetes_namespaces,
            extra_annotations: &self.extra_annotations,
            extra_labels: &self.extra_labels,
            generated_role_rules: &self.generated_role_rules,
            kubernetes_role_name: &self.kubernetes_role_name,
            kubernetes_role_type: self.kubernetes_role_type.kind().name(),
            name: &self.name,
            name_template: &self.name_template,
            service_account_name: &self.service_account_name,
            token_default_audiences: &self.token_default_audiences,
            token_default_ttl: self.token_default_ttl,
            token_max_ttl: self.token_max_ttl,
        }
    }
}

/// Each once, without what is empty.
fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> =
        names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"name":"web","allowed_kubernetes_namespaces":["a"],"allowed_kubernetes_namespace_selector":"{}","token_max_ttl":2,"token_default_ttl":1,"token_default_audiences":null,"service_account_name":"sa","kubernetes_role_name":"r","kubernetes_role_type":"ClusterRole","generated_role_rules":"g","name_template":"t","extra_labels":{"k":"v"},"extra_annotations":null}"#;
        let role: Role = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&role).unwrap(), golden);
    }

    #[test]
    fn rules_keep_every_field_of_the_api() {
        let rules =
            |text: &str| Role { generated_role_rules: text.to_owned(), ..Role::default() }.rules();
        let yaml = "rules:\n- apiGroups: ['']\n  resources: [pods]\n  resourceNames: [a]\n  verbs: [get]\n- nonResourceURLs: [/healthz]\n  verbs: ['*']\n";
        let golden = r#"[{"apiGroups":[""],"resourceNames":["a"],"resources":["pods"],"verbs":["get"]},{"nonResourceURLs":["/healthz"],"verbs":["*"]}]"#;
        assert_eq!(serde_json::to_string(&rules(yaml).unwrap()).unwrap(), golden);
        let json = format!("{{\"rules\": {golden}}}");
        assert_eq!(rules(&json).unwrap(), rules(yaml).unwrap());
        assert_eq!(rules("{}").unwrap(), []);
    }
}
