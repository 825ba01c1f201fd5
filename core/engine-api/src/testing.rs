//! An engine over memory, driven by requests as they come in over HTTP and compared with answers
//! that were recorded from OpenBao.
//!
//! Nothing here checks tokens or policies: a request is whatever its sender says. `record.py`, beside
//! this crate's `Cargo.toml`, makes the recordings anew.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base_crypto::{Random, SeededRandom};
use base_types::{
    BoxFuture, Clock, Error, ErrorKind, ManualClock, Namespace, Result, Secret, Timestamp, TokenId,
    Ttl,
};
use bytes::Bytes;
use core_barrier::{Barrier, View};
use serde_json::{Value, json};
use store_mem::MemStore;

use crate::{
    Backend, Body, Call, Caller, Endpoint, Engine, Found, Isolated, Kind, LeaseGrant, LoginGrant,
    Mount, Outbound, Response, Services, Tuning, Verb,
};

pub use crate::plain_http::PlainHttp;

/// One mounted engine with its world.
pub struct Harness {
    pub backend: Arc<dyn Backend>,
    pub storage: View,
    pub clock: Arc<ManualClock>,
    /// Who sends the requests; change it to be somebody else.
    pub caller: Caller,
    kind: Kind,
    mount: Mount,
}

/// What came back for a request.
#[derive(Debug)]
pub struct Answer {
    /// What the HTTP edge makes of it.
    pub status: u16,
    pub data: Value,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    pub login: Option<LoginGrant>,
    pub refresh: Option<Ttl>,
    /// What was granted and has been made.
    pub lease: Option<LeaseGrant>,
}

/// The limits that OpenBao has where nothing is configured: 768 hours.
pub const TTL_MAX: Ttl = Ttl::from_seconds(2_764_800);

struct Limits;

impl Services for Limits {
    fn tuning(&self) -> Tuning {
        Tuning { default_ttl: TTL_MAX, max_ttl: TTL_MAX }
    }

    fn password<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<Secret<String>>> {
        Box::pin(async { Ok(Secret::new("generated".to_owned())) })
    }

    fn count_rotation(&self, _: bool) {}
}

impl Harness {
    /// Mounts an engine on an empty, unsealed barrier at 2026-01-01, called from 127.0.0.1.
    pub async fn open<E: Engine>() -> Self {
        Self::open_towards::<E>(Arc::new(Isolated)).await
    }

