use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Cidr, Error, Name, Result, Secret, Ttl};
use core_engine_api::{Call, LoginGrant, Response, Routes, TokenType, Verb};
use core_identity::{Kind, RoleTokenType, Token, TokenRole, Uses};
use core_pipeline::{Core, Session};

use super::policies::{Asked, Chosen, fits_any};
use super::{TokenAuth, session};

pub(super) fn routes(table: &mut Routes<TokenAuth>) {
    table.on(Verb::Write, "create", create).summary("Make a token from the caller's.");
    table.on(Verb::Write, "create-orphan", create_orphan).summary("Make a token without a parent.");
    table
        .on(Verb::Write, "create/{role_name}", create_by_role)
        .summary("Make a token as a token role says.");
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Create {
    /// A name for the audit log; it follows `token-`.
    display_name: String,
    /// The alias of an entity that the token is to belong to, if the role allows it.
    entity_alias: String,
    /// The longest that the token can live, whatever the limits are when it is renewed.
    explicit_max_ttl: Ttl,
    /// The text of the token; needs `sudo`.
    id: Secret<String>,
    /// The old name of `ttl`.
    lease: Ttl,
    /// Anything to remember about the token, as key and value.
    meta: BTreeMap<String, String>,
    /// Do not add the policy `default`.
    no_default_policy: bool,
    /// Make the token without a parent; needs `sudo`.
    no_parent: bool,
    /// How often the token can be used; zero is unlimited.
    num_uses: i64,
    /// It lives on as long as it is renewed within this time; needs `sudo`.
    period: Ttl,
    /// The policies of the token; those of the caller's if none are given.
    policies: Option<Vec<String>>,
    /// It can be renewed.
    renewable: bool,
    /// How long it lives.
    ttl: Ttl,
    /// `service` or `batch`.
    #[serde(rename = "type")]
    kind: String,
}

impl Default for Create {
    fn default() -> Self {
        Self {
            display_name: String::new(),
            entity_alias: String::new(),
            explicit_max_ttl: Ttl::ZERO,
            id: Secret::default(),
            lease: Ttl::ZERO,
            meta: BTreeMap::new(),
            no_default_policy: false,
            no_parent: false,
            num_uses: 0,
            period: Ttl::ZERO,
            policies: None,
            renewable: true,
            ttl: Ttl::ZERO,
            kind: String::new(),
        }
    }
}

async fn create(engine: Arc<TokenAuth>, call: Call, request: Create) -> Result<Response> {
    Creation::new(&engine, &call, request, "create")?.make().await
}

async fn create_orphan(engine: Arc<TokenAuth>, call: Call, request: Create) -> Result<Response> {
    let creation = Creation::new(&engine, &call, request, "create-orphan")?;
    Creation { orphan: true, ..creation }.make().await
}

async fn create_by_role(engine: Arc<TokenAuth>, call: Call, request: Create) -> Result<Response> {
    let written = call.params.iter().find(|(param, _)| *param == "role_name");
    let written = written.map_or("", |(_, name)| name.as_str());
    let creation = Creation::new(&engine, &call, request, &format!("create/{written}"))?;
    let (name, namespace) = (Name::parse(written)?, engine.namespace(&creation.core)?);
    let role = creation.core.tokens.role(namespace.id(), &name).await?;
    let role = role.ok_or_else(|| Error::invalid(format!("unknown role {written}")))?;
    Creation { role: Some(role), ..creation }.make().await
}

/// A token that is asked for.
struct Creation<'a> {
    engine: &'a TokenAuth,
    core: Arc<Core>,
    call: &'a Call,
    session: Arc<Session>,
    request: Create,
    role: Option<TokenRole>,
    /// The endpoint makes orphans.
    orphan: bool,
    /// The caller may do more than others on this endpoint.
    sudo: bool,
}

impl<'a> Creation<'a> {
    fn new(engine: &'a TokenAuth, call: &'a Call, request: Create, path: &str) -> Result<Self> {
        let (core, session) = (engine.core()?, session(call)?);
        let sudo = session.has_sudo(&engine.full_path(path));
        Ok(Self { engine, core, call, session, request, role: None, orphan: false, sudo })
    }

    fn parent(&self) -> &Token {
        &self.session.token
    }

