//! The engine behind `auth/token/`: tokens made from tokens, looked up, renewed and revoked.
//!
//! It decides what a new token may be; the pipeline makes it. It is mounted once in each
//! namespace, and finds tokens of its own namespace and those below only (CVE-2026-40264).
//! <https://openbao.org/api-docs/auth/token/>

mod create;
mod lookup;
mod policies;
mod renew;
mod revoke;
mod roles;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use base_types::{Error, Namespace, Result, Secret};
use core_engine_api::{Call, Engine, Kind, Meta, Mount, Role, Routes};
use core_identity::Token;
use core_pipeline::{Core, NamespaceEntry, Session};

/// The token engine of one namespace.
pub struct TokenAuth {
    core: Weak<Core>,
    namespace: Namespace,
    /// A tidy is running.
    tidying: Arc<AtomicBool>,
}

/// The engine as the registry knows it.
pub fn kind(core: &Weak<Core>) -> Kind {
    let core = core.clone();
    Kind::with(move |mount: Mount| {
        let (core, tidying) = (core.clone(), Arc::default());
        async move { Ok(TokenAuth { core, namespace: mount.namespace, tidying }) }
    })
}

impl Engine for TokenAuth {
    const META: &'static Meta = &Meta {
        name: "token",
        version: None,
        role: Role::Auth,
        summary: "token based credentials",
        built_in: true,
    };

    async fn open(_: Mount) -> Result<Self> {
        Err(Error::internal("the token engine is opened with the core"))
    }

    fn routes(table: &mut Routes<Self>) {
        create::routes(table);
        lookup::routes(table);
        renew::routes(table);
        revoke::routes(table);
        roles::routes(table);
    }
}

impl TokenAuth {
    fn core(&self) -> Result<Arc<Core>> {
        self.core.upgrade().ok_or_else(Error::sealed)
    }

    fn namespace(&self, core: &Core) -> Result<Arc<NamespaceEntry>> {
        core.namespaces
            .find(&self.namespace)
            .ok_or_else(|| Error::not_found("the namespace is gone"))
    }

    /// The path of an endpoint as policies see it.
    fn full_path(&self, path: &str) -> String {
        format!("{}auth/token/{path}", self.namespace)
    }

    /// A living token by its text.
    async fn token(&self, core: &Core, text: &Secret<String>) -> Result<Option<Arc<Token>>> {
        core.tokens.authenticate(text.expose()).await
    }

    /// A living token by its accessor, of this namespace alone.
    async fn by_accessor(&self, core: &Core, accessor: &str) -> Result<Option<Arc<Token>>> {
        if accessor.is_empty() {
            return Err(Error::invalid("missing accessor"));
        }
        core.tokens.by_accessor(self.namespace(core)?.id(), accessor).await
    }

    /// The token belongs to this namespace or one below.
    fn reaches(&self, core: &Core, token: &Token) -> bool {
        let namespace = core.namespaces.by_id(&token.namespace);
        namespace.is_some_and(|namespace| self.namespace.contains(&namespace.path))
    }
}

/// Who calls.
fn session(call: &Call) -> Result<Arc<Session>> {
    let session = call.caller.session.clone().and_then(|session| session.downcast().ok());
    session.ok_or_else(Error::denied)
}

/// The text of the caller's own token.
fn own_text(session: &Session) -> Result<Secret<String>> {
    session.text.clone().ok_or_else(|| Error::internal("a request without its token"))
}

/// The token that a request is about.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct ByText {
    /// The token.
    #[serde(default)]
    token: Secret<String>,
}

impl ByText {
    fn required(&self) -> Result<&Secret<String>> {
        if self.token.expose().is_empty() {
            return Err(Error::invalid("missing token ID"));
        }
        Ok(&self.token)
    }
}

/// The token that a request is about, by its accessor.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct ByAccessor {
    /// The accessor of the token.
    #[serde(default)]
    accessor: String,
}
