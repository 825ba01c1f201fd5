//! A server without doors, for tests that stand where a request does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base_crypto::{Random, SeededRandom};
use base_types::{
    BoxFuture, Clock, Error, ErrorKind, ManualClock, Name, Namespace, RequestPath, Result, Secret,
    Timestamp, TokenId, Ttl,
};
use core_engine_api::{
    Act, Body, Call, Engine, Kind, LeaseGrant, LoginGrant, Made, Meta, Mount, Response, Role,
    Routes, TokenType, Verb,
};
use core_pipeline::{AuditSetup, Core, NamespaceEntry, NewMount, Parts, Peer, Request, Settings};
use core_seal::{Seals, StaticKey};
use serde_json::Value;
use serde_json::value::RawValue;
use store_api::{Batch, CommitError, Entry, Revision, Store};
use store_mem::MemStore;

/// A server with its world.
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<TestStore>,
    pub(crate) lab: Arc<Lab>,
    /// The text of a root token.
    pub(crate) root: String,
    audit: AuditSetup,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: std::result::Result<Value, (ErrorKind, String)>,
}

/// What a request carries besides its path.
#[derive(Clone, Default)]
pub(crate) struct With<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Value,
    pub(crate) namespace: &'a str,
    pub(crate) wrap_ttl: Option<u64>,
    pub(crate) from: Option<&'a str>,
}

impl World {
    /// A new server, unsealed, with the engine `lab/` and the auth method `auth/door/`.
    pub(crate) async fn start() -> Self {
        Self::audited(AuditSetup::default()).await
    }

