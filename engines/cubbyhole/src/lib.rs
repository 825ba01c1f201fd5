//! A store of its own for every token, which nobody else can see and which dies with it.
//!
//! `{token}/{path}` in the mount's storage holds a value, where `token` is the name under which the
//! token is stored. The token's folder is all there is to purge.

use std::sync::Arc;

use base_types::{Error, Result};
use core_barrier::{Record, View};
use core_engine_api::{
    Arbitrary, Body, Call, Caller, Engine, Meta, Mount, Response, Role, Routes, TokenId, Verb,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub struct Cubbyhole {
    storage: View,
}

/// A stored value: the object as it was sent.
#[derive(Debug, Deserialize, Serialize)]
struct Secret {
    data: Box<RawValue>,
}

impl Record for Secret {
    const KIND: &'static str = "cubbyhole secret";
}

#[derive(Deserialize, schemars::JsonSchema)]
struct Place {
    /// Where in the token's own store.
    path: String,
}

/// Keys deleted in one commit.
const PAGE: usize = 256;

/// The folder of a token in a cubbyhole's storage.
pub fn folder(token: &TokenId) -> String {
    format!("{token}/")
}

/// Removes all that `token` keeps in the cubbyhole whose storage this is. To be called when the
/// token dies; whoever is interrupted calls it again.
pub async fn purge(storage: &View, token: &TokenId) -> Result<()> {
    while storage.delete_prefix_page(&folder(token), PAGE).await? {}
    Ok(())
}

impl Engine for Cubbyhole {
    const META: &'static Meta = &Meta {
        name: "cubbyhole",
        version: None,
        role: Role::Secrets,
        summary: "per-token private secret storage",
        built_in: true,
    };

    async fn open(mount: Mount) -> Result<Self> {
        Ok(Self { storage: mount.storage })
    }

    fn routes(table: &mut Routes<Self>) {
        table.on(Verb::Read, "{path..}", Self::read).summary("Read a secret of this token.").pure();
        table.on(Verb::Write, "{path..}", Self::write).summary("Store a secret for this token.");
        table.on(Verb::Delete, "{path..}", Self::delete).summary("Delete a secret of this token.");
        table.on(Verb::List, "{path..}", Self::list).summary("List the names in a folder.").pure();
    }
}

impl Cubbyhole {
    async fn read(self: Arc<Self>, call: Call, place: Place) -> Result<Response> {
        let key = key(&call.caller, &place.path)?;
        match self.storage.get::<Secret>(&key).await? {
            Some(secret) => Ok(Response { data: Some(secret.data), ..Response::default() }),
            None => Err(Error::not_found("")),
        }
    }

    async fn write(self: Arc<Self>, call: Call, _: Arbitrary) -> Result<Response> {
        let key = key(&call.caller, &call.path)?;
        let data = match &call.body {
            Body::Json(_) => call.body.to_json(),
            Body::Empty | Body::Query(_) => None,
        };
        let Some(data) = data.filter(|data| !is_empty_object(data)) else {
            return Err(Error::invalid("missing data fields"));
        };
        self.storage.put(&key, &Secret { data }).await?;
        Ok(Response::none())
    }

    async fn delete(self: Arc<Self>, call: Call, place: Place) -> Result<Response> {
        self.storage.delete(&key(&call.caller, &place.path)?).await?;
        Ok(Response::none())
    }

    async fn list(self: Arc<Self>, call: Call, place: Place) -> Result<Response> {
        let mut folder = folder(holder(&call.caller)?);
        if !place.path.is_empty() {
            folder.push_str(&place.path);
            folder.push('/');
        }
        Response::keys(self.storage.list(&folder, "", 0).await?)
    }
}

fn is_empty_object(data: &RawValue) -> bool {
    data.get().trim_start_matches('{').trim_start().starts_with('}')
}

fn key(caller: &Caller, path: &str) -> Result<String> {
    if path.is_empty() {
        return Err(Error::invalid("missing path"));
    }
    Ok(folder(holder(caller)?) + path)
}

/// A batch token has no store of its own: it is not stored itself, so nothing could ever purge it.
fn holder(caller: &Caller) -> Result<&TokenId> {
    let fault = "cubbyhole operations are only supported by 'service' type tokens";
    caller.token.as_ref().ok_or_else(|| Error::invalid(fault))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core_engine_api::testing::Harness;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn answers_as_openbao_does() {
        let harness = Harness::open::<Cubbyhole>().await;
        assert!(harness.replay(include_str!("../tests/fixtures/cubbyhole.json")).await >= 15);
    }

    #[tokio::test]
    async fn nobody_sees_what_is_kept_for_another() {
        let mut harness = Harness::open::<Cubbyhole>().await;
        harness.ok(Verb::Write, "a", json!({"mine": 1})).await;
        harness.ok(Verb::Write, "f/a", json!({"mine": 1})).await;
        let mine = harness.caller.token.replace(TokenId("caller2".into())).unwrap();
        for (verb, path) in [(Verb::Read, "a"), (Verb::List, ""), (Verb::List, "f")] {
            assert_eq!(harness.send(verb, path, Value::Null).await.status, 404);
        }
        harness.ok(Verb::Delete, "a", Value::Null).await;
        harness.ok(Verb::Write, "a", json!({"theirs": 1})).await;

        purge(&harness.storage, &mine).await.unwrap();
        assert_eq!(harness.storage.keys("", "", 0).await.unwrap(), ["caller2/a"]);
        assert_eq!(harness.ok(Verb::Read, "a", Value::Null).await, json!({"theirs": 1}));
    }

    #[tokio::test]
    async fn a_large_store_is_purged_whole() {
        let harness = Harness::open::<Cubbyhole>().await;
        for n in 0..(2 * PAGE + 1) {
            harness.ok(Verb::Write, &format!("a/{n}"), json!({"n": n})).await;
        }
        purge(&harness.storage, harness.caller.token.as_ref().unwrap()).await.unwrap();
        assert!(harness.storage.keys("", "", 0).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_caller_without_a_stored_token_has_no_store() {
        let mut harness = Harness::open::<Cubbyhole>().await;
        harness.caller.token = None;
        for verb in [Verb::Read, Verb::Write, Verb::Delete, Verb::List] {
            let answer = harness.send(verb, "a", json!({"x": 1})).await;
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let secret = Secret { data: RawValue::from_string("{\"a\": 1}".into()).unwrap() };
        assert_eq!(serde_json::to_string(&secret).unwrap(), "{\"data\":{\"a\": 1}}");
    }
}