    /// The same for an engine that reaches other systems.
    pub async fn open_towards<E: Engine>(outbound: Arc<dyn Outbound>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_767_225_600)));
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(7));
        let barrier = Barrier::new(Arc::new(MemStore::new()), random.clone(), clock.clone());
        let root_key = Secret::new([7; 32]);
        barrier.initialize(&root_key).await.expect("an empty store takes a keyring");
        barrier.unseal(&root_key).await.expect("the same key opens it");
        let mount = Mount {
            namespace: Namespace::root(),
            path: "mount/".into(),
            accessor: "accessor".into(),
            options: BTreeMap::new(),
            storage: barrier.view("logical/mount/"),
            clock: clock.clone(),
            random,
            services: Arc::new(Limits),
            outbound,
        };
        let kind = Kind::of::<E>();
        let backend = kind.open(mount.clone()).await.expect("an engine opens on empty storage");
        let remote = Some(SocketAddr::from(([127, 0, 0, 1], 40000)));
        let token = Some(TokenId("caller".into()));
        let caller = Caller { remote, token, ..Caller::default() };
        Self { backend, storage: mount.storage.clone(), clock, caller, kind, mount }
    }

    /// Opens the engine again over what it stored, as after a restart.
    pub async fn reopen(&mut self) {
        let backend = self.kind.open(self.mount.clone()).await;
        self.backend = backend.expect("an engine opens on its own storage");
    }

    /// Sends a request; `path` may carry a query.
    pub async fn send(&self, verb: Verb, path: &str, body: Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send_text(verb, path, &text).await
    }

    pub async fn send_text(&self, verb: Verb, path: &str, body: &str) -> Answer {
        match self.handle(verb, path, body).await {
            Ok(response) => Answer::of(response),
            Err(error) => Answer::failed(&error),
        }
    }

    /// Sends a request that must work, and gives its data.
    pub async fn ok(&self, verb: Verb, path: &str, body: Value) -> Value {
        let answer = self.send(verb, path, body).await;
        assert!(answer.status < 300, "{verb:?} {path}: {answer:?}");
        answer.data
    }

    /// Whether the pipeline would call a write to `path` an update; `None` if the engine does not
    /// tell.
    pub async fn exists(&self, path: &str) -> Option<bool> {
        let (_, call) = self.call(Verb::Write, path, "").expect("a path that can be written");
        self.backend.exists(&call).await.expect("an existence check does not fail")
    }

    /// Who a login to `path` would be for the lockout.
    pub fn alias(&self, path: &str, body: &Value) -> Option<String> {
        let (route, call) = self.call(Verb::Write, path, &body.to_string()).ok()?;
        self.backend.alias(route, &call)
    }

    /// Every endpoint of the engine.
    pub fn endpoints(&self) -> &[Endpoint] {
        self.kind.endpoints()
    }

    async fn handle(&self, verb: Verb, path: &str, body: &str) -> Result<Response> {
        let (route, call) = self.call(verb, path, body)?;
        let mut response = self.backend.call(route, call).await?;
        if let Some(lease) = &mut response.lease
            && let Some(act) = lease.act.take()
        {
            let made = act(self.clock.now().plus(lease.ttl.or(TTL_MAX))).await;
            if made.is_err() {
                // As the pipeline does, which cannot know how far it got.
                let (kind, internal) = (lease.kind, lease.internal.clone());
                self.backend.revoke_lease(kind, internal).await?;
            }
            let made = made?;
            response.data = made.data.or(response.data);
            response.warnings.extend(made.warnings);
        }
        Ok(response)
    }

    /// Ends what was granted.
    pub async fn revoke(&self, lease: &LeaseGrant) -> Result<()> {
        self.backend.revoke_lease(lease.kind, lease.internal.clone()).await
    }

    fn call(&self, verb: Verb, path: &str, body: &str) -> Result<(usize, Call)> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.trim_end_matches('/').to_owned();
        let (route, params) = match self.backend.find(verb, &path) {
            Found::Nothing => return Err(Error::not_found("unsupported path")),
            Found::OtherVerb => return Err(Error::unsupported()),
            Found::Route { route, params } => (route, params),
        };
        let pair = |pair: &str| pair.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        let body = match query {
            "" => Body::json(Bytes::copy_from_slice(body.as_bytes()))?,
            _ => Body::Query(query.split('&').filter_map(pair).collect()),
        };
        let (request_id, namespace) = ("request".into(), Namespace::root());
        let caller = self.caller.clone();
        Ok((
            route,
            Call { request_id, namespace, verb, path, params, body, caller, wrap_ttl: None },
        ))
    }

    /// Plays a recording: the text of a JSON object whose `steps` are requests with the answers
    /// that the real server gave. Every difference fails the test, all of them at once.
    ///
    /// A step is `{verb, path, body?, status, answer?, save?}`; `save` keeps a part of the answer,
    /// named by its JSON pointer, under a name that is written `${name}` from there on.
    pub async fn replay(&self, recording: &str) -> usize {
        let recording: Value = serde_json::from_str(recording).expect("a recording is JSON");
        let steps = recording["steps"].as_array().expect("a recording has steps");
        let (mut saved, mut differences) = (BTreeMap::new(), Vec::new());
        for step in steps {
            let fill = |text: &str| {
                saved.iter().fold(text.to_owned(), |text, (name, value): (&String, &String)| {
                    text.replace(&format!("${{{name}}}"), value)
                })
            };
            let verb = verb_of(step["verb"].as_str().unwrap_or_default());
            let path = fill(step["path"].as_str().unwrap_or_default());
            let body = if step["body"].is_null() {
                String::new()
            } else {
                fill(&step["body"].to_string())
            };
            let answer = self.send_text(verb, &path, &body).await;
            let theirs: Value = serde_json::from_str(&fill(&step["answer"].to_string()))
                .expect("what is saved needs no escapes");
            if let Err(difference) = compare(&step["status"], &theirs, &answer) {
                differences.push(format!("{} {path} {body}\n    {difference}", step["verb"]));
            }
            for (name, pointer) in step["save"].as_object().into_iter().flatten() {
                let pointer = pointer.as_str().unwrap_or_default();
                let part = answer.data.pointer(pointer).and_then(Value::as_str);
                saved.insert(name.clone(), part.unwrap_or_default().to_owned());
            }
        }
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
        steps.len()
    }
}

