use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base_crypto::{SeededRandom, SigningKey};
use base_types::{ManualClock, Result, Secret, Timestamp};
use core_audit::{
    Audited, Auth, Broker, DeviceConfig, DeviceState, Head, Kind, Report, Request, RequestEntry,
    Response, ResponseEntry, Setup, verify,
};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::generate(&SeededRandom::new(1))
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_795_305_723)))
}

pub(crate) fn broker_with(patience: Duration) -> Arc<Broker> {
    broker_at(clock(), patience)
}

pub(crate) fn broker_at(clock: Arc<ManualClock>, patience: Duration) -> Arc<Broker> {
    Arc::new(Broker::new(Setup {
        clock,
        signing_key: signing_key(),
        poster: None,
        allow_prefix: true,
        patience,
    }))
}

pub(crate) fn broker() -> Arc<Broker> {
    broker_with(Duration::from_secs(60))
}

pub(crate) fn config(path: &str, kind: Kind, options: &[(&str, &str)]) -> DeviceConfig {
    DeviceConfig {
        path: path.into(),
        kind,
        description: String::new(),
        options: options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        local: false,
    }
}

pub(crate) const SALT: [u8; 32] = [7; 32];

pub(crate) async fn enable(
    broker: &Broker,
    path: &str,
    kind: Kind,
    options: &[(&str, &str)],
) -> Result<()> {
    broker.enable(config(path, kind, options), Secret::new(SALT)).await
}

pub(crate) async fn enable_file(broker: &Broker, file: &Path) {
    enable(broker, "file/", Kind::File, &[("file_path", file.to_str().unwrap())]).await.unwrap();
}

pub(crate) fn request<'a>(id: &'a str, data: Option<&'a RawValue>) -> RequestEntry<'a> {
    RequestEntry {
        auth: Auth { client_token: "s.token", token_type: "service", ..Auth::default() },
        request: Request {
            id,
            operation: "update",
            client_token: "s.token",
            path: "secret/data/a",
            data,
            ..Request::default()
        },
        error: "",
    }
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    serde_json::from_str(json).unwrap()
}

/// A request and its response, with `data` in both.
pub(crate) async fn pair(broker: &Broker, id: &str, data: &str) -> Result<Audited> {
    let data = raw(data);
    let request = request(id, Some(&data));
    let receipt = broker.begin(&request).await?;
    let response = Response { data: Some(&data), ..Response::default() };
    broker.end(receipt, &ResponseEntry { request: &request, auth: None, response, error: "" }).await
}

pub(crate) async fn pairs(broker: &Broker, count: usize) {
    for id in 0..count {
        drop(pair(broker, &id.to_string(), r#"{"a":"b"}"#).await.unwrap());
    }
}

pub(crate) fn verify_files(files: &[&Path], anchor: Option<Head>) -> Report {
    let open = |path: &&Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, BufReader::new(std::fs::File::open(path).unwrap()))
    };
    verify(files.iter().map(open), &[signing_key().public()], anchor).unwrap()
}

pub(crate) fn verify_bytes(bytes: &[u8], anchor: Option<Head>) -> Report {
    verify([("log".to_owned(), bytes)], &[signing_key().public()], anchor).unwrap()
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

pub(crate) fn device(broker: &Broker, path: &str) -> DeviceState {
    broker.devices().into_iter().find(|device| device.path == path).unwrap()
}

/// Lets everything else go on until `done`.
pub(crate) async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

/// The ids of the requests that a log tells of, with the number of their lines.
pub(crate) fn ids(bytes: &[u8]) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for line in lines(bytes) {
        if let Some(id) = line["request"]["id"].as_str() {
            *ids.entry(id.to_owned()).or_default() += 1;
        }
    }
    ids
}