    pub(crate) async fn audited(audit: AuditSetup) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600)));
        let (store, lab) = (Arc::new(TestStore::default()), Arc::new(Lab::default()));
        let core = core(&store, &clock, &lab, &audit, 1);
        let made = core.initialize(None).await.unwrap();
        let root = made.root_token.expose().clone();
        let world = Self { core, clock, store, lab, root, audit };
        world.mount("", "lab/", "lab").await;
        world.mount("", "auth/door/", "door").await;
        world.mount("", "secret/", "kv-v2").await;
        world
    }

    /// The same server after its process ended: only what was stored is left.
    pub(crate) async fn restart(&mut self) {
        self.core.seal().await;
        let seed = self.clock.now().0.unsigned_abs();
        self.core = core(&self.store, &self.clock, &self.lab, &self.audit, seed);
        assert!(self.core.auto_unseal().await.unwrap());
    }

    pub(crate) fn namespace(&self, path: &str) -> Arc<NamespaceEntry> {
        self.core.namespaces.find(&Namespace::parse(path).unwrap()).unwrap()
    }

    pub(crate) async fn mount(&self, namespace: &str, path: &str, kind: &str) {
        let new = NewMount { path: path.into(), kind: kind.into(), ..NewMount::default() };
        self.core.mount(&self.namespace(namespace), new).await.unwrap();
    }

    pub(crate) async fn add_namespace(&self, path: &str) -> Arc<NamespaceEntry> {
        let path = Namespace::parse(path).unwrap();
        self.core.create_namespace(&path, BTreeMap::new()).await.unwrap()
    }

    pub(crate) async fn policy(&self, namespace: &str, name: &str, text: &str) {
        let namespace = self.namespace(namespace);
        self.core.policies.write(namespace.id(), &Name::parse(name).unwrap(), text).await.unwrap();
    }

    pub(crate) async fn send(&self, verb: Verb, path: &str, with: With<'_>) -> Answer {
        let request = Request {
            id: "request".into(),
            verb,
            help: false,
            namespace: Namespace::parse(with.namespace).unwrap(),
            path: RequestPath::parse(path).unwrap(),
            body: match &with.body {
                Value::Null => Body::Empty,
                body => Body::json(body.to_string().into()).unwrap(),
            },
            token: with.token.map(|token| Secret::new(token.to_owned())),
            wrap_ttl: with.wrap_ttl.map(Ttl::from_seconds),
            peer: Peer {
                remote: Some(SocketAddr::new(
                    with.from.unwrap_or("127.0.0.1").parse().unwrap(),
                    4000,
                )),
                ..Peer::default()
            },
            headers: Vec::new(),
        };
        let reply = self.core.handle(request).await;
        let outcome = match reply.outcome {
            Ok(outcome) => {
                let text = match outcome.raw {
                    Some(raw) => raw.body,
                    None => core_pipeline::json(&reply.request_id, &outcome).unwrap().into_bytes(),
                };
                Ok(serde_json::from_slice(&text).unwrap())
            }
            Err(error) => Err((error.kind(), error.public().to_owned())),
        };
        Answer { outcome }
    }

    /// A write that must work.
    pub(crate) async fn write(&self, path: &str, token: &str, body: Value) -> Value {
        self.send(Verb::Write, path, With { token: Some(token), body, ..With::default() })
            .await
            .ok()
    }

    /// A write that must be refused; the answer is the text of the error.
    pub(crate) async fn refused(&self, path: &str, token: &str, body: Value) -> String {
        self.send(Verb::Write, path, With { token: Some(token), body, ..With::default() })
            .await
            .error()
            .1
    }

    pub(crate) async fn read(&self, path: &str, token: &str) -> Answer {
        self.send(Verb::Read, path, With { token: Some(token), ..With::default() }).await
    }

    /// Makes a token with the root token; gives its text and accessor.
    pub(crate) async fn token(&self, body: Value) -> (String, String) {
        self.token_at("auth/token/create", &self.root, body).await
    }

    pub(crate) async fn token_at(&self, path: &str, parent: &str, body: Value) -> (String, String) {
        let made = self.write(path, parent, body).await;
        let text = |name: &str| made["auth"][name].as_str().unwrap().to_owned();
        (text("client_token"), text("accessor"))
    }

    pub(crate) async fn is_alive(&self, token: &str) -> bool {
        self.core.tokens.authenticate(token).await.unwrap().is_some()
    }

    pub(crate) fn id(&self, token: &str) -> TokenId {
        self.core.tokens.id(token).unwrap()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Ttl::from_seconds(seconds));
    }

    /// Lets the server's own work go on until `done` holds; for tests with a paused runtime clock.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, done: impl Fn() -> F) {
        for _ in 0..100_000 {
            if done().await {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("it never came about");
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        match self.outcome {
            Ok(answer) => answer,
            Err(error) => panic!("refused: {error:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn error(self) -> (ErrorKind, String) {
        match self.outcome {
            Ok(answer) => panic!("not refused: {answer}"),
            Err(error) => error,
        }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.outcome.is_ok()
    }

    #[track_caller]
    pub(crate) fn denied(self) {
        assert_eq!(self.error().0, ErrorKind::Denied);
    }
}

fn core(
    store: &Arc<TestStore>,
    clock: &Arc<ManualClock>,
    lab: &Arc<Lab>,
    audit: &AuditSetup,
    seed: u64,
) -> Arc<Core> {
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(seed));
    let key = Secret::new([9; 32]);
    let seal = StaticKey::new("static", "1", &key, random.clone()).unwrap();
    let parts = Parts {
        store: store.clone(),
        seals: Seals::new(store.clone(), random.clone(), vec![Arc::new(seal)]).unwrap(),
        audit: audit.clone(),
        clock: clock.clone(),
        random,
        outbound: Arc::new(core_engine_api::Isolated),
        settings: Settings::default(),
    };
    let lab = lab.clone();
    Core::new(parts, |core| {
        vec![
            core_system::kind(core),
            core_system::token::kind(core),
            Kind::of::<engine_cubbyhole::Cubbyhole>(),
            Kind::of::<engine_kv::Kv2>(),
            Kind::with(move |_| {
                let lab = lab.clone();
                async move { Ok(LabEngine(lab)) }
            }),
            Kind::of::<Door>(),
        ]
    })
}

/// What the engine `lab` made and was asked to take back.
#[derive(Default)]
pub(crate) struct Lab {
    pub(crate) revoked: Mutex<Vec<String>>,
    /// It refuses to take anything back.
    pub(crate) failing: AtomicBool,
    /// How often it was asked to.
    pub(crate) asked: AtomicU64,
    /// Making a credential waits until this is notified, if it is set.
    pub(crate) gate: Mutex<Option<Arc<tokio::sync::Notify>>>,
    /// Systems that cannot be reached, and names for which theirs cannot.
    pub(crate) dead: Mutex<BTreeSet<String>>,
    /// Systems that never answer.
    pub(crate) hanging: Mutex<BTreeSet<String>>,
    /// Names that cannot be taken back, while others of their system can.
    pub(crate) broken: Mutex<BTreeSet<String>>,
    /// What exists in the systems, of what is made there only after its lease.
    pub(crate) made: Mutex<BTreeMap<String, Timestamp>>,
    /// Making something there waits until this is notified, if it is set.
    pub(crate) act_gate: Mutex<Option<Arc<tokio::sync::Notify>>>,
}

impl Lab {
    pub(crate) fn revoked(&self) -> Vec<String> {
        let mut names = self.revoked.lock().unwrap().clone();
        names.sort();
        names
    }
}

struct LabEngine(Arc<Lab>);

#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Named {
    name: String,
    ttl: Ttl,
    max_ttl: Ttl,
    /// The system to make it in.
    target: String,
    /// How it is made after its lease: `make`, `fail` before, `half` for a failure afterwards,
    /// `short` if it then turns out to end after a minute.
    act: String,
}

