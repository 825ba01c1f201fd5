use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use base_types::{BoxFuture, Result, Ttl};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::pattern::{Params, Pattern};
use crate::{Call, Engine, LeaseGrant, LoginGrant, Response, Verb, weak};

type Handler<E> = Box<dyn Fn(Arc<E>, Call) -> BoxFuture<'static, Result<Response>> + Send + Sync>;
type Exists<E> = Box<dyn Fn(Arc<E>, &Call) -> BoxFuture<'static, Result<bool>> + Send + Sync>;
type Alias = Box<dyn Fn(&Call) -> Option<String> + Send + Sync>;
type RenewLogin<E> =
    Box<dyn Fn(Arc<E>, Box<RawValue>) -> BoxFuture<'static, Result<LoginGrant>> + Send + Sync>;
type RenewLease<E> =
    Box<dyn Fn(Arc<E>, Box<RawValue>, Ttl) -> BoxFuture<'static, Result<LeaseGrant>> + Send + Sync>;
type RevokeLease<E> =
    Box<dyn Fn(Arc<E>, Box<RawValue>) -> BoxFuture<'static, Result<()>> + Send + Sync>;
type Job<E> = Box<dyn Fn(Arc<E>) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// An endpoint as help, OpenAPI and the tests see it.
#[derive(Clone)]
pub struct Endpoint {
    pub verb: Verb,
    /// Relative to the mount, with its braces.
    pub pattern: &'static str,
    pub summary: &'static str,
    /// Needs no token.
    pub open: bool,
    /// Needs the `sudo` capability besides the one for the operation.
    pub sudo: bool,
    /// Hands out a token.
    pub login: bool,
    /// Changes nothing, here or elsewhere.
    pub pure: bool,
    /// The fields of the request.
    pub schema: fn() -> Schema,
}

/// The list of what an engine can do, filled by [`Engine::routes`].
pub struct Routes<E> {
    routes: Vec<Route<E>>,
    exists: Vec<(Pattern, Exists<E>)>,
    leases: HashMap<&'static str, (RenewLease<E>, RevokeLease<E>)>,
    renew_login: Option<RenewLogin<E>>,
    jobs: Vec<(Ttl, Job<E>)>,
}

struct Route<E> {
    pattern: Pattern,
    endpoint: Endpoint,
    handler: Handler<E>,
    alias: Option<Alias>,
}

impl<E: Engine> Routes<E> {
    pub(crate) fn new() -> Self {
        Self {
            routes: Vec::new(),
            exists: Vec::new(),
            leases: HashMap::new(),
            renew_login: None,
            jobs: Vec::new(),
        }
    }

