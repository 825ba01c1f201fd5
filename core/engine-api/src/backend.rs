use std::sync::Arc;

use base_types::{BoxFuture, Error, Result, Ttl};
use serde_json::value::RawValue;

use crate::pattern::Params;
use crate::routes::Table;
use crate::{Call, Endpoint, Engine, LeaseGrant, LoginGrant, Response, Verb};

/// A mounted engine whose type has been forgotten: what the pipeline works with.
pub trait Backend: Send + Sync + 'static {
    fn find(&self, verb: Verb, path: &str) -> Found;

    fn endpoint(&self, route: usize) -> &Endpoint;

    /// Runs the handler of a route that [`Backend::find`] gave.
    fn call(&self, route: usize, call: Call) -> BoxFuture<'static, Result<Response>>;

    /// Whether what a write is about exists already; `None` where the engine does not tell
    /// creation from update.
    fn exists<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<bool>>>;

    /// Who a login would be, for the lockout.
    fn alias(&self, route: usize, call: &Call) -> Option<String>;

    fn renew_login(&self, internal: Box<RawValue>) -> BoxFuture<'static, Result<LoginGrant>>;

    fn renew_lease(
        &self,
        kind: &str,
        internal: Box<RawValue>,
        increment: Ttl,
    ) -> BoxFuture<'static, Result<LeaseGrant>>;

    fn revoke_lease(&self, kind: &str, internal: Box<RawValue>) -> BoxFuture<'static, Result<()>>;

    /// How often each of the engine's own jobs wants to run.
    fn intervals(&self) -> Vec<Ttl>;

    fn run(&self, job: usize) -> BoxFuture<'static, Result<()>>;
}

/// The answer to "who handles this?".
#[derive(Debug)]
pub enum Found {
    Nothing,
    /// The path exists, for other verbs.
    OtherVerb,
    Route {
        route: usize,
        params: Params,
    },
}

pub(crate) struct Adapter<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) table: Arc<Table<E>>,
}

impl<E: Engine> Backend for Adapter<E> {
    fn find(&self, verb: Verb, path: &str) -> Found {
        match self.table.find(verb, path) {
            Ok((route, params)) => Found::Route { route, params },
            Err(true) => Found::OtherVerb,
            Err(false) => Found::Nothing,
        }
    }

    fn endpoint(&self, route: usize) -> &Endpoint {
        self.table.endpoint(route)
    }

    fn call(&self, route: usize, call: Call) -> BoxFuture<'static, Result<Response>> {
        self.table.call(self.engine.clone(), route, call)
    }

    fn exists<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<bool>>> {
        Box::pin(async move {
            match self.table.exists(self.engine.clone(), call) {
                Some(check) => check.await.map(Some),
                None => Ok(None),
            }
        })
    }

    fn alias(&self, route: usize, call: &Call) -> Option<String> {
        self.table.alias(route, call)
    }

    fn renew_login(&self, internal: Box<RawValue>) -> BoxFuture<'static, Result<LoginGrant>> {
        self.table.renew_login(self.engine.clone(), internal).unwrap_or_else(|| {
            Box::pin(async { Err(Error::invalid("tokens of this auth method cannot be renewed")) })
        })
    }

    fn renew_lease(
        &self,
        kind: &str,
        internal: Box<RawValue>,
        increment: Ttl,
    ) -> BoxFuture<'static, Result<LeaseGrant>> {
        self.table.renew_lease(self.engine.clone(), kind, internal, increment).unwrap_or_else(
            || Box::pin(async { Err(Error::invalid("leases of this kind cannot be renewed")) }),
        )
    }

    fn revoke_lease(&self, kind: &str, internal: Box<RawValue>) -> BoxFuture<'static, Result<()>> {
        let revoking = self.table.revoke_lease(self.engine.clone(), kind, internal);
        let kind = kind.to_owned();
        revoking.unwrap_or_else(|| {
            Box::pin(async move {
                Err(Error::internal(format!("no engine revokes leases of kind {kind:?}")))
            })
        })
    }

    fn intervals(&self) -> Vec<Ttl> {
        self.table.intervals()
    }

    fn run(&self, job: usize) -> BoxFuture<'static, Result<()>> {
        self.table.run(self.engine.clone(), job)
    }
}