/// What the engine knows of a lease.
#[derive(serde::Deserialize, serde::Serialize)]
struct Lent {
    name: String,
    target: String,
    act: String,
}

impl Engine for LabEngine {
    const META: &'static Meta = &Meta {
        name: "lab",
        version: None,
        role: Role::Secrets,
        summary: "Makes things.",
        built_in: false,
    };

    async fn open(_: Mount) -> Result<Self> {
        Err(Error::internal("opened by its kind"))
    }

    fn routes(table: &mut Routes<Self>) {
        for verb in [Verb::Read, Verb::Write] {
            table.on(verb, "creds/{name}", Self::creds);
        }
        table.on(Verb::Read, "panic", |_: Arc<Self>, _: Call, (): ()| async {
            if true {
                panic!("a fault of the engine");
            }
            Ok(Response::none())
        });
        table.lease("creds", Self::renew, Self::revoke);
    }
}

impl LabEngine {
    async fn creds(self: Arc<Self>, _: Call, named: Named) -> Result<Response> {
        let gate = self.0.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        let Named { name, ttl, max_ttl, target, act } = named;
        let length = name.len();
        let lent = Lent { name, target, act };
        let lease = Some(LeaseGrant { max_ttl, ..self.grant(ttl, lent) });
        Ok(Response { lease, ..Response::data(&length)? })
    }

    fn grant(&self, ttl: Ttl, lent: Lent) -> LeaseGrant {
        let internal = serde_json::value::to_raw_value(&lent).unwrap();
        let target = lent.target.clone();
        let act: Option<Act> = match lent.act.as_str() {
            "" => None,
            _ => {
                let lab = self.0.clone();
                Some(Box::new(move |expires| Box::pin(lab.act(lent, expires))))
            }
        };
        LeaseGrant {
            kind: "creds",
            ttl,
            renewable: true,
            internal,
            target,
            act,
            ..LeaseGrant::default()
        }
    }

    async fn renew(self: Arc<Self>, internal: Box<RawValue>, increment: Ttl) -> Result<LeaseGrant> {
        Ok(self.grant(increment, serde_json::from_str(internal.get()).unwrap()))
    }

    async fn revoke(self: Arc<Self>, internal: Box<RawValue>) -> Result<()> {
        let lab = &self.0;
        lab.asked.fetch_add(1, Ordering::SeqCst);
        let Lent { name, target, .. } = serde_json::from_str(internal.get()).unwrap();
        if lab.failing.load(Ordering::SeqCst) {
            return Err(Error::upstream("the lab is closed"));
        }
        let is_dead = |one: &String| lab.dead.lock().unwrap().contains(one);
        if is_dead(&target) || is_dead(&name) {
            return Err(Error::unavailable(format!("no connection to {target}")));
        }
        if lab.hanging.lock().unwrap().contains(&target) {
            std::future::pending::<()>().await;
        }
        if lab.broken.lock().unwrap().contains(&name) {
            return Err(Error::upstream("it still owns tables"));
        }
        lab.made.lock().unwrap().remove(&name);
        lab.revoked.lock().unwrap().push(name);
        Ok(())
    }
}

