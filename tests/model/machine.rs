//! The server without its doors, over a store in memory.

use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_types::{ErrorKind, ManualClock, Namespace, RequestPath, Secret, Timestamp, Ttl};
use core_engine_api::{Body, Kind, Verb};
use core_lease::DueSearch;
use core_pipeline::{AuditSetup, Core, NewMount, Parts, Peer, Request, Settings};
use core_seal::{Seals, StaticKey};
use serde_json::Value;
use store_mem::MemStore;

pub(crate) struct Machine {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) root: String,
}

/// What an answer comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Denied,
    Invalid,
    /// Nothing there, or no longer.
    Missing,
    Done(Value),
}

pub(crate) const START: i64 = 1_767_225_600;

impl Machine {
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(START)));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let store = Arc::new(MemStore::new());
        let seal = StaticKey::new("static", "1", &Secret::new([9; 32]), random.clone()).unwrap();
        let parts = Parts {
            store: store.clone(),
            seals: Seals::new(store, random.clone(), vec![Arc::new(seal)]).unwrap(),
            audit: AuditSetup::default(),
            clock: clock.clone(),
            random,
            outbound: Arc::new(core_engine_api::Isolated),
            settings: Settings::default(),
        };
        let core = Core::new(parts, |core| {
            vec![
                core_system::kind(core),
                core_system::token::kind(core),
                Kind::of::<engine_cubbyhole::Cubbyhole>(),
                Kind::of::<engine_kv::Kv2>(),
            ]
        });
        let root = core.initialize(None).await.unwrap().root_token.expose().clone();
        let new = NewMount { path: "secret/".into(), kind: "kv-v2".into(), ..NewMount::default() };
        let namespace = core.namespaces.find(&Namespace::root()).unwrap();
        core.mount(&namespace, new).await.unwrap();
        Self { core, clock, root }
    }

    pub(crate) async fn send(&self, token: &str, verb: Verb, path: &str, body: &Value) -> Answer {
        let body = match body {
            Value::Null => Body::Empty,
            body => Body::json(body.to_string().into()).unwrap(),
        };
        let request = Request {
            id: "request".into(),
            verb,
            help: false,
            namespace: Namespace::root(),
            path: RequestPath::parse(path).unwrap(),
            body,
            token: Some(Secret::new(token.to_owned())),
            wrap_ttl: None,
            peer: Peer::default(),
            headers: Vec::new(),
        };
        let reply = self.core.handle(request).await;
        match reply.outcome {
            Ok(outcome) if outcome.absent => Answer::Missing,
            Ok(outcome) => {
                let text = core_pipeline::json(&reply.request_id, &outcome).unwrap();
                Answer::Done(serde_json::from_str(&text).unwrap())
            }
            Err(error) => match error.kind() {
                ErrorKind::Denied => Answer::Denied,
                ErrorKind::Invalid => Answer::Invalid,
                ErrorKind::NotFound => Answer::Missing,
                kind => panic!("{verb:?} {path}: {kind:?} {}", error.log()),
            },
        }
    }

    /// Lets time pass, and the server finish what that brings about.
    pub(crate) async fn advance(&self, seconds: u64) {
        self.clock.advance(Ttl::from_seconds(seconds));
        while !DueSearch::default().next(&self.core.leases, 1).await.unwrap().entries.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Forgets all that is only in memory.
    pub(crate) async fn reopen(&self) {
        self.core.seal().await;
        assert!(self.core.auto_unseal().await.unwrap());
    }
}
