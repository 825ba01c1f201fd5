use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::role::Role;

/// What an engine makes in a cluster. The names are stored with leases.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Kind {
    ClusterRole,
    ClusterRoleBinding,
    Role,
    RoleBinding,
    ServiceAccount,
}

const RBAC: &str = "rbac.authorization.k8s.io";

impl Kind {
    /// As the API writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClusterRole => "ClusterRole",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::Role => "Role",
            Self::RoleBinding => "RoleBinding",
            Self::ServiceAccount => "ServiceAccount",
        }
    }

    /// Where objects of this kind are made; their own names come behind.
    pub(crate) fn path(self, namespace: &str) -> Vec<&str> {
        match self {
            Self::ClusterRole => vec!["apis", RBAC, "v1", "clusterroles"],
            Self::ClusterRoleBinding => vec!["apis", RBAC, "v1", "clusterrolebindings"],
            Self::Role => vec!["apis", RBAC, "v1", "namespaces", namespace, "roles"],
            Self::RoleBinding => vec!["apis", RBAC, "v1", "namespaces", namespace, "rolebindings"],
            Self::ServiceAccount => vec!["api", "v1", "namespaces", namespace, "serviceaccounts"],
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::ServiceAccount => "v1",
            _ => "rbac.authorization.k8s.io/v1",
        }
    }

    fn is_in_namespace(self) -> bool {
        !matches!(self, Self::ClusterRole | Self::ClusterRoleBinding)
    }
}

/// One rule of a role, in the cluster's own words.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/role-v1/>
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PolicyRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_groups: Option<Vec<String>>,
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Option::is_none")]
    non_resource_urls: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_names: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbs: Option<Vec<String>>,
}

/// The one that an object goes with: the cluster deletes it when its owner is gone.
pub(crate) struct Owner {
    pub(crate) kind: Kind,
    pub(crate) uid: String,
}

/// What is made for one token; all objects have one name.
pub(crate) struct Objects<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) role: &'a Role,
}

impl Objects<'_> {
    pub(crate) fn role(&self, kind: Kind, rules: &[PolicyRule]) -> Value {
        let mut object = self.object(kind, None);
        object["rules"] = json!(rules);
        object
    }

    /// Gives the service account the rights of the role that is named.
    pub(crate) fn binding(&self, kind: Kind, role_name: &str, owner: Option<&Owner>) -> Value {
        let mut object = self.object(kind, owner);
        object["subjects"] = json!([{
            "kind": "ServiceAccount",
            "name": self.name,
            "namespace": self.namespace,
        }]);
        object["roleRef"] = json!({
            "apiGroup": RBAC,
            "kind": self.role.kubernetes_role_type.kind().name(),
            "name": role_name,
        });
        object
    }

    pub(crate) fn service_account(&self, owner: &Owner) -> Value {
        self.object(Kind::ServiceAccount, Some(owner))
    }

    fn object(&self, kind: Kind, owner: Option<&Owner>) -> Value {
        let Role { extra_labels, extra_annotations, .. } = self.role;
        let mut labels = extra_labels.clone().unwrap_or_default();
        // Ours come last, so that nobody passes off for another.
        labels.extend(
            [("managed-by", "strongroom"), ("created-by", "strongroom-kubernetes")]
                .map(|(name, value)| (format!("app.kubernetes.io/{name}"), value.to_owned())),
        );
        let annotations: BTreeMap<_, _> = extra_annotations.clone().unwrap_or_default();
        let mut metadata =
            json!({ "name": self.name, "labels": labels, "annotations": annotations });
        if kind.is_in_namespace() {
            metadata["namespace"] = self.namespace.into();
        }
        if let Some(Owner { kind, uid }) = owner {
            metadata["ownerReferences"] = json!([{
                "apiVersion": kind.api_version(),
                "kind": kind.name(),
                "name": self.name,
                "uid": uid,
            }]);
        }
        json!({ "apiVersion": kind.api_version(), "kind": kind.name(), "metadata": metadata })
    }
}