impl Lab {
    async fn act(self: Arc<Self>, lent: Lent, expires: Timestamp) -> Result<Made> {
        let gate = self.act_gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.notified().await;
        }
        if lent.act == "fail" {
            return Err(Error::unavailable("no connection"));
        }
        self.made.lock().unwrap().insert(lent.name.clone(), expires);
        match lent.act.as_str() {
            "half" => Err(Error::upstream("the connection broke")),
            "short" => Ok(Made {
                data: Some(raw("made")),
                expires: Some(Timestamp::from_seconds(expires.seconds() - 3540)),
                warnings: vec!["it is short".into()],
            }),
            _ => Ok(Made::default()),
        }
    }
}

fn raw(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(text).unwrap()
}

/// Lets in whoever says `open`, with the policies that the name lists.
struct Door;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Knock {
    name: String,
    #[serde(default)]
    password: Secret<String>,
    #[serde(default)]
    policies: Vec<String>,
    #[serde(default)]
    ttl: Ttl,
    #[serde(default)]
    batch: bool,
}

impl Engine for Door {
    const META: &'static Meta = &Meta {
        name: "door",
        version: None,
        role: Role::Auth,
        summary: "Lets in.",
        built_in: false,
    };

    async fn open(_: Mount) -> Result<Self> {
        Ok(Self)
    }

    fn routes(table: &mut Routes<Self>) {
        table
            .on(Verb::Write, "login/{name}", Self::login)
            .login(|knock: &Knock| Some(knock.name.to_lowercase()));
        table.renew_login(Self::renew);
    }
}

impl Door {
    async fn login(self: Arc<Self>, _: Call, knock: Knock) -> Result<Response> {
        if knock.password.expose() != "open" {
            return Err(Error::invalid("wrong word"));
        }
        Ok(Response::login(LoginGrant {
            alias: knock.name.to_lowercase(),
            display_name: format!("door-{}", knock.name),
            ttl: knock.ttl,
            token_type: if knock.batch { TokenType::Batch } else { TokenType::Default },
            internal: Some(raw(&knock.policies.join(","))),
            ..Self::grant(knock.policies)
        }))
    }

    async fn renew(self: Arc<Self>, internal: Box<RawValue>) -> Result<LoginGrant> {
        let policies: String = serde_json::from_str(internal.get()).unwrap();
        Ok(Self::grant(policies.split(',').map(str::to_owned).collect()))
    }

    fn grant(policies: Vec<String>) -> LoginGrant {
        LoginGrant { policies, renewable: true, ..LoginGrant::default() }
    }
}

/// A store in memory that can die, lose bits and be looked into.
#[derive(Default)]
pub(crate) struct TestStore {
    inner: MemStore,
    /// How many more commits it takes; negative is no limit.
    left: AtomicI64,
    limited: AtomicBool,
    /// Keys whose value comes back with a flipped bit.
    damaged: Mutex<HashMap<String, ()>>,
    pub(crate) commits: AtomicU64,
    /// The most keys that one commit has written.
    pub(crate) largest: AtomicU64,
}

impl TestStore {
    /// Takes so many commits and then none, as if the machine had stopped.
    pub(crate) fn dies_after(&self, commits: i64) {
        self.left.store(commits, Ordering::SeqCst);
        self.limited.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.limited.store(false, Ordering::SeqCst);
        self.damaged.lock().unwrap().clear();
    }

    pub(crate) fn damage(&self, key: &str) {
        self.damaged.lock().unwrap().insert(key.to_owned(), ());
    }

    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        self.inner.list(prefix, "", usize::MAX).await.unwrap()
    }
}

impl Store for TestStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(async move {
            let mut found = self.inner.get(key).await?;
            if let Some(entry) = &mut found
                && self.damaged.lock().unwrap().contains_key(key)
            {
                let mut bytes = entry.value.to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                entry.value = bytes.into();
            }
            Ok(found)
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        self.inner.list(prefix, after, limit)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move {
            if self.limited.load(Ordering::SeqCst) && self.left.fetch_sub(1, Ordering::SeqCst) <= 0
            {
                return Err(CommitError::Failed(Error::unavailable("the store is gone")));
            }
            self.commits.fetch_add(1, Ordering::SeqCst);
            self.largest.fetch_max(batch.ops.len() as u64, Ordering::SeqCst);
            self.inner.commit(batch).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.close()
    }
}
