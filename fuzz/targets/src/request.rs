use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use api_vault::{Api, HttpResponse, WithoutToken};
use base_crypto::SeededRandom;
use base_types::Secret;
use bytes::Bytes;
use core_engine_api::JsonLimits;
use core_pipeline::{AuditSetup, Core, Parts, Peer, Settings};
use core_seal::{Seal, Seals, StaticKey};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use store_mem::MemStore;

use crate::{block_on, clock, text};

/// A whole HTTP request, written as it is sent: `METHOD URI`, headers, an empty line, the body.
/// `@token` in a header stands for a token that may do anything below `secret/data/open/` and
/// nothing else. Whatever is asked, the server has no fault of its own, answers in its own form,
/// and does not give out the secret that this token may not read.
pub fn request(data: &[u8]) {
    let world = world();
    let text = text(data);
    let Some((method, uri, headers, body)) = parts(&text, &world.token) else { return };
    let (status, headers, body) = world.send(&method, &uri, &headers, body);
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
    assert!(!body.contains(CLOSED), "a secret was given to somebody who may not read it");
    assert_eq!(headers.get(CACHE_CONTROL).map(HeaderValue::as_bytes), Some(&b"no-store"[..]));
    if body.is_empty() {
        // A refusal says why, but for a patch of a secret that is not there, as with OpenBao.
        let is_refusal = status.is_client_error() && status != StatusCode::NOT_FOUND;
        assert!(!is_refusal || method == Method::HEAD, "{status} without a word");
    } else if headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json") {
        let answer: Value = serde_json::from_str(&body).expect("the answer is JSON");
        let is_failure = status.is_client_error() && answer.get("errors").is_some();
        assert!(!is_failure || answer["errors"].is_array(), "{body}");
    }
}

/// `None` for what the HTTP library refuses before any code of ours sees it.
fn parts<'a>(text: &'a str, token: &str) -> Option<(Method, Uri, HeaderMap, &'a str)> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().replace("@token", token);
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_bytes(value.as_bytes()).ok()?,
        );
    }
    Some((Method::from_bytes(method.as_bytes()).ok()?, uri.parse().ok()?, headers, body))
}

const CLOSED: &str = "the-value-that-is-not-open";

struct World {
    api: Api,
    token: String,
}

impl World {
    fn send(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &str,
    ) -> (StatusCode, HeaderMap, String) {
        let remote = Some(SocketAddr::from(([127, 0, 0, 1], 40_000)));
        let peer = Peer { remote, ..Peer::default() };
        let body = Bytes::copy_from_slice(body.as_bytes());
        block_on(async {
            let answer: HttpResponse = self.api.answer(method, uri, headers, body, peer).await;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
        })
    }

    /// A request of the one who sets the world up, which must succeed.
    fn ok(&self, path: &str, body: &Value) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-token", self.token.parse().unwrap());
        let uri = format!("/v1/{path}").parse().unwrap();
        let (status, _, answer) = self.send(&Method::POST, &uri, &headers, &body.to_string());
        assert!(status.is_success(), "{path}: {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let world = block_on(open());
        world.ok("sys/mounts/secret", &json!({ "type": "kv", "options": { "version": "2" } }));
        world.ok("secret/data/closed", &json!({ "data": { "value": CLOSED } }));
        world.ok("secret/data/open/a", &json!({ "data": { "value": "open" } }));
        let everything =
            r#"["create", "read", "update", "patch", "delete", "list", "scan", "sudo"]"#;
        let policy = format!("path \"secret/data/open/*\" {{ capabilities = {everything} }}");
        world.ok("sys/policies/acl/open", &json!({ "policy": policy }));
        let made = world.ok("auth/token/create", &json!({ "policies": ["open"], "ttl": "24h" }));
        let token = made["auth"]["client_token"].as_str().unwrap().to_owned();
        World { token, ..world }
    })
}

/// An unsealed server over memory, with its root token.
async fn open() -> World {
    let (store, random) = (Arc::new(MemStore::new()), Arc::new(SeededRandom::new(1)));
    let key = Secret::new([7; 32]);
    let seal = StaticKey::new("static", "1", &key, random.clone()).unwrap();
    let seals = Seals::new(store.clone(), random.clone(), vec![Arc::new(seal) as Arc<dyn Seal>]);
    let parts = Parts {
        store,
        seals: seals.unwrap(),
        audit: AuditSetup::default(),
        clock: clock(),
        random,
        outbound: Arc::new(core_engine_api::Isolated),
        settings: Settings::default(),
    };
    let core = Core::new(parts, server::kinds);
    let open = WithoutToken { generate_root: true, metrics: true, rekey: true };
    let token = core.initialize(None).await.unwrap().root_token.expose().clone();
    World { api: Api::new(core, open, JsonLimits::default()), token }
}
