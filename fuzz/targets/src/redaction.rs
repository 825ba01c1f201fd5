use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base_crypto::SigningKey;
use base_types::{BoxFuture, Error, Secret, Timestamp};
use bytes::Bytes;
use core_audit::{
    Broker, DeviceConfig, HttpPoster, Kind, Request, RequestEntry, Response, ResponseEntry, Setup,
};
use core_engine_api::Body;
use http::StatusCode;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{PLANTED, block_on, clock, text};

/// The audit log of an arbitrary body, as request and as reply: the line is JSON with the same
/// shape, and every string in it but keys and times is the keyed hash of what was there.
pub fn redaction(data: &[u8]) {
    let text = text(data);
    let Ok(body) = Body::json(Bytes::copy_from_slice(text.as_bytes())) else { return };
    let Some(data) = body.to_json() else { return };
    let original = serde_json::from_str::<Value>(data.get()).ok();
    let planted_key = names_planted(data.get());
    for (line, member) in record(&data).iter().zip(["request", "response"]) {
        assert!(planted_key || !line.contains(PLANTED), "{line}");
        let logged: Box<RawValue> = serde_json::from_str(line).expect("a line is JSON");
        assert!(!logged.get().contains('\n'));
        if let (Some(original), Ok(logged)) = (&original, serde_json::from_str::<Value>(line)) {
            check(original, &logged[member]["data"]);
        }
    }
}

/// The planted text may be a key, which is written as it is.
fn names_planted(json: &str) -> bool {
    let is_key = |rest: &str| {
        rest.split_once('"').is_some_and(|(_, rest)| rest.trim_start().starts_with(':'))
    };
    json.match_indices(PLANTED).any(|(at, found)| is_key(&json[at + found.len()..]))
}

fn check(original: &Value, logged: &Value) {
    match (original, logged) {
        (Value::Array(original), Value::Array(logged)) => {
            assert_eq!(original.len(), logged.len());
            original.iter().zip(logged).for_each(|(original, logged)| check(original, logged));
        }
        (Value::Object(original), Value::Object(logged)) => {
            assert!(original.keys().eq(logged.keys()));
            original.values().zip(logged.values()).for_each(|(a, b)| check(a, b));
        }
        (Value::String(original), Value::String(logged)) => {
            let is_time = || original == logged && is_rfc3339(original);
            assert!(*logged == hash(original) || is_time(), "{original:?} is logged as {logged:?}");
        }
        _ => assert_eq!(original, logged),
    }
}

/// Nothing but a date, a time, a short fraction and a zone fits into this.
fn is_rfc3339(text: &str) -> bool {
    let plain = |char: char| char.is_ascii_digit() || "-+:.TZ".contains(char);
    text.len() <= "2026-01-31T12:00:00.123456789+00:00".len()
        && text.chars().all(plain)
        && (text.parse::<Timestamp>().is_ok()
            || text.starts_with(|char: char| char.is_ascii_digit()))
}

fn hash(value: &str) -> String {
    world().broker.hash(PATH, value).unwrap()
}

/// The two lines of a request with this body and of a reply with this data.
fn record(data: &RawValue) -> [String; 2] {
    let world = world();
    let request =
        Request { operation: "update", path: "secret/x", data: Some(data), ..Request::default() };
    let request = RequestEntry { request, ..RequestEntry::default() };
    let response = Response { data: Some(data), ..Response::default() };
    let response = ResponseEntry { request: &request, auth: None, response, error: "" };
    world.lines.take();
    block_on(async {
        let receipt = world.broker.begin(&request).await.unwrap();
        let _ = world.broker.end(receipt, &response).await.unwrap();
    });
    let lines = world.lines.take();
    let of_type = |kind: &str| {
        let mark = format!("\"type\":\"{kind}\"");
        lines.lines().find(|line| line.contains(&mark)).expect("the entry was written").to_owned()
    };
    ["request", "response"].map(of_type)
}

const PATH: &str = "http/";

struct World {
    broker: Broker,
    lines: Arc<Lines>,
}

/// A device that keeps its lines in memory.
#[derive(Default)]
struct Lines(Mutex<Vec<u8>>);

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).expect("lines are text")
    }
}

impl HttpPoster for Lines {
    fn post(&self, request: http::Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Error>> {
        self.0.lock().unwrap().extend_from_slice(request.body());
        Box::pin(std::future::ready(Ok(StatusCode::OK)))
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let lines = Arc::new(Lines::default());
        let broker = Broker::new(Setup {
            clock: clock(),
            signing_key: SigningKey::from_seed(&Secret::new([7; 32])),
            poster: Some(lines.clone()),
            allow_prefix: false,
            patience: Duration::from_secs(60),
        });
        let uri = ("uri".to_owned(), "https://audit.example/".to_owned());
        let config = DeviceConfig {
            path: PATH.to_owned(),
            kind: Kind::Http,
            description: String::new(),
            options: BTreeMap::from([uri]),
            local: false,
        };
        block_on(broker.enable(config, Secret::new([7; 32]))).unwrap();
        World { broker, lines }
    })
}
