use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Cidr, Error, ErrorKind, Result, Secret, Timestamp, Ttl};
use core_engine_api::{Call, Response, Routes, Verb};
use core_identity::{Kind, Token, Uses};
use core_pipeline::{Core, ROOT_ID};
use serde::Serialize;

use super::{ByAccessor, ByText, TokenAuth, own_text, session};

pub(super) fn routes(table: &mut Routes<TokenAuth>) {
    for verb in [Verb::Read, Verb::Write] {
        table.on(verb, "lookup", by_text).summary("Look up a token, or the caller's own.");
        table.on(verb, "lookup-self", own).summary("Look up the caller's own token.");
    }
    table
        .on(Verb::Write, "lookup-accessor", by_accessor)
        .summary("Look up a token by its accessor.");
    table
        .on(Verb::List, "accessors", accessors)
        .sudo()
        .summary("List the accessors of all tokens.");
}

async fn by_text(engine: Arc<TokenAuth>, call: Call, request: ByText) -> Result<Response> {
    if request.token.expose().is_empty() {
        return own(engine, call, ()).await;
    }
    let core = engine.core()?;
    let token = engine.token(&core, &request.token).await?;
    let token = token.filter(|token| engine.reaches(&core, token));
    let token = token.ok_or_else(|| Error::new(ErrorKind::Denied, "bad token"))?;
    answer(&core, &token, Some(&request.token)).await
}

async fn own(engine: Arc<TokenAuth>, call: Call, (): ()) -> Result<Response> {
    let session = session(&call)?;
    let mut token = Token::clone(&session.token);
    if let Uses::Left(left) = token.uses {
        // This request has taken one.
        token.uses = Uses::Left(left.saturating_sub(1));
    }
    answer(&*engine.core()?, &token, Some(&own_text(&session)?)).await
}

async fn by_accessor(engine: Arc<TokenAuth>, _: Call, request: ByAccessor) -> Result<Response> {
    let core = engine.core()?;
    let token = engine.by_accessor(&core, &request.accessor).await?;
    answer(&core, &*token.ok_or_else(|| Error::invalid("invalid accessor"))?, None).await
}

async fn accessors(engine: Arc<TokenAuth>, _: Call, (): ()) -> Result<Response> {
    let core = engine.core()?;
    Response::keys(core.tokens.accessors(engine.namespace(&core)?.id(), "", 0).await?)
}

#[derive(Serialize)]
struct Lookup<'a> {
    accessor: &'a str,
    #[serde(skip_serializing_if = "<[Cidr]>::is_empty")]
    bound_cidrs: &'a [Cidr],
    creation_time: i64,
    creation_ttl: Ttl,
    display_name: &'a str,
    entity_id: &'a str,
    expire_time: Option<Timestamp>,
    explicit_max_ttl: Ttl,
    /// Empty where the caller gave only the accessor.
    id: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    identity_policies: &'a [String],
    /// Left out, as `renewable`, for a token that never ends: it has no lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    issue_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_renewal: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_renewal_time: Option<i64>,
    meta: Option<&'a BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace_path: &'a str,
    num_uses: u64,
    orphan: bool,
    path: &'a str,
    #[serde(skip_serializing_if = "Ttl::is_zero_ref")]
    period: Ttl,
    policies: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    renewable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    ttl: Ttl,
    #[serde(rename = "type")]
    kind: Kind,
}

async fn answer(core: &Core, token: &Token, text: Option<&Secret<String>>) -> Result<Response> {
    let entity = match &token.entity {
        Some(id) => core.entities.read(&token.namespace, id).await?,
        None => None,
    };
    let namespace = match &*token.namespace {
        ROOT_ID => None,
        id => core.namespaces.by_id(id),
    };
    Response::data(&Lookup {
        accessor: &token.accessor,
        bound_cidrs: &token.bound_cidrs,
        creation_time: token.created.seconds(),
        creation_ttl: token.ttl,
        display_name: &token.display_name,
        entity_id: token.entity.as_deref().unwrap_or_default(),
        expire_time: token.expires,
        explicit_max_ttl: token.explicit_max_ttl,
        id: text.map_or("", |text| text.expose()),
        identity_policies: entity.as_ref().map_or(&[], |entity| &entity.policies),
        issue_time: token.expires.map(|_| token.created),
        last_renewal: token.renewed,
        last_renewal_time: token.renewed.map(Timestamp::seconds),
        meta: (!token.metadata.is_empty()).then_some(&token.metadata),
        namespace_path: namespace.as_ref().map_or("", |namespace| namespace.path.as_str()),
        num_uses: match token.uses {
            Uses::Left(left) => left,
            Uses::Unlimited => 0,
        },
        orphan: token.is_orphan(),
        path: &token.path,
        period: token.period,
        policies: &token.policies,
        renewable: token.expires.map(|_| token.renewable),
        role: token.role.as_deref(),
        ttl: token.remaining(core.clock.now()),
        kind: token.kind,
    })
}