    /// `verb` on `pattern` is answered by `handler`, whose last argument is read from the path's
    /// parameters, the body and the query.
    pub fn on<Q, F, Fut>(
        &mut self,
        verb: Verb,
        pattern: &'static str,
        handler: F,
    ) -> RouteOptions<'_, Q>
    where
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Arc<E>, Call, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let handler: Handler<E> = Box::new(move |engine, call| {
            let handler = handler.clone();
            Box::pin(async move {
                let parsed = weak::parse::<Q>(&call.params, &call.body)?;
                let mut response = handler(engine, call, parsed.request).await?;
                // As in Vault: an answer without content stays one.
                let has_content = response.data.is_some()
                    || response.login.is_some()
                    || response.auth.is_some()
                    || !response.warnings.is_empty();
                if has_content && !parsed.unknown.is_empty() {
                    response.warnings.push(ignored(&parsed.unknown));
                }
                if has_content && !parsed.replaced.is_empty() {
                    response.warnings.push(replaced(&parsed.replaced));
                }
                Ok(response)
            })
        });
        let schema = || SchemaGenerator::default().into_root_schema_for::<Q>();
        let endpoint = Endpoint {
            verb,
            pattern,
            summary: "",
            open: false,
            sudo: false,
            login: false,
            pure: false,
            schema,
        };
        self.routes.push(Route {
            pattern: Pattern::parse(pattern),
            endpoint,
            handler,
            alias: None,
        });
        let at = self.routes.len() - 1;
        let route = &mut self.routes[at];
        RouteOptions {
            endpoint: &mut route.endpoint,
            alias: &mut route.alias,
            request: PhantomData,
        }
    }

    /// Tells a write that creates from one that updates, which are two capabilities.
    pub fn exists<Q, F, Fut>(&mut self, pattern: &'static str, check: F)
    where
        Q: DeserializeOwned + Send + 'static,
        F: Fn(Arc<E>, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool>> + Send + 'static,
    {
        let check = Arc::new(check);
        let check: Exists<E> = Box::new(move |engine, call| {
            let (check, parsed) =
                (check.clone(), weak::parse::<Q>(&call.params, &crate::Body::Empty));
            Box::pin(async move { check(engine, parsed?.request).await })
        });
        self.exists.push((Pattern::parse(pattern), check));
    }

    /// How leases of this kind are renewed (what the engine stored, the increment asked for) and
    /// revoked. Both must be repeatable: a crash may make them run twice.
    ///
    /// A revocation that fails with `Unavailable` or `Upstream` may be the fault of its target, whose
    /// other leases then wait with it until one of them can be revoked; any other failure is the
    /// lease's own. One that takes longer than a minute is given up.
    pub fn lease<R, RFut, V, VFut>(&mut self, kind: &'static str, renew: R, revoke: V)
    where
        R: Fn(Arc<E>, Box<RawValue>, Ttl) -> RFut + Send + Sync + 'static,
        RFut: Future<Output = Result<LeaseGrant>> + Send + 'static,
        V: Fn(Arc<E>, Box<RawValue>) -> VFut + Send + Sync + 'static,
        VFut: Future<Output = Result<()>> + Send + 'static,
    {
        let renew: RenewLease<E> = Box::new(move |engine, internal, increment| {
            Box::pin(renew(engine, internal, increment))
        });
        let revoke: RevokeLease<E> =
            Box::new(move |engine, internal| Box::pin(revoke(engine, internal)));
        self.leases.insert(kind, (renew, revoke));
    }

    /// Decides again about a login whose token is to be renewed: what the engine stored goes in,
    /// the grant as it would be made today comes out.
    pub fn renew_login<F, Fut>(&mut self, renew: F)
    where
        F: Fn(Arc<E>, Box<RawValue>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<LoginGrant>> + Send + 'static,
    {
        self.renew_login =
            Some(Box::new(move |engine, internal| Box::pin(renew(engine, internal))));
    }

    /// Work to be done again and again while mounted and unsealed.
    pub fn every<F, Fut>(&mut self, interval: Ttl, job: F)
    where
        F: Fn(Arc<E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.jobs.push((interval, Box::new(move |engine| Box::pin(job(engine)))));
    }

    pub(crate) fn build(mut self) -> Table<E> {
        self.routes.sort_by(|a, b| a.pattern.precedence(&b.pattern));
        self.exists.sort_by(|a, b| a.0.precedence(&b.0));
        let (mut heads, mut headless) = (HashMap::<_, Vec<usize>>::new(), Vec::new());
        for (at, route) in self.routes.iter().enumerate() {
            match route.pattern.head() {
                Some(head) => heads.entry(head).or_default().push(at),
                None => headless.push(at),
            }
        }
        let Self { routes, exists, leases, renew_login, jobs } = self;
        Table { routes, heads, headless, exists, leases, renew_login, jobs }
    }
}

fn ignored(names: &[String]) -> String {
    format!("Endpoint ignored these unrecognized parameters: [{}]", names.join(" "))
}

fn replaced(names: &[String]) -> String {
    format!(
        "Endpoint replaced the value of these parameters with the values captured from the \
         endpoint's path: [{}]",
        names.join(" ")
    )
}

/// What else there is to say about an endpoint.
pub struct RouteOptions<'t, Q> {
    endpoint: &'t mut Endpoint,
    alias: &'t mut Option<Alias>,
    request: PhantomData<fn(Q)>,
}

impl<Q: DeserializeOwned + 'static> RouteOptions<'_, Q> {
    /// It needs no token.
    pub fn open(self) -> Self {
        self.endpoint.open = true;
        self
    }

    /// It needs the `sudo` capability besides the one for the operation.
    pub fn sudo(self) -> Self {
        self.endpoint.sudo = true;
        self
    }

    /// It changes nothing, in this server or any other system: it may be dropped half way, and its
    /// two audit entries may be written together after it has run.
    pub fn pure(self) -> Self {
        self.endpoint.pure = true;
        self
    }

    pub fn summary(self, text: &'static str) -> Self {
        self.endpoint.summary = text;
        self
    }

    /// It logs somebody in, and so needs no token. `alias` names who it would be, before anything
    /// is checked, so that repeated failures lock out that one only; `None` counts for nobody.
    pub fn login(self, alias: fn(&Q) -> Option<String>) -> Self {
        self.endpoint.open = true;
        self.endpoint.login = true;
        *self.alias = Some(Box::new(move |call| {
            weak::parse::<Q>(&call.params, &call.body)
                .ok()
                .and_then(|parsed| alias(&parsed.request))
        }));
        self
    }
}

/// A finished list, ready to be searched.
pub(crate) struct Table<E> {
    routes: Vec<Route<E>>,
    heads: HashMap<&'static str, Vec<usize>>,
    headless: Vec<usize>,
    exists: Vec<(Pattern, Exists<E>)>,
    leases: HashMap<&'static str, (RenewLease<E>, RevokeLease<E>)>,
    renew_login: Option<RenewLogin<E>>,
    jobs: Vec<(Ttl, Job<E>)>,
}

impl<E: Engine> Table<E> {
    pub(crate) fn endpoints(&self) -> Arc<[Endpoint]> {
        self.routes.iter().map(|route| route.endpoint.clone()).collect()
    }

    pub(crate) fn endpoint(&self, route: usize) -> &Endpoint {
        &self.routes[route].endpoint
    }

    /// The route, or whether the path at least exists for another verb.
    pub(crate) fn find(&self, verb: Verb, path: &str) -> Result<(usize, Params), bool> {
        let head = path.split('/').next().unwrap_or_default();
        let of_head = self.heads.get(head).map_or(&[][..], Vec::as_slice);
        let candidates = || of_head.iter().chain(&self.headless).copied();
        let is_asked = |at: &usize| self.routes[*at].endpoint.verb == verb;
        let fits = |at: usize| Some((at, self.routes[at].pattern.matches(path)?));
        let found = candidates().filter(is_asked).find_map(fits);
        found.ok_or_else(|| candidates().any(|at| fits(at).is_some()))
    }

    pub(crate) fn call(
        &self,
        engine: Arc<E>,
        route: usize,
        call: Call,
    ) -> BoxFuture<'static, Result<Response>> {
        (self.routes[route].handler)(engine, call)
    }

    pub(crate) fn exists(
        &self,
        engine: Arc<E>,
        call: &Call,
    ) -> Option<BoxFuture<'static, Result<bool>>> {
        let (_, check) =
            self.exists.iter().find(|(pattern, _)| pattern.matches(&call.path).is_some())?;
        Some(check(engine, call))
    }

    pub(crate) fn alias(&self, route: usize, call: &Call) -> Option<String> {
        self.routes[route].alias.as_ref().and_then(|alias| alias(call))
    }

    pub(crate) fn renew_login(
        &self,
        engine: Arc<E>,
        internal: Box<RawValue>,
    ) -> Option<BoxFuture<'static, Result<LoginGrant>>> {
        self.renew_login.as_ref().map(|renew| renew(engine, internal))
    }

    pub(crate) fn renew_lease(
        &self,
        engine: Arc<E>,
        kind: &str,
        internal: Box<RawValue>,
        increment: Ttl,
    ) -> Option<BoxFuture<'static, Result<LeaseGrant>>> {
        self.leases.get(kind).map(|(renew, _)| renew(engine, internal, increment))
    }

    pub(crate) fn revoke_lease(
        &self,
        engine: Arc<E>,
        kind: &str,
        internal: Box<RawValue>,
    ) -> Option<BoxFuture<'static, Result<()>>> {
        self.leases.get(kind).map(|(_, revoke)| revoke(engine, internal))
    }

    pub(crate) fn intervals(&self) -> Vec<Ttl> {
        self.jobs.iter().map(|(interval, _)| *interval).collect()
    }

    pub(crate) fn run(&self, engine: Arc<E>, job: usize) -> BoxFuture<'static, Result<()>> {
        (self.jobs[job].1)(engine)
    }
}