impl Answer {
    fn of(response: Response) -> Self {
        let parse = |data: &serde_json::value::RawValue| {
            serde_json::from_str(data.get()).expect("an answer is JSON")
        };
        let data = response.data.as_deref().map_or(Value::Null, parse);
        let empty = data.is_null() && response.login.is_none();
        let status = match (response.absent, empty) {
            (true, _) => 404,
            (false, true) => 204,
            (false, false) => 200,
        };
        let Response { warnings, login, refresh, absent, lease, .. } = response;
        // Some answers have the fault for their data.
        let (data, errors) = match data["error"].as_str().filter(|_| absent) {
            Some(fault) => (Value::Null, vec![fault.to_owned()]),
            None => (data, Vec::new()),
        };
        Self { status, data, errors, warnings, login, refresh, lease }
    }

    fn failed(error: &Error) -> Self {
        let status = match error.kind() {
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
        };
        let text = error.public().to_owned();
        let errors = if text.is_empty() { Vec::new() } else { vec![text] };
        Self {
            status,
            data: Value::Null,
            errors,
            warnings: Vec::new(),
            login: None,
            refresh: None,
            lease: None,
        }
    }
}

fn verb_of(method: &str) -> Verb {
    match method {
        "DELETE" => Verb::Delete,
        "LIST" => Verb::List,
        "PATCH" => Verb::Patch,
        "GET" => Verb::Read,
        "SCAN" => Verb::Scan,
        "POST" => Verb::Write,
        _ => panic!("a recording has an unknown method {method:?}"),
    }
}

