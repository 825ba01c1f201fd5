//! Random operations on the store and on a plain map, side by side.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use store_api::{Batch, CommitError, Entry, Expect, Op, Revision, Store};
use store_embedded::Options;

use crate::{Dice, lasting, open, tiny};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agrees_with_a_map() {
    let middle = || Options { table_bytes: 20_000, ..lasting() };
    for (seed, options) in [(1, tiny()), (2, tiny()), (3, middle()), (4, middle()), (5, lasting())]
    {
        let dir = tempfile::tempdir().unwrap();
        compare(seed, dir.path(), options).await;
    }
}

async fn compare(seed: u64, dir: &Path, options: Options) {
    let mut dice = Dice(seed);
    let mut model = BTreeMap::new();
    let mut latest = Revision(0);
    let mut store = open(dir, options.clone());
    for step in 0..2000 {
        match dice.below(100) {
            0 => {
                if dice.below(2) == 0 {
                    store.close().await.unwrap();
                }
                drop(store);
                store = open(dir, options.clone());
                let all = store.list("", "", usize::MAX).await.unwrap();
                assert!(all.iter().eq(model.keys()), "seed {seed} step {step}: after reopening");
            }
            1..=30 => {
                let key = key(&mut dice);
                let found = store.get(&key).await.unwrap();
                assert_eq!(found.as_ref(), model.get(&key), "seed {seed} step {step}: {key}");
            }
            31..=50 => {
                check_list(&store, &model, &mut dice, &format!("seed {seed} step {step}")).await
            }
            _ => {
                let batch = batch(&mut dice, &model, latest);
                let allowed = holds(&batch, &model);
                match store.commit(batch.clone()).await {
                    Ok(revision) => {
                        assert!(allowed, "seed {seed} step {step}: {batch:?} was to conflict");
                        assert!(revision > latest || batch.is_empty());
                        apply(&mut model, batch, revision);
                        latest = revision;
                    }
                    Err(CommitError::Conflict) => {
                        assert!(!allowed, "seed {seed} step {step}: {batch:?}")
                    }
                    Err(CommitError::Failed(error)) => panic!("seed {seed} step {step}: {error:?}"),
                }
            }
        }
    }
}

async fn check_list(
    store: &Arc<dyn Store>,
    model: &BTreeMap<String, Entry>,
    dice: &mut Dice,
    place: &str,
) {
    let prefix = ["", "a", "a/", "b/", "c", "zz"][dice.below(6)];
    let after = if dice.below(2) == 0 { String::new() } else { key(dice) };
    let limit = [0, 1, 3, 10, usize::MAX][dice.below(5)];
    let expected: Vec<_> = model
        .keys()
        .filter(|key| key.starts_with(prefix) && **key > after)
        .take(limit)
        .cloned()
        .collect();
    let found = store.list(prefix, &after, limit).await.unwrap();
    assert_eq!(found, expected, "{place}: list {prefix:?} after {after:?} limit {limit}");
}

fn key(dice: &mut Dice) -> String {
    format!("{}{}", ["a/", "b/", "a", "cé/"][dice.below(4)], dice.below(40))
}

fn batch(dice: &mut Dice, model: &BTreeMap<String, Entry>, latest: Revision) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..dice.below(5) {
        let length = [0, 1, 30, 300, 3000][dice.below(5)];
        batch = match dice.below(3) {
            0 => batch.delete(key(dice)),
            _ => batch.put(key(dice), vec![dice.below(256) as u8; length]),
        };
    }
    for _ in 0..dice.below(3) {
        let key = key(dice);
        let expect = match (dice.below(10), model.get(&key)) {
            (0, _) => Expect::At(latest),
            (1, _) | (_, None) => Expect::Absent,
            (_, Some(entry)) => Expect::At(entry.revision),
        };
        batch = batch.expect(key, expect);
    }
    batch
}

fn holds(batch: &Batch, model: &BTreeMap<String, Entry>) -> bool {
    batch.expects.iter().all(|(key, expect)| match expect {
        Expect::Absent => !model.contains_key(key),
        Expect::At(revision) => model.get(key).is_some_and(|entry| entry.revision == *revision),
    })
}

fn apply(model: &mut BTreeMap<String, Entry>, batch: Batch, revision: Revision) {
    for (key, op) in batch.ops {
        match op {
            Op::Delete => model.remove(&key),
            Op::Put(value) => model.insert(key, Entry { value: Bytes::clone(&value), revision }),
        };
    }
}
