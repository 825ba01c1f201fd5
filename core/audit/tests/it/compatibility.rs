//! Our lines against those that OpenBao 2.7.2 wrote for the same requests on three file devices:
//! one with the default options, one with `log_raw`, one with `elide_list_responses` and without
//! `hmac_accessor`. All data is throw-away.

use std::collections::BTreeMap;
use std::fmt;

use base_types::{Timestamp, Ttl};
use core_audit::{
    Auth, Broker, GrantingPolicy, Kind, Mount, NamespaceInfo, PolicyResults, Request, RequestEntry,
    Response, ResponseEntry, WrapInfo,
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::support::{broker, enable};

const RAW: &str = include_str!("../../fixtures/openbao-raw.jsonl");
const HASHED: &str = include_str!("../../fixtures/openbao-hashed.jsonl");
const ELIDED: &str = include_str!("../../fixtures/openbao-elided.jsonl");

#[tokio::test]
async fn entries_are_those_of_openbao() {
    check(HASHED, &[]).await;
}

#[tokio::test]
async fn raw_entries_are_those_of_openbao() {
    check(RAW, &[("log_raw", "true")]).await;
}

#[tokio::test]
async fn elided_entries_with_plain_accessors_are_those_of_openbao() {
    check(ELIDED, &[("elide_list_responses", "true"), ("hmac_accessor", "false")]).await;
}

async fn check(expected: &str, options: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let broker = broker();
    let options = [&[("file_path", file.to_str().unwrap())], options].concat();
    enable(&broker, "file/", Kind::File, &options).await.unwrap();
    broker.set_request_headers(BTreeMap::from([
        ("X-Plain".into(), false),
        ("x-hidden".into(), true),
    ]));
    assert_eq!(RAW.lines().count(), expected.lines().count());
    for (raw, expected) in RAW.lines().zip(expected.lines()) {
        let raw: Value = serde_json::from_str(raw).unwrap();
        record(&broker, &raw).await;
        let log = std::fs::read_to_string(&file).unwrap();
        let ours: Tree = serde_json::from_str(log.lines().next_back().unwrap()).unwrap();
        let theirs: Tree = serde_json::from_str(expected).unwrap();
        compare("", &broker, &ours, &theirs, &raw);
    }
}

/// Gives the broker what OpenBao must have had to write `raw`.
async fn record(broker: &Broker, raw: &Value) {
    let auth_parts = AuthParts::of(&raw["auth"]);
    let auth = auth_parts.auth();
    let request = &raw["request"];
    let (data, headers) = (data(request), headers(request));
    let plain = ["k".to_owned()];
    let entry = RequestEntry {
        auth,
        request: Request {
            id: text(request, "id"),
            client_id: text(request, "client_id"),
            operation: text(request, "operation"),
            mount: Mount {
                point: text(request, "mount_point"),
                kind: text(request, "mount_type"),
                accessor: text(request, "mount_accessor"),
                running_version: text(request, "mount_running_version"),
                class: text(request, "mount_class"),
                plain_request_keys: if text(request, "mount_point") == "q/" { &plain } else { &[] },
                ..Mount::default()
            },
            client_token: text(request, "client_token"),
            client_token_accessor: text(request, "client_token_accessor"),
            namespace: NamespaceInfo {
                id: text(&request["namespace"], "id"),
                path: text(&request["namespace"], "path"),
            },
            path: text(request, "path"),
            data: data.as_deref(),
            remote_address: text(request, "remote_address"),
            remote_port: u16::try_from(number(request, "remote_port")).unwrap(),
            wrap_ttl: Ttl::from_seconds(number(request, "wrap_ttl")),
            headers: &headers,
            ..Request::default()
        },
        error: if raw["type"] == "request" { text(raw, "error") } else { "" },
    };
    let receipt = broker.begin(&entry).await.unwrap();
    if raw["type"] == "response" {
        let response = &raw["response"];
        let made = AuthParts::of(&response["auth"]);
        let made = made.auth();
        let data = self::data(response);
        let warnings = texts(response, "warnings");
        let response = Response {
            auth: response.get("auth").map(|_| &made),
            lease_id: response.get("secret").map(|secret| text(secret, "lease_id")),
            data: data.as_deref(),
            warnings: &warnings,
            wrap_info: response.get("wrap_info").map(wrap_info),
            ..Response::default()
        };
        let error = text(raw, "error");
        let entry = ResponseEntry { request: &entry, auth: None, response, error };
        drop(broker.end(receipt, &entry).await.unwrap());
    }
}

/// The lists that an [`Auth`] borrows.
struct AuthParts<'a> {
    value: &'a Value,
    policies: Vec<&'a str>,
    token_policies: Vec<&'a str>,
    granting: Vec<GrantingPolicy<'a>>,
    metadata: Vec<(&'a str, &'a str)>,
}