fn compare(status: &Value, theirs: &Value, answer: &Answer) -> std::result::Result<(), String> {
    let status = status.as_u64().unwrap_or_default() as u16;
    // OpenBao answers 500 to some faults of the caller, and 202 for "started".
    let same_status = match status {
        500 => (400..500).contains(&answer.status),
        202 => answer.status == 204,
        // Whether warnings alone make a body is up to the edge.
        200 if theirs["data"].is_null() && theirs["auth"].is_null() => answer.status == 204,
        _ => answer.status == status,
    };
    if !same_status {
        return Err(format!("status {} instead of {status} {theirs}: {answer:?}", answer.status));
    }
    let errors = theirs["errors"].as_array().map_or(&[][..], Vec::as_slice);
    for error in errors.iter().filter_map(Value::as_str) {
        same_error(error, answer)?;
    }
    let mut their_data = theirs["data"].clone();
    if theirs["data"]["error"].is_string() {
        // An error in the clothes of an answer.
        same_error(theirs["data"]["error"].as_str().unwrap_or_default(), answer)?;
        their_data = Value::Null;
    }
    if !alike(&their_data, &answer.data) {
        return Err(format!("data\n    {} instead of\n    {their_data}", answer.data));
    }
    let warnings: Vec<&str> =
        theirs["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // An answer without a body has no room for warnings there.
    if !theirs.is_null() && status != 202 && warnings != answer.warnings {
        return Err(format!("warnings {:?} instead of {warnings:?}", answer.warnings));
    }
    if let Some(seconds) = theirs["lease_duration"].as_u64().filter(|_| theirs["auth"].is_null())
        && answer.refresh.map_or(0, Ttl::seconds) != seconds
    {
        return Err(format!("refresh {:?} instead of {seconds}", answer.refresh));
    }
    match (&theirs["auth"], &answer.login) {
        (Value::Null, None) => Ok(()),
        (Value::Object(_), Some(grant)) => same_login(&theirs["auth"], grant),
        (auth, grant) => Err(format!("login {grant:?} instead of {auth}")),
    }
}

fn same_error(theirs: &str, answer: &Answer) -> std::result::Result<(), String> {
    let plain = |text: &str| {
        let text = text.strip_prefix("1 error occurred:\n\t* ").unwrap_or(text).trim_end();
        // What a value of the wrong kind is told differs; which field it is does not.
        let text = text.strip_prefix("Field validation failed: ").unwrap_or(text);
        let conversion = text.starts_with("error converting input for field");
        let end = if conversion { text.find("\":").map(|at| at + 1) } else { text.find(": %!w") };
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let theirs = plain(theirs);
    // For a missing parent object they only say that the path is unsupported.
    if theirs == "unsupported path" || answer.errors.iter().any(|ours| plain(ours) == theirs) {
        return Ok(());
    }
    Err(format!("error {:?} instead of {theirs:?}", answer.errors))
}

/// Equal, where times, and identifiers that look like a UUID, stand for one another.
fn alike(theirs: &Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (Value::String(a), Value::String(b)) => a == b || (volatile(a) && volatile(b)),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

fn volatile(text: &str) -> bool {
    let is_uuid = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    let is_time = text.parse::<Timestamp>().is_ok();
    is_uuid || is_time
}

fn same_login(auth: &Value, grant: &LoginGrant) -> std::result::Result<(), String> {
    let mut policies: Vec<&str> = grant.policies.iter().map(String::as_str).collect();
    if !grant.no_default_policy {
        policies.push("default");
    }
    policies.sort_unstable();
    policies.dedup();
    let ttl = grant.period.or(grant.ttl).or(TTL_MAX).limited_to(grant.max_ttl).limited_to(TTL_MAX);
    let batch = grant.token_type == crate::TokenType::Batch;
    let ours = json!({
        "lease_duration": ttl,
        "metadata": grant.metadata,
        "num_uses": grant.num_uses,
        "policies": policies,
        "renewable": grant.renewable && !batch,
        "token_type": if batch { "batch" } else { "service" },
    });
    let theirs: Value = ours
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| (name.clone(), auth[name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    if ours == theirs { Ok(()) } else { Err(format!("login {ours} instead of {theirs}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, theirs: Value, same: bool) {
        let login = LoginGrant {
            policies: vec!["a".into()],
            metadata: BTreeMap::from([("k".into(), "v".into())]),
            renewable: true,
            ..LoginGrant::default()
        };
        let answer = Answer {
            status: 200,
            data: json!({"at": "2026-01-01T00:00:00Z", "n": 1, "list": ["x"]}),
            errors: Vec::new(),
            warnings: vec!["w".into()],
            login: Some(login),
            refresh: None,
            lease: None,
        };
        let outcome = compare(&json!(status), &theirs, &answer);
        assert_eq!(outcome.is_ok(), same, "{theirs} {outcome:?}");
    }

    #[test]
    fn a_comparison_sees_every_difference_but_those_of_time() {
        let recorded = json!({
            "data": {"at": "2020-02-02T00:00:00.5Z", "n": 1, "list": ["x"]},
            "warnings": ["w"],
            "auth": {
                "policies": ["a", "default"], "metadata": {"k": "v"}, "num_uses": 0,
                "renewable": true, "token_type": "service", "lease_duration": 2_764_800,
            },
        });
        check(200, recorded.clone(), true);
        check(204, recorded.clone(), false);
        for (place, other) in [
            ("/data/at", json!("")),
            ("/data/n", json!(2)),
            ("/data/list", json!([])),
            ("/data", json!({})),
            ("/warnings", json!([])),
            ("/auth", Value::Null),
            ("/auth/policies", json!(["default"])),
            ("/auth/metadata", json!({})),
            ("/auth/num_uses", json!(1)),
            ("/auth/renewable", json!(false)),
            ("/auth/token_type", json!("batch")),
            ("/auth/lease_duration", json!(1)),
        ] {
            let mut changed = recorded.clone();
            *changed.pointer_mut(place).expect("a place in the recording") = other;
            check(200, changed, false);
        }
        let mut failed = recorded;
        failed["errors"] = json!(["no"]);
        check(200, failed, false);
    }
}
