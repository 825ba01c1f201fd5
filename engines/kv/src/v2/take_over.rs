use base_types::{Result, Timestamp};
use core_barrier::{Tx, View};

use super::config::Config;
use super::data::{Data, add_version};
use super::metadata::Metadata;
use super::metadata_key;
use crate::kv1::{FOLDER, Secret};

/// Values taken over in one commit.
const PAGE: usize = 64;

/// Makes each value of the unversioned engine, which this mount was until now, the first version
/// of a secret. What an interruption leaves behind is taken over when the mount is opened again.
pub(super) async fn from_kv1(storage: &View, now: Timestamp) -> Result<()> {
    loop {
        let paths = &storage.keys(FOLDER, "", PAGE).await?;
        if paths.is_empty() {
            return Ok(());
        }
        let work = |tx: Tx| async move {
            let config: Config = tx.get("config").await?.unwrap_or_default();
            for key in paths {
                let path = key.strip_prefix(FOLDER).unwrap_or(key);
                if let Some(secret) = tx.get::<Secret>(key).await? {
                    let metadata: Option<Metadata> = tx.get(&metadata_key(path)).await?;
                    let metadata = metadata.unwrap_or_else(|| Metadata::new(now));
                    add_version(&tx, path, &config, metadata, &Data(secret.data), now)?;
                }
                tx.delete(key);
            }
            Ok(())
        };
        storage.transact(work).await?;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core_engine_api::Verb;
    use core_engine_api::testing::Harness;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;
    use crate::Kv2;

    #[tokio::test]
    async fn every_value_becomes_a_first_version() {
        let mut harness = Harness::open::<Kv2>().await;
        harness.ok(Verb::Write, "data/there/before", json!({"data": {"n": 0}})).await;
        for n in 0..200 {
            let data = RawValue::from_string(format!("{{\"n\":{n}}}")).unwrap();
            let secret = Secret { data, ttl: None };
            harness.storage.put(&format!("secret/folder/{n}"), &secret).await.unwrap();
        }
        let data = RawValue::from_string("{\"n\":1}".into()).unwrap();
        harness.storage.put("secret/there/before", &Secret { data, ttl: None }).await.unwrap();
        harness.reopen().await;
        for n in [0, 63, 64, 199] {
            let answer = harness.send(Verb::Read, &format!("data/folder/{n}"), Value::Null).await;
            assert_eq!(answer.data["data"], json!({ "n": n }));
            assert_eq!(answer.data["metadata"]["version"], 1);
        }
        let answer = harness.send(Verb::Read, "data/there/before", Value::Null).await;
        assert_eq!(
            (&answer.data["data"], &answer.data["metadata"]["version"]),
            (&json!({"n": 1}), &json!(2))
        );
        assert!(harness.storage.keys(FOLDER, "", 0).await.unwrap().is_empty());
    }
}