    /// The parent lives in a namespace above.
    fn crosses_namespaces(&self) -> bool {
        self.session.namespace.path != self.engine.namespace
    }

    async fn make(mut self) -> Result<Response> {
        self.check_caller()?;
        self.check_request()?;
        let asked = Asked {
            policies: self.request.policies.as_deref(),
            no_default_policy: self.request.no_default_policy,
            sudo: self.sudo,
            from_elsewhere: self.crosses_namespaces(),
        };
        let Chosen(policies) = Chosen::of(&asked, self.parent(), self.role.as_ref())?;
        let kind = self.kind()?;
        let mut response = Response::none();
        response.warnings = self.warnings(&policies).await?;
        let grant = self.grant(policies, kind);
        check_grant(&grant, self.parent(), self.role.as_ref())?;
        response.login = Some(grant);
        Ok(response)
    }

    fn check_caller(&self) -> Result<()> {
        let fault = match self.parent() {
            Token { kind: Kind::Batch, .. } => "batch tokens cannot create more tokens",
            Token { uses: Uses::Left(_), .. } => {
                "restricted use token cannot generate child tokens"
            }
            _ if self.crosses_namespaces() && !self.sudo => {
                "root or sudo privileges required to create a token in a namespace below"
            }
            _ => return Ok(()),
        };
        Err(Error::invalid(fault))
    }

    fn check_request(&self) -> Result<()> {
        let Create { id, num_uses, period, no_parent, entity_alias, .. } = &self.request;
        let id = id.expose();
        let fault = if !id.is_empty() && !self.sudo {
            "root or sudo privileges required to specify token id"
        } else if id.starts_with("s.") {
            "custom token ID cannot have the 's.' prefix"
        } else if id.contains('.') {
            "custom token ID cannot have a '.' in the value"
        } else if id.starts_with("srs_") || id.starts_with("srb_") {
            "custom token ID cannot have the prefix of the server's own tokens"
        } else if *num_uses < 0 {
            "number of uses cannot be negative"
        } else if !period.is_zero() && !self.sudo {
            "root or sudo privileges required to create periodic token"
        } else if *no_parent && self.role.is_none() && !self.sudo {
            "root or sudo privileges required to create orphan token"
        } else if !entity_alias.is_empty() {
            return self.check_alias();
        } else {
            return Ok(());
        };
        Err(Error::invalid(fault))
    }

    fn check_alias(&self) -> Result<()> {
        let Some(role) = &self.role else {
            return Err(Error::invalid(
                "'entity_alias' is only allowed in combination with token role",
            ));
        };
        let alias = Name::parse(&self.request.entity_alias)?;
        if fits_any(role.allowed_entity_aliases.as_deref().unwrap_or_default(), alias.as_str()) {
            Ok(())
        } else {
            Err(Error::invalid("invalid 'entity_alias' value"))
        }
    }

    fn kind(&self) -> Result<TokenType> {
        let asked = match self.request.kind.as_str() {
            "" => None,
            "batch" => Some(TokenType::Batch),
            "service" => Some(TokenType::Service),
            _ => return Err(Error::invalid("invalid 'token_type' value")),
        };
        let role = self.role.as_ref().map(|role| role.token_type).unwrap_or_default();
        Ok(match role {
            RoleTokenType::Batch => TokenType::Batch,
            RoleTokenType::DefaultBatch => asked.unwrap_or(TokenType::Batch),
            RoleTokenType::DefaultService => asked.unwrap_or(TokenType::Service),
            RoleTokenType::Service => TokenType::Service,
        })
    }

    fn is_orphan(&self) -> bool {
        match &self.role {
            Some(role) => role.orphan,
            None => self.orphan || self.request.no_parent,
        }
    }

