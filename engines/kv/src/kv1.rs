use std::cmp::Ordering;
use std::sync::Arc;

use base_types::{Error, Result, Ttl};
use core_barrier::{Record, View};
use core_engine_api::{
    Arbitrary, Body, Call, Engine, Meta, Mount, Response, Role, Routes, Services, Verb,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One value per path, without versions: any fields in, the same fields out.
///
/// `secret/{path}` in the mount's storage holds the value. A value at `a` and values below `a/`
/// know nothing of each other.
pub struct Kv1 {
    secrets: View,
    services: Arc<dyn Services>,
}

/// Where the values are in the mount's storage.
pub(crate) const FOLDER: &str = "secret/";

/// A stored value: the object as it was sent, and how long a reader may rely on it if it says so.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Secret {
    pub(crate) data: Box<RawValue>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<Ttl>,
}

impl Record for Secret {
    const KIND: &'static str = "secret";
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Place {
    /// Where the secret is.
    path: String,
}

impl Engine for Kv1 {
    const META: &'static Meta = &Meta {
        name: "kv",
        version: Some("1"),
        role: Role::Secrets,
        summary: "Stores arbitrary secrets, one value per path.",
        built_in: false,
    };

    async fn open(mount: Mount) -> Result<Self> {
        Ok(Self { secrets: mount.storage.sub(FOLDER), services: mount.services })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::Read, "{path..}", Self::read).summary("Read a secret.").pure();
        table.on(Verb::Write, "{path..}", Self::write).summary("Store a secret.");
        table.on(Verb::Delete, "{path..}", Self::delete).summary("Delete a secret.");
        table.on(Verb::List, "{path..}", Self::list).summary("List the names in a folder.").pure();
        table
            .on(Verb::Scan, "{path..}", Self::scan)
            .summary("List all names below a folder.")
            .pure();
        table.exists("{path..}", Self::exists);
    }
}

impl Kv1 {
    async fn read(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        let Some(secret) = self.secrets.get::<Secret>(&place.path).await? else {
            return Err(Error::not_found(""));
        };
        let refresh = Some(secret.ttl.unwrap_or_else(|| self.services.tuning().default_ttl));
        Ok(Response { data: Some(secret.data), refresh, ..Response::default() })
    }

    async fn write(self: Arc<Self>, call: Call, _: Arbitrary) -> Result<Response> {
        let data = match &call.body {
            Body::Json(_) => call.body.to_json(),
            Body::Empty | Body::Query(_) => None,
        };
        let Some(data) = data.filter(|data| !is_empty_object(data)) else {
            return Err(Error::invalid("missing data fields"));
        };
        if call.path.is_empty() {
            return Err(Error::invalid("missing path: a secret needs a name"));
        }
        let ttl = stated_ttl(&data);
        self.secrets.put(&call.path, &Secret { data, ttl }).await?;
        Ok(Response::none())
    }

    async fn delete(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        self.secrets.delete(&place.path).await?;
        Ok(Response::none())
    }

    async fn list(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        Response::keys(self.secrets.list(&folder(&place.path), "", 0).await?)
    }

    async fn scan(self: Arc<Self>, _: Call, place: Place) -> Result<Response> {
        let folder = folder(&place.path);
        let mut keys = self.secrets.keys(&folder, "", 0).await?;
        keys.iter_mut().for_each(|key| drop(key.drain(..folder.len())));
        keys.sort_by(|a, b| scan_order(a, b));
        Response::keys(keys)
    }

    async fn exists(self: Arc<Self>, place: Place) -> Result<bool> {
        Ok(self.secrets.get::<Secret>(&place.path).await?.is_some())
    }
}

/// The prefix of everything in the folder at `path`; the root is empty.
pub(crate) fn folder(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}/") }
}

/// The order in which Vault walks a tree: of each folder first what lies in it, by name, then the
/// folders below it, backwards.
fn scan_order(a: &str, b: &str) -> Ordering {
    let parts = a.split('/').zip(b.split('/'));
    let common = parts.take_while(|(a, b)| a == b).map(|(part, _)| part.len() + 1).sum();
    match (a.get(common..), b.get(common..)) {
        (Some(a), Some(b)) => match (a.contains('/'), b.contains('/')) {
            (false, false) => a.cmp(b),
            (true, true) => b.cmp(a),
            (a, b) => a.cmp(&b),
        },
        _ => a.cmp(b),
    }
}

