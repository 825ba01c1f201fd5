use std::fmt;
use std::sync::Arc;

use base_types::{Error, Name, Namespace, Result, Secret};
use core_engine_api::{Call, Found, Response, Routes, Verb};
use core_pipeline::{NamespaceEntry, Session};
use core_policy::{Acl, Explanation, Holder, Operation, Policy, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::System;
use crate::scope::Scope;

/// How many tokens one answer looks at unless asked for another number.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

pub(crate) fn routes(table: &mut Routes<System>) {
    table
        .on(Verb::Write, "policies/explain", explain)
        .summary("Say which rule decides whether a token, or a set of policies, may do something.");
    table
        .on(Verb::Write, "policies/who-can", who_can)
        .summary("List the policies, tokens and token roles that may do something.");
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Explain {
    /// A token. One of `token`, `accessor` and `policies` must be given.
    token: Secret<String>,
    /// The accessor of a token of this namespace.
    accessor: String,
    /// Names of policies of this namespace, taken together.
    policies: Vec<String>,
    /// `create`, `read`, `update`, `patch`, `delete`, `list`, `scan`, …
    operation: String,
    /// The path, relative to the namespace.
    path: String,
}

#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    explanation: Explanation,
    /// The names of the policies that were judged.
    policies: Vec<String>,
    /// The path needs `sudo` besides the operation's own capability.
    sudo_required: bool,
    /// The path needs no token, so that no policy is asked.
    open: bool,
    /// The explanation as people read it.
    text: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
struct WhoCan {
    /// `create`, `read`, `update`, `patch`, `delete`, `list`, `scan`, …
    operation: String,
    /// The path, relative to the namespace.
    path: String,
    /// How many tokens to look at: 100 unless given, at most 1000, 0 for none.
    limit: Option<usize>,
    /// Go on after this accessor, which an earlier answer gave as `next`.
    after: String,
}

#[derive(Serialize)]
struct Answer {
    operation: &'static str,
    path: String,
    sudo_required: bool,
    /// The path needs no token.
    open: bool,
    policies: Vec<Holder>,
    tokens: Vec<Holding>,
    /// Give this as `after` to look at more tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    token_roles: Vec<Role>,
    /// What this answer does not cover.
    limits: [&'static str; 4],
    /// The holders as people read them.
    text: String,
}

/// A token that may.
#[derive(Serialize)]
struct Holding {
    accessor: String,
    display_name: String,
    entity_id: String,
    policies: Vec<String>,
}

/// A token role by which one could get a token that may.
#[derive(Serialize)]
struct Role {
    name: String,
    policies: Vec<String>,
}

const LIMITS: [&str; 4] = [
    "policies of namespaces above this one are not shown",
    "batch tokens are not stored, and so are not found",
    "users and roles of auth methods keep their policies to themselves: ask the auth method",
    "constraints on parameters and wrapping are not judged: see `constrained`",
];

async fn explain(system: Arc<System>, call: Call, request: Explain) -> Result<Response> {
    let scope = system.scope(&call)?;
    let operation = Operation::parse(&request.operation)?;
    let Explain { token, accessor, policies, path, .. } = request;
    let path = path.trim_start_matches('/');
    let (acl, policies) =
        match (token.expose().is_empty(), accessor.is_empty(), policies.is_empty()) {
            (false, true, true) => judged(scope.session_of_token(&token).await?),
            (true, false, true) => judged(scope.session_of_accessor(&accessor).await?),
            (true, true, false) => scope.compile(&policies).await?,
            _ => return Err(Error::invalid("give one of token, accessor and policies")),
        };
    let Needs { sudo_required, open } = scope.needs(operation, path);
    let path = scope.full_path(path);
    let asked = Request { sudo_required, ..Request::new(operation, &path) };
    let explanation = acl.explain(&asked);
    let text = explanation.to_string();
    Response::data(&Explained { explanation, policies, sudo_required, open, text })
}

fn judged(session: Session) -> (Arc<Acl>, Vec<String>) {
    let own = session.token.policies.iter();
    let of_entity = session.entity.iter().flat_map(|entity| &entity.policies);
    let policies = own.chain(of_entity).cloned().collect();
    (session.acl, policies)
}

async fn who_can(system: Arc<System>, call: Call, request: WhoCan) -> Result<Response> {
    let scope = system.scope(&call)?;
    let operation = Operation::parse(&request.operation)?;
    let path = request.path.trim_start_matches('/');
    let Needs { sudo_required, open } = scope.needs(operation, path);
    let full_path = scope.full_path(path);
    let policies = scope.holders(operation, &full_path).await?;
    let limit = request.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
    let asked = Request { sudo_required, ..Request::new(operation, &full_path) };
    let (tokens, next) = scope.tokens(&asked, &request.after, limit).await?;
    let token_roles = scope.token_roles(&policies).await?;
    let mut answer = Answer {
        operation: operation.name(),
        path: full_path.clone(),
        sudo_required,
        open,
        policies,
        tokens,
        next,
        token_roles,
        limits: LIMITS,
        text: String::new(),
    };
    answer.text = answer.to_string();
    Response::data(&answer)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {} may be done with", self.operation, self.path)?;
        if self.open {
            writeln!(f, "  no token at all")?;
        }
        for holder in &self.policies {
            match &holder.rule {
                Some(rule) if holder.depends_on_identity => {
                    writeln!(f, "  {rule}, by some identities")?
                }
                Some(rule) => writeln!(f, "  {rule}")?,
                None => writeln!(f, "  policy {}", holder.policy)?,
            }
        }
        for Holding { accessor, display_name, entity_id: _, policies } in &self.tokens {
            let policies = policies.join(", ");
            writeln!(f, "  token {display_name:?} with accessor {accessor}: {policies}")?;
        }
        if let Some(next) = &self.next {
            writeln!(f, "  perhaps tokens after accessor {next}")?;
        }
        for Role { name, policies } in &self.token_roles {
            writeln!(f, "  a token by role {name}: {}", policies.join(", "))?;
        }
        Ok(())
    }
}

/// What a path asks for besides a capability.
#[derive(Default)]
struct Needs {
    sudo_required: bool,
    open: bool,
}

impl Scope {
    fn needs(&self, operation: Operation, path: &str) -> Needs {
        let verb = match operation {
            Operation::Create | Operation::Update => Verb::Write,
            Operation::Delete => Verb::Delete,
            Operation::List => Verb::List,
            Operation::Patch => Verb::Patch,
            Operation::Read => Verb::Read,
            Operation::Scan => Verb::Scan,
            Operation::Help
            | Operation::Recover
            | Operation::Renew
            | Operation::Revoke
            | Operation::Rollback => return Needs::default(),
        };
        let Some(mount) = self.core.mount_of(&self.namespace.path, path) else {
            return Needs::default();
        };
        let full_path = self.full_path(path);
        let rest = full_path.strip_prefix(&mount.full_path).unwrap_or_default();
        match mount.backend.find(verb, rest.trim_end_matches('/')) {
            Found::Route { route, .. } => {
                let endpoint = mount.backend.endpoint(route);
                Needs { sudo_required: endpoint.sudo, open: endpoint.open }
            }
            Found::Nothing | Found::OtherVerb => Needs::default(),
        }
    }

    async fn compile(&self, names: &[String]) -> Result<(Arc<Acl>, Vec<String>)> {
        let mut policies = Vec::new();
        for name in names {
            let name = Name::parse(name)?;
            if self.core.policies.policy(self.id(), &name).await?.is_none() {
                return Err(Error::invalid(format!("there is no policy {:?}", name.as_str())));
            }
            policies.push(name.to_string());
        }
        let acl = self.core.policies.compile(&self.namespace, &policies, None).await?;
        Ok((acl, policies))
    }

    /// The policies that let their holder do this: those of this namespace, and of namespaces on
    /// the way down to the path.
    async fn holders(&self, operation: Operation, full_path: &str) -> Result<Vec<Holder>> {
        let mut found: Vec<(Arc<NamespaceEntry>, Arc<Policy>)> = Vec::new();
        for namespace in self.core.namespaces.below(&self.namespace.path) {
            if full_path.starts_with(namespace.path.as_str()) {
                let policies = self.core.policies.all(&namespace).await?;
                found.extend(policies.into_iter().map(|policy| (namespace.clone(), policy)));
            }
        }
        let policies: Vec<(&Namespace, &Policy)> =
            found.iter().map(|(namespace, policy)| (&namespace.path, &**policy)).collect();
        Ok(core_policy::who_can(operation, full_path, &policies, self.core.clock.now()))
    }

    /// The tokens of this namespace that may, of at most `limit` after the accessor `after`, and
    /// where to go on if there may be more.
    async fn tokens(
        &self,
        asked: &Request<'_>,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<Holding>, Option<String>)> {
        if limit == 0 {
            return Ok((Vec::new(), None));
        }
        let accessors = self.core.tokens.accessors(self.id(), after, limit).await?;
        let mut holding = Vec::new();
        for accessor in &accessors {
            let token = self.core.tokens.by_accessor(self.id(), accessor).await?;
            let Some(token) = token else { continue };
            let Ok(session) = self.core.session(token).await else { continue };
            if session.acl.explain(asked).granted {
                holding.push(Holding {
                    accessor: accessor.clone(),
                    display_name: session.token.display_name.to_string(),
                    entity_id: session.token.entity.as_deref().unwrap_or_default().to_owned(),
                    policies: judged(session).1,
                });
            }
        }
        let next = accessors.last().filter(|_| accessors.len() == limit).cloned();
        Ok((holding, next))
    }

    /// The token roles that give out one of these policies of this namespace.
    async fn token_roles(&self, holders: &[Holder]) -> Result<Vec<Role>> {
        let own = |holder: &&Holder| holder.namespace == self.namespace.path.as_str();
        let able: Vec<&str> =
            holders.iter().filter(own).map(|holder| holder.policy.as_str()).collect();
        let mut roles = Vec::new();
        for name in self.core.tokens.roles(self.id()).await? {
            let Some(role) = self.core.tokens.role(self.id(), &Name::parse(&name)?).await? else {
                continue;
            };
            let allowed = |policy: &&&str| {
                let is_listed = role.allowed_policies.iter().any(|one| one == **policy);
                is_listed || role.allowed_policies_glob.iter().any(|glob| fits(glob, policy))
            };
            let forbidden = |policy: &&&str| {
                let is_listed = role.disallowed_policies.iter().any(|one| one == **policy);
                is_listed || role.disallowed_policies_glob.iter().any(|glob| fits(glob, policy))
            };
            let policies: Vec<String> = able
                .iter()
                .filter(|policy| allowed(policy) && !forbidden(policy))
                .map(|policy| (*policy).to_owned())
                .collect();
            if !policies.is_empty() {
                roles.push(Role { name, policies });
            }
        }
        Ok(roles)
    }
}

/// `*` in a glob stands for any text.
fn fits(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_fits_around_any_text() {
        for (glob, text, expect) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("*", "", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(glob, text), expect, "{glob} {text}");
        }
    }
}