    fn grant(&mut self, policies: Vec<String>, token_type: TokenType) -> LoginGrant {
        let parent = (!self.is_orphan()).then(|| self.parent().id.clone());
        // An alias names the entity anew; else it is the parent's, if there is one.
        let alias = self.request.entity_alias.trim().to_lowercase();
        let inherits = parent.is_some() && alias.is_empty() && !self.crosses_namespaces();
        let entity = if inherits { self.parent().entity.clone() } else { None };
        let bound_cidrs = self.bound_cidrs();
        let request = std::mem::take(&mut self.request);
        let role = self.role.as_ref();
        LoginGrant {
            alias,
            display_name: display_name(&request.display_name),
            policies,
            metadata: request.meta,
            ttl: request.ttl.or(request.lease),
            explicit_max_ttl: request.explicit_max_ttl,
            period: request.period,
            num_uses: fewer(
                request.num_uses.unsigned_abs(),
                role.map_or(0, |role| role.token_num_uses),
            ),
            bound_cidrs,
            // `policies` is the whole list.
            no_default_policy: true,
            token_type,
            renewable: request.renewable && role.is_none_or(|role| role.renewable),
            parent,
            role: role.map(|role| role.name.clone()),
            chosen: Some(request.id).filter(|id| !id.expose().is_empty()),
            entity,
            ..LoginGrant::default()
        }
    }

    /// Those of the role, or else those that already bind the parent.
    fn bound_cidrs(&self) -> Vec<String> {
        let mut blocks = match &self.role {
            Some(role) if !role.token_bound_cidrs.is_empty() => role.token_bound_cidrs.clone(),
            _ => self.parent().bound_cidrs.clone(),
        };
        if self.role.as_ref().is_some_and(|role| role.token_strictly_bind_ip) {
            blocks =
                self.call.caller.remote.map(|remote| Cidr::from(remote.ip())).into_iter().collect();
        }
        blocks.iter().map(Cidr::to_string).collect()
    }

    async fn warnings(&self, policies: &[String]) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        if let Some(role) = &self.role {
            let Create { explicit_max_ttl, period, .. } = self.request;
            for (what, asked, held) in [
                ("Explicit max TTL", explicit_max_ttl, role.token_explicit_max_ttl),
                ("Period", period, role.token_period),
            ] {
                if !asked.is_zero() && !held.is_zero() {
                    warnings.push(format!(
                        "{what} specified both during creation call and in role; using the lesser value of {} seconds",
                        asked.limited_to(held).seconds()
                    ));
                }
            }
        }
        let namespace = self.engine.namespace(&self.core)?;
        for policy in policies {
            if self.core.policies.policy(namespace.id(), &Name::parse(policy)?).await?.is_none() {
                warnings.push(format!("Policy {policy:?} does not exist"));
            }
        }
        Ok(warnings)
    }
}

/// What only the whole of a token shows.
fn check_grant(grant: &LoginGrant, parent: &Token, role: Option<&TokenRole>) -> Result<()> {
    let held = |own: Ttl, role: Option<Ttl>| own.limited_to(role.unwrap_or_default());
    let period = held(grant.period, role.map(|role| role.token_period));
    let explicit = held(grant.explicit_max_ttl, role.map(|role| role.token_explicit_max_ttl));
    let is_root = grant.policies.iter().any(|policy| policy == "root");
    let fault = if grant.token_type == TokenType::Batch {
        if is_root {
            "batch tokens cannot be root tokens"
        } else if !period.is_zero() {
            "batch tokens cannot have \"period\" set"
        } else if !explicit.is_zero() {
            "batch tokens cannot have \"explicit_max_ttl\" set"
        } else if grant.num_uses != 0 {
            "batch tokens cannot have \"num_uses\" set"
        } else {
            return Ok(());
        }
    } else {
        let endless = grant.ttl.is_zero() && period.is_zero() && explicit.is_zero();
        if is_root && endless && parent.expires.is_some() {
            "expiring root tokens cannot create non-expiring root tokens"
        } else {
            return Ok(());
        }
    };
    Err(Error::invalid(fault))
}

/// The smaller of the two, where zero stands for "no limit".
fn fewer(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, other) | (other, 0) => other,
        (a, b) => a.min(b),
    }
}

/// `token`, or `token-` and the name in letters, digits and hyphens.
fn display_name(given: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = format!("token-{given}").chars().map(fits).collect();
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_is_plain() {
        for (given, name) in
            [("", "token"), ("ci", "token-ci"), ("x y!z", "token-x-y-z"), ("-", "token")]
        {
            assert_eq!(display_name(given), name);
        }
    }

    #[test]
    fn zero_is_no_limit() {
        assert_eq!([fewer(0, 0), fewer(0, 3), fewer(3, 0), fewer(2, 3)], [0, 3, 3, 2]);
    }
}
