use std::sync::Arc;

use base_types::{Error, Result, Secret, Timestamp, Ttl};
use core_engine_api::{Call, LeaseGrant, Made, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::Kubernetes;
use crate::cluster::Cluster;
use crate::names::{NameTemplate, check_name};
use crate::objects::{Kind, Objects, Owner, PolicyRule};
use crate::role::{Role, RoleType};
use crate::selector::LabelSelector;
use crate::token;

pub(crate) const LEASE: &str = "service_account_token";

/// What is stored with a lease: objects of these kinds, all of one name.
#[derive(Deserialize, Serialize)]
struct Leased {
    namespace: String,
    name: String,
    /// Empty where only a token was made.
    kinds: Vec<Kind>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Creds {
    /// The name of the role.
    name: String,
    /// The Kubernetes namespace; not needed if the role allows exactly one.
    kubernetes_namespace: String,
    /// Grant the rights in the whole cluster instead of the namespace.
    cluster_role_binding: bool,
    /// How long the token lives.
    ttl: Ttl,
    /// Whom the token is for.
    audiences: Vec<String>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    service_account_name: &'a str,
    service_account_namespace: &'a str,
    service_account_token: &'a str,
}

/// A token that is to be, and what it needs.
struct Order {
    cluster: Cluster,
    role: Role,
    rules: Vec<PolicyRule>,
    namespace: String,
    /// Of the service account, and of all that is made with it.
    name: String,
    binding: Kind,
    ttl: Ttl,
    audiences: Vec<String>,
}

impl Kubernetes {
    pub(crate) async fn creds(self: Arc<Self>, call: Call, request: Creds) -> Result<Response> {
        let name = request.name.to_lowercase();
        let role = self.role(&name).await?;
        let role = role.ok_or_else(|| Error::invalid(format!("role '{name}' does not exist")))?;
        let namespace = self.namespace_for(&role, request.kubernetes_namespace).await?;
        if request.cluster_role_binding && role.kubernetes_role_type == RoleType::Role {
            return Err(Error::invalid("a ClusterRoleBinding cannot ref a Role"));
        }
        let (ttl, warnings) = self.ttl(&role, request.ttl);
        let defaults = || role.token_default_audiences.clone().unwrap_or_default();
        let order = Order {
            cluster: self.cluster().await?,
            rules: if role.generated_role_rules.is_empty() { Vec::new() } else { role.rules()? },
            name: self.account_for(&role, &call)?,
            binding: match request.cluster_role_binding {
                true => Kind::ClusterRoleBinding,
                false => Kind::RoleBinding,
            },
            audiences: if request.audiences.is_empty() { defaults() } else { request.audiences },
            namespace,
            role,
            ttl,
        };
        let response = self.fill(order).await?;
        Ok(warnings.into_iter().fold(response, Response::warn))
    }

    /// A token alone leaves nothing to clean up, so it is made at once and its lease follows it.
    /// Objects are made when their lease is stored.
    async fn fill(&self, order: Order) -> Result<Response> {
        let lease = order.lease()?;
        let now = self.clock.now();
        if order.kinds().is_empty() {
            let Made { data, expires, warnings } = order.token(now).await?;
            let ttl = expires.map_or(lease.ttl, |expires| now.until(expires));
            let lease = Some(LeaseGrant { ttl, ..lease });
            return Ok(Response { data, warnings, lease, ..Response::default() });
        }
        let clock = self.clock.clone();
        let act = Box::new(move |_| {
            Box::pin(async move {
                order.make().await?;
                order.token(clock.now()).await
            }) as base_types::BoxFuture<'static, _>
        });
        Ok(Response { lease: Some(LeaseGrant { act: Some(act), ..lease }), ..Response::default() })
    }

    pub(crate) async fn renew(self: Arc<Self>, _: Box<RawValue>, _: Ttl) -> Result<LeaseGrant> {
        Err(Error::invalid("a token of Kubernetes cannot be renewed: ask for a new one"))
    }

    /// Deletes all that it can, and fails if anything may be left.
    pub(crate) async fn revoke(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let leased = serde_json::from_str(internal.get()).map_err(Error::internal)?;
        let Leased { namespace, name, kinds } = leased;
        if kinds.is_empty() {
            return Ok(());
        }
        let cluster = self.cluster().await?;
        let mut outcome = Ok(());
        for kind in kinds {
            let place = format!("failed to delete {} '{namespace}/{name}'", kind.name());
            let deleted = cluster.delete(kind, &namespace, &name).await;
            outcome = outcome.and(deleted.map_err(|error| error.at(place)));
        }
        outcome
    }

    async fn namespace_for(&self, role: &Role, asked: String) -> Result<String> {
        if asked.is_empty() {
            return role.single_namespace().cloned().ok_or_else(|| {
                Error::invalid(
                    "error verifying namespace: 'kubernetes_namespace' is required unless the role has a single namespace specified",
                )
            });
        }
        check_name("kubernetes_namespace", &asked)?;
        let mut listed = role.allowed_kubernetes_namespaces.iter().flatten();
        if listed.any(|allowed| allowed == "*" || *allowed == asked) {
            return Ok(asked);
        }
        let selector = &role.allowed_kubernetes_namespace_selector;
        let is_selected = !selector.is_empty() && {
            let selector = LabelSelector::parse(selector)?;
            let labels = self.cluster().await?.labels(&asked).await;
            selector.matches(&labels.map_err(|error| error.at("error verifying namespace"))?)
        };
        if is_selected {
            return Ok(asked);
        }
        Err(Error::invalid(format!(
            "kubernetes_namespace '{asked}' is not present in role's allowed_kubernetes_namespaces or does not match role's label selector allowed_kubernetes_namespace_selector"
        )))
    }

    /// The account that exists, or a name for a new one.
    fn account_for(&self, role: &Role, call: &Call) -> Result<String> {
        if !role.service_account_name.is_empty() {
            return Ok(role.service_account_name.clone());
        }
        let (display_name, now) = (&call.caller.display_name, self.clock.now());
        let template = NameTemplate::parse(&role.name_template)?;
        let name = template.name(display_name, &role.name, &*self.random, now)?;
        check_name("the name that name_template gives,", &name).map(|()| name)
    }

    /// The lifetime of the token, which is asked for before the lease is there to cut it.
    fn ttl(&self, role: &Role, asked: Ttl) -> (Ttl, Vec<String>) {
        let tuning = self.services.tuning();
        let mut ttl = asked.or(role.token_default_ttl).or(tuning.default_ttl);
        let mut warnings = Vec::new();
        for (limit, whose) in [
            (role.token_max_ttl, "the role's token_max_ttl of"),
            (tuning.max_ttl, "the mount's max lease ttl"),
        ] {
            if !limit.is_zero() && ttl > limit {
                warnings.push(format!(
                    "ttl of {ttl} is greater than {whose} {limit}; capping accordingly"
                ));
                ttl = limit;
            }
        }
        (ttl, warnings)
    }
}

impl Order {
    /// What is made besides the token, in its order.
    fn kinds(&self) -> Vec<Kind> {
        let Role { service_account_name, kubernetes_role_name, .. } = &self.role;
        match (service_account_name.is_empty(), kubernetes_role_name.is_empty()) {
            (false, _) => Vec::new(),
            (true, false) => vec![self.binding, Kind::ServiceAccount],
            (true, true) => {
                vec![self.role.kubernetes_role_type.kind(), self.binding, Kind::ServiceAccount]
            }
        }
    }

    fn lease(&self) -> Result<LeaseGrant> {
        let Self { namespace, name, .. } = self;
        let (namespace, name) = (namespace.clone(), name.clone());
        let leased = Leased { namespace, name, kinds: self.kinds() };
        Ok(LeaseGrant {
            kind: LEASE,
            ttl: self.ttl,
            max_ttl: self.role.token_max_ttl,
            internal: to_raw_value(&leased).map_err(Error::internal)?,
            ..LeaseGrant::default()
        })
    }

    async fn make(&self) -> Result<()> {
        let Self { cluster, role, namespace, name, binding, .. } = self;
        let objects = Objects { name, namespace, role };
        let mut owner = None;
        let mut role_name = &role.kubernetes_role_name;
        if role_name.is_empty() {
            let kind = role.kubernetes_role_type.kind();
            let made = cluster.create(kind, namespace, &objects.role(kind, &self.rules)).await;
            let place = format!("failed to create Role/ClusterRole '{namespace}/{name}'");
            owner = Some(Owner { kind, uid: made.map_err(|error| error.at(place))? });
            role_name = name;
        }
        let body = objects.binding(*binding, role_name, owner.as_ref());
        let made = cluster.create(*binding, namespace, &body).await.map_err(|error| {
            error.at(format!(
                "failed to create RoleBinding/ClusterRoleBinding '{name}' for {role_name}"
            ))
        });
        let owner = match (owner, made?) {
            (Some(role), _) => role,
            (None, uid) => Owner { kind: *binding, uid },
        };
        let body = objects.service_account(&owner);
        let made = cluster.create(Kind::ServiceAccount, namespace, &body).await;
        let place = format!("failed to create service account '{namespace}/{name}'");
        made.map(drop).map_err(|error| error.at(place))
    }

    async fn token(&self, now: Timestamp) -> Result<Made> {
        let Self { cluster, namespace, name, ttl, audiences, .. } = self;
        let token = cluster.token(namespace, name, ttl.seconds(), audiences).await;
        let token: Secret<String> = token.map_err(|error| {
            error.at(format!("failed to create a service account token for {namespace}/{name}"))
        })?;
        let lifetime = token::lifetime(&token)?;
        let than = |how: &str, end: &str| {
            vec![format!(
                "the created Kubernetes service account token TTL {lifetime} is {how} than the \
                 lease TTL {ttl}{end}"
            )]
        };
        let warnings = match lifetime.cmp(ttl) {
            std::cmp::Ordering::Equal => Vec::new(),
            std::cmp::Ordering::Greater => than("greater", ""),
            std::cmp::Ordering::Less => than("less", "; capping the lease TTL accordingly"),
        };
        let data = Credentials {
            service_account_name: name,
            service_account_namespace: namespace,
            service_account_token: token.expose(),
        };
        Ok(Made {
            data: Some(to_raw_value(&data).map_err(Error::internal)?),
            expires: (lifetime < *ttl).then(|| now.plus(lifetime)),
            warnings,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"namespace":"a","name":"n","kinds":["Role","ClusterRole","RoleBinding","ClusterRoleBinding","ServiceAccount"]}"#;
        let leased: Leased = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&leased).unwrap(), golden);
    }
}