impl<'a> AuthParts<'a> {
    fn of(value: &'a Value) -> Self {
        let granting = value["policy_results"]["granting_policies"].as_array();
        Self {
            value,
            policies: texts(value, "policies"),
            token_policies: texts(value, "token_policies"),
            granting: granting
                .into_iter()
                .flatten()
                .map(|policy| GrantingPolicy {
                    name: text(policy, "name"),
                    namespace_id: text(policy, "namespace_id"),
                    namespace_path: text(policy, "namespace_path"),
                    kind: text(policy, "type"),
                })
                .collect(),
            metadata: value["metadata"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect(),
        }
    }

    fn auth(&self) -> Auth<'_> {
        let value = self.value;
        Auth {
            client_token: text(value, "client_token"),
            accessor: text(value, "accessor"),
            display_name: text(value, "display_name"),
            policies: &self.policies,
            token_policies: &self.token_policies,
            policy_results: value.get("policy_results").map(|results| PolicyResults {
                allowed: results["allowed"].as_bool().unwrap(),
                granting_policies: &self.granting,
            }),
            metadata: &self.metadata,
            num_uses: number(value, "num_uses"),
            remaining_uses: number(value, "remaining_uses"),
            entity_id: text(value, "entity_id"),
            entity_created: value["entity_created"].as_bool().unwrap_or_default(),
            token_type: text(value, "token_type"),
            token_ttl: Ttl::from_seconds(number(value, "token_ttl")),
            token_issue_time: value.get("token_issue_time").map(time),
            ..Auth::default()
        }
    }
}

fn wrap_info(value: &Value) -> WrapInfo<'_> {
    WrapInfo {
        ttl: Ttl::from_seconds(number(value, "ttl")),
        token: text(value, "token"),
        accessor: text(value, "accessor"),
        creation_time: time(&value["creation_time"]),
        creation_path: text(value, "creation_path"),
        wrapped_accessor: text(value, "wrapped_accessor"),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    value[name].as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn data(value: &Value) -> Option<Box<RawValue>> {
    value.get("data").map(|data| to_raw_value(data).unwrap())
}

/// The pairs of `headers`, and one that is not on the allow-list.
fn headers(value: &Value) -> Vec<(&str, &str)> {
    let mut pairs = vec![("Authorization", "Bearer planted")];
    for (name, values) in value["headers"].as_object().into_iter().flatten() {
        pairs.extend(
            values.as_array().unwrap().iter().map(|v| (name.as_str(), v.as_str().unwrap())),
        );
    }
    pairs
}

/// The same members in the same order, the same values, and where they have a hash we have ours of
/// the same raw value.
fn compare(place: &str, broker: &Broker, ours: &Tree, theirs: &Tree, raw: &Value) {
    match (ours, theirs) {
        (Tree::Object(ours), Tree::Object(theirs)) => {
            let names = |members: &[(String, Tree)]| -> Vec<String> {
                let names = members.iter().map(|(name, _)| name.clone());
                names.filter(|name| !(place.is_empty() && name == "chain")).collect()
            };
            assert_eq!(names(ours), names(theirs), "{place} of {raw}");
            for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
                if !(place.is_empty() && name == "time") {
                    compare(&format!("{place}/{name}"), broker, ours, theirs, &raw[name]);
                }
            }
        }
        (Tree::Array(ours), Tree::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{place}");
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                compare(&format!("{place}/{index}"), broker, ours, theirs, &raw[index]);
            }
        }
        (Tree::Leaf(ours), Tree::Leaf(theirs)) => {
            let is_hash = |text: &str| text.starts_with("hmac-sha256:");
            match theirs.as_str() {
                // Even their raw log hides this header, and so does ours.
                Some(_) if place == "/request/headers/x-hidden/0" => {
                    assert!(ours.as_str().is_some_and(is_hash), "{place}: {ours}");
                }
                Some(hash) if is_hash(hash) => {
                    let expected = broker.hash("file/", raw.as_str().unwrap()).unwrap();
                    assert_eq!(ours, &Value::String(expected), "{place} of {raw}");
                }
                // They pass numbers through a float; we keep every digit.
                None if ours.is_number() => assert_eq!(ours.as_f64(), theirs.as_f64(), "{place}"),
                _ => assert_eq!(ours, theirs, "{place}"),
            }
        }
        _ => panic!("{place}: {ours:?} against {theirs:?}"),
    }
}

/// JSON that keeps the order of its members.
#[derive(Debug)]
enum Tree {
    Array(Vec<Self>),
    Leaf(Value),
    Object(Vec<(String, Self)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Tree::Array(elements))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf(text.into()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf(Value::Null))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
