use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use base_types::{ErrorKind, Namespace, Result, Secret, Ttl};
use bytes::Bytes;
use core_engine_api::testing::Harness;
use core_engine_api::{
    Body, Call, Caller, Engine, Found, Meta, Mount, Response, Role, Routes, TokenType, Verb,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{PLANTED, block_on, text};

/// Request bodies, and the forgiving reading of their fields by an engine that answers what it
/// understood: that answer is understood the same, and no error or warning repeats a value.
pub fn body(data: &[u8]) {
    let text = text(data);
    let read = Body::json(Bytes::copy_from_slice(text.as_bytes()));
    compare_with_another_reader(&text, read.as_ref().ok());
    match read {
        Ok(body) => {
            if let Some(json) = body.to_json() {
                let again = Body::json(Bytes::from(json.get().to_owned())).unwrap();
                assert_eq!(again.to_json().unwrap().get(), json.get());
            }
            check(&text, body);
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge));
            assert!(!error.public().contains(PLANTED), "{}", error.public());
        }
    }
    let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    check(&text, Body::Query(text.lines().filter_map(pair).collect()));
}

fn compare_with_another_reader(text: &str, body: Option<&Body>) {
    if let Some(Body::Json(json)) = body {
        assert!(serde_json::from_slice::<&RawValue>(json).unwrap().get().starts_with('{'));
    }
    let is_object = serde_json::from_str::<serde_json::Value>(text).is_ok_and(|v| v.is_object());
    let within_limits =
        text.matches(['{', '[']).count() <= 64 && text.matches(',').count() < 10_000;
    assert!(body.is_some() || !(is_object && within_limits), "an object was refused: {text}");
}

fn check(text: &str, body: Body) {
    let message = match echo(body) {
        Ok(response) => {
            let canonical = response.data.unwrap();
            let body = Body::json(Bytes::from(canonical.get().to_owned())).unwrap();
            let again = echo(body).unwrap().data.unwrap();
            assert_eq!(again.get(), canonical.get(), "the canonical form is not stable");
            response.warnings.join("\n")
        }
        Err(error) => {
            assert!(error.is(ErrorKind::Invalid), "{error:?}");
            format!("{:?}", error)
        }
    };
    assert!(!message.contains(PLANTED) || names_planted(text), "{message}");
}

/// The planted text may be the name of a field, and names are repeated.
fn names_planted(text: &str) -> bool {
    let ends_name = |rest: &str| {
        let rest = rest.split_once('"').map_or("", |(_, rest)| rest);
        rest.trim_start().starts_with(':')
    };
    let is_name = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.contains(PLANTED));
    text.contains('\\')
        || text.lines().any(is_name)
        || text.match_indices(PLANTED).any(|(at, found)| ends_name(&text[at + found.len()..]))
}

/// Every type of field that requests have.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default)]
struct Fields {
    name: String,
    text: String,
    count: Option<u32>,
    offset: i64,
    flag: Option<bool>,
    list: Vec<String>,
    versions: Option<Vec<u64>>,
    map: BTreeMap<String, String>,
    ttl: Option<Ttl>,
    kind: Option<TokenKind>,
    raw: Option<Box<RawValue>>,
    #[serde(skip_serializing)]
    secret: Secret<String>,
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[serde(transparent)]
struct TokenKind(#[schemars(with = "String")] TokenType);

/// Answers what it was asked.
struct Echo;

impl Engine for Echo {
    const META: &'static Meta = &Meta {
        name: "echo",
        version: None,
        role: Role::Secrets,
        summary: "Answers the fields of the request.",
        built_in: false,
    };

    async fn open(_: Mount) -> Result<Self> {
        Ok(Self)
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::Write, "echo/{name}", |_: Arc<Self>, _: Call, fields: Fields| async move {
            Response::data(&fields)
        });
    }
}

fn echo(body: Body) -> Result<Response> {
    static HARNESS: OnceLock<Harness> = OnceLock::new();
    let harness = HARNESS.get_or_init(|| block_on(Harness::open::<Echo>()));
    let path = "echo/fuzz".to_owned();
    let Found::Route { route, params } = harness.backend.find(Verb::Write, &path) else {
        panic!("the route is there");
    };
    let call = Call {
        request_id: "request".into(),
        namespace: Namespace::root(),
        verb: Verb::Write,
        path,
        params,
        body,
        caller: Caller::default(),
        wrap_ttl: None,
    };
    block_on(harness.backend.call(route, call))
}
