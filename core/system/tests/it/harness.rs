use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base_crypto::{Random, SeededRandom};
use base_types::{
    BoxFuture, Error, ErrorKind, ManualClock, Namespace, RequestPath, Result, Secret, Timestamp,
    Ttl,
};
use bytes::Bytes;
use core_engine_api::{Body, Kind, Verb};
use core_pipeline::{AuditSetup, Core, Outcome, Parts, Peer, Request, Settings};
use core_seal::{Seals, Split};
use serde_json::{Value, json};
use store_api::{Batch, CommitError, Entry, Revision, Store};
use store_mem::MemStore;

use crate::loans::Loans;

/// An unsealed server with every engine that these tests mount.
pub(crate) struct Server {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<ManualClock>,
    root: String,
    requests: AtomicU64,
}

/// A store that lets others go first, as one that waits for its disk does.
struct Yielding(MemStore);

impl Store for Yielding {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Error>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.get(key).await
        })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.list(prefix, after, limit).await
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.commit(batch).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.0.close()
    }
}

/// Somebody with a token, or nobody, who works in a namespace.
#[derive(Clone)]
pub(crate) struct Client<'s> {
    pub(crate) server: &'s Server,
    pub(crate) token: Option<String>,
    namespace: &'s str,
    wrap_ttl: Option<Ttl>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The whole envelope, or what came instead of one.
    pub(crate) json: Value,
    pub(crate) error: String,
    /// An answer that is no envelope.
    pub(crate) raw: Option<String>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings { api_audit_creation: true, ..Settings::default() }).await
    }

    pub(crate) async fn start_with(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600)));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
        let store: Arc<dyn Store> = Arc::new(Yielding(MemStore::new()));
        let seals = Seals::new(store.clone(), random.clone(), Vec::new()).unwrap();
        let audit = AuditSetup::default();
        let parts = Parts {
            store,
            seals,
            audit,
            clock: clock.clone(),
            random,
            outbound: Arc::new(core_engine_api::Isolated),
            settings,
        };
        let core = Core::new(parts, |core| {
            vec![
                core_system::kind(core),
                core_system::token::kind(core),
                Kind::of::<engine_cubbyhole::Cubbyhole>(),
                Kind::of::<engine_kv::Kv1>(),
                Kind::of::<engine_kv::Kv2>(),
                Kind::of::<Loans>(),
                Kind::of::<auth_userpass::Userpass>(),
            ]
        });
        let mut made = core.initialize(Some(Split::new(1, 1).unwrap())).await.unwrap();
        let share = made.key_shares.remove(0);
        assert!(core.unseal_with(share).await.unwrap());
        Self { core, clock, root: made.root_token.expose().clone(), requests: AtomicU64::new(0) }
    }

    pub(crate) fn root(&self) -> Client<'_> {
        self.with(&self.root)
    }

    pub(crate) fn with(&self, token: &str) -> Client<'_> {
        Client { server: self, token: Some(token.to_owned()), namespace: "", wrap_ttl: None }
    }

    pub(crate) fn nobody(&self) -> Client<'_> {
        Client { server: self, token: None, namespace: "", wrap_ttl: None }
    }
}

impl<'s> Client<'s> {
    pub(crate) fn at(&self, namespace: &'s str) -> Self {
        Self { namespace, ..self.clone() }
    }

    pub(crate) fn wrapped(&self, seconds: u64) -> Self {
        Self { wrap_ttl: Some(Ttl::from_seconds(seconds)), ..self.clone() }
    }

    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.send(Verb::Read, path, Value::Null).await
    }

    pub(crate) async fn list(&self, path: &str) -> Answer {
        self.send(Verb::List, path, Value::Null).await
    }

    pub(crate) async fn write(&self, path: &str, body: Value) -> Answer {
        self.send(Verb::Write, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Verb::Delete, path, Value::Null).await
    }

    /// Reads what must be there, and gives its data.
    pub(crate) async fn data(&self, path: &str) -> Value {
        self.read(path).await.expect(200).json["data"].take()
    }

    /// Writes what must be accepted, and gives its data.
    pub(crate) async fn put(&self, path: &str, body: Value) -> Value {
        let mut answer = self.write(path, body).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json["data"].take()
    }

    /// A new token with these policies in this namespace, and its accessor.
    pub(crate) async fn token(&self, policies: &[&str]) -> (String, String) {
        let body = json!({ "policies": policies, "ttl": "1h" });
        let mut made = self.write("auth/token/create", body).await.expect(200);
        let text = |value: Value| value.as_str().unwrap().to_owned();
        let auth = &mut made.json["auth"];
        (text(auth["client_token"].take()), text(auth["accessor"].take()))
    }

    /// Stores a policy and gives a client with a token that has it.
    pub(crate) async fn with_policy(&self, name: &str, policy: &str) -> Self {
        self.put(&format!("sys/policies/acl/{name}"), json!({ "policy": policy })).await;
        let (token, _) = self.token(&[name]).await;
        Self { token: Some(token), ..self.clone() }
    }

    /// `path` may carry a query.
    pub(crate) async fn send(&self, verb: Verb, path: &str, body: Value) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let folder = if verb.is_listing() {
            format!("{}/", path.trim_end_matches('/'))
        } else {
            path.to_owned()
        };
        let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        let body = match query {
            "" if body.is_null() => Body::Empty,
            "" => Body::json(Bytes::from(body.to_string())).unwrap(),
            _ => Body::Query(query.split('&').filter_map(pair).collect()),
        };
        let number = self.server.requests.fetch_add(1, Ordering::SeqCst);
        let request = Request {
            id: format!("request-{number}").into(),
            verb,
            help: false,
            namespace: Namespace::parse(self.namespace).unwrap(),
            path: RequestPath::parse(&folder).unwrap(),
            body,
            token: self.token.clone().map(Secret::new),
            wrap_ttl: self.wrap_ttl,
            peer: Peer::default(),
            headers: Vec::new(),
        };
        let reply = self.server.core.handle(request).await;
        Answer::of(&reply.request_id, reply.outcome)
    }
}

impl Answer {
    fn of(id: &str, outcome: Result<Outcome>) -> Self {
        let (status, error) = match &outcome {
            Ok(outcome) if outcome.is_empty() && outcome.accepted => (202, String::new()),
            Ok(outcome) if outcome.is_empty() => (204, String::new()),
            Ok(outcome) => (if outcome.absent { 404 } else { 200 }, String::new()),
            Err(error) => (status(error.kind()), error.public().to_owned()),
        };
        let (mut json, mut raw) = (Value::Null, None);
        if let Ok(outcome) = outcome {
            let text = match &outcome.raw {
                Some(raw) => String::from_utf8(raw.body.clone()).unwrap(),
                None => core_pipeline::json(id, &outcome).unwrap(),
            };
            json = serde_json::from_str(&text).unwrap_or_default();
            raw = outcome.raw.is_some().then_some(text);
        }
        Self { status, json, error, raw }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// It failed so, with this in its text.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.error.contains(text), "{:?} instead of {text:?}", self.error);
    }
}

fn status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::Denied => 403,
        ErrorKind::Invalid => 400,
        ErrorKind::NotFound => 404,
        ErrorKind::Precondition => 412,
        ErrorKind::RateLimited => 429,
        ErrorKind::Sealed | ErrorKind::Unavailable => 503,
        ErrorKind::TooLarge => 413,
        ErrorKind::Unsupported => 405,
        ErrorKind::Upstream => 502,
        ErrorKind::Corrupt | ErrorKind::Internal => 500,
    }
}