fn is_empty_object(data: &RawValue) -> bool {
    data.get().trim_start_matches('{').trim_start().starts_with('}')
}

/// What the secret itself says about its life: `ttl`, else `lease`. Anything that is no duration
/// says nothing.
fn stated_ttl(data: &RawValue) -> Option<Ttl> {
    #[derive(Deserialize)]
    struct Stated<'a> {
        #[serde(borrow)]
        ttl: Option<&'a RawValue>,
        #[serde(borrow)]
        lease: Option<&'a RawValue>,
    }
    let stated: Stated<'_> = serde_json::from_str(data.get()).ok()?;
    let text = stated.ttl.or(stated.lease)?.get();
    // A fraction of a second has no meaning for a lease; Vault takes the default for it as well.
    let whole = text.starts_with('"') || text.bytes().all(|byte| byte.is_ascii_digit());
    if whole { serde_json::from_str(text).ok() } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core_engine_api::testing::{Harness, TTL_MAX};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn answers_as_openbao_does() {
        let harness = Harness::open::<Kv1>().await;
        assert!(harness.replay(include_str!("../tests/fixtures/kv1.json")).await >= 20);
    }

    #[tokio::test]
    async fn the_text_of_a_value_survives() {
        let harness = Harness::open::<Kv1>().await;
        let text = r#" {"big":12345678901234567890123,"f":1.10,"e":1e400,"path":"x","a":[1, {"b":null}]} "#;
        let answer = harness.send_text(Verb::Write, "a/b", text).await;
        assert_eq!((answer.status, answer.warnings.len()), (204, 0), "{answer:?}");
        let stored: Secret = harness.storage.get("secret/a/b").await.unwrap().unwrap();
        assert_eq!(stored.data.get(), text.trim());
    }

    #[tokio::test]
    async fn a_value_may_state_its_ttl() {
        let harness = Harness::open::<Kv1>().await;
        for (data, seconds) in [
            (json!({"ttl": "1h"}), 3600),
            (json!({"ttl": 60, "lease": "1h"}), 60),
            (json!({"lease": "30m"}), 1800),
            (json!({"ttl": "90"}), 90),
            (json!({"ttl": ""}), 0),
            (json!({"ttl": "zz"}), TTL_MAX.seconds()),
            (json!({"ttl": 1.5}), TTL_MAX.seconds()),
            (json!({"ttl": {"a": 1}}), TTL_MAX.seconds()),
            (json!({"x": 1}), TTL_MAX.seconds()),
        ] {
            harness.ok(Verb::Write, "a", data.clone()).await;
            let answer = harness.send(Verb::Read, "a", Value::Null).await;
            assert_eq!(answer.refresh, Some(Ttl::from_seconds(seconds)), "{data}");
        }
    }

    #[tokio::test]
    async fn the_same_value_is_created_once() {
        let harness = Harness::open::<Kv1>().await;
        assert_eq!(harness.exists("a").await, Some(false));
        harness.ok(Verb::Write, "a", json!({"x": 1})).await;
        assert_eq!(harness.exists("a").await, Some(true));
        assert_eq!(harness.exists("a/b").await, Some(false));
    }

    #[test]
    fn a_scan_shows_names_before_folders_and_folders_backwards() {
        let mut keys = ["a/x", "b", "c/y/z", "c/k", "c/y/a/q", "d", "e/f", "é/f", "c"];
        keys.sort_by(|a, b| scan_order(a, b));
        assert_eq!(keys, ["b", "c", "d", "é/f", "e/f", "c/k", "c/y/z", "c/y/a/q", "a/x"]);
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let data = RawValue::from_string("{\"ttl\": \"1m\"}".into()).unwrap();
        let secret = Secret { ttl: stated_ttl(&data), data };
        let golden = "{\"data\":{\"ttl\": \"1m\"},\"ttl\":60}";
        assert_eq!(serde_json::to_string(&secret).unwrap(), golden);
        let read: Secret = serde_json::from_str("{\"data\":{}}").unwrap();
        assert_eq!((read.data.get(), read.ttl), ("{}", None));
    }
}
