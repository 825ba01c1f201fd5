//! The suite that every store must pass. It panics with the reason at the first thing that a store
//! does wrong, so that it is called from tests.

// A conformance suite is test code that lives in a library so that every store can run it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;

use crate::{Batch, CommitError, Entry, Expect, Op, Revision, Store};

/// Everything a store promises while it is open, on keys below `space`. The store may hold other
/// keys, so the suite can run again with another `space`. Needs a tokio runtime, best one with
/// several threads.
pub async fn run(store: &Arc<dyn Store>, space: &str) {
    let at = |name: &str| Space { store: Arc::clone(store), prefix: format!("{space}{name}/") };
    reads_what_was_written(at("read")).await;
    lists_in_byte_order(at("list")).await;
    lists_many(at("many")).await;
    keeps_unicode_apart(at("unicode")).await;
    applies_batches_whole(at("batch")).await;
    applies_ops_in_order(at("order")).await;
    honours_expectations(at("expect")).await;
    checks_without_writing(at("check")).await;
    grows_revisions(at("revision")).await;
    keeps_large_values(at("large")).await;
    loses_no_update(at("increment")).await;
    lets_one_creator_win(at("create")).await;
}

/// What was committed is there after closing and opening again, with its revisions, and new
/// revisions go on from the old ones. `open` opens the same store each time. Ends closed.
pub async fn survives_reopening(open: impl AsyncFn() -> Arc<dyn Store>) {
    let store = open().await;
    let space = Space { store: Arc::clone(&store), prefix: "reopen/".into() };
    let mut expected = Vec::new();
    for round in 0..50 {
        let key = space.key(&format!("{round:02}"));
        let revision = space.commit(Batch::new().put(&*key, format!("value {round}"))).await;
        expected.push((key, Entry { value: format!("value {round}").into(), revision }));
    }
    space.commit(Batch::new().delete(&*expected[7].0)).await;
    let last = space.commit(Batch::new().delete(&*expected[0].0)).await;
    expected.remove(7);
    expected.remove(0);
    refuses_after_close(&store).await;
    drop((space, store));

    let store = open().await;
    let space = Space { store: Arc::clone(&store), prefix: "reopen/".into() };
    let keys: Vec<_> = expected.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(space.list("", usize::MAX).await, keys, "the keys after reopening");
    for (key, entry) in expected {
        assert_eq!(store.get(&key).await.unwrap(), Some(entry), "{key} after reopening");
    }
    let next = space.commit(Batch::new().put(space.key("new"), "x")).await;
    assert!(next > last, "revision {next:?} after reopening must exceed {last:?} from before");
    store.close().await.unwrap();
}

/// Closing succeeds, also twice, and nothing works afterwards.
pub async fn refuses_after_close(store: &Arc<dyn Store>) {
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(store.get("a").await.is_err(), "get after close");
    assert!(store.list("", "", 1).await.is_err(), "list after close");
    let committed = store.commit(Batch::new().put("a", "1")).await;
    assert!(matches!(committed, Err(CommitError::Failed(_))), "commit after close: {committed:?}");
}

/// A store seen through one prefix, so that the checks do not meet.
#[derive(Clone)]
struct Space {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Space {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn value(&self, name: &str) -> Option<Bytes> {
        self.store.get(&self.key(name)).await.unwrap().map(|entry| entry.value)
    }

    async fn revision(&self, name: &str) -> Revision {
        self.store.get(&self.key(name)).await.unwrap().expect("the key is there").revision
    }

    async fn list(&self, after: &str, limit: usize) -> Vec<String> {
        self.store.list(&self.prefix, after, limit).await.unwrap()
    }

    async fn commit(&self, batch: Batch) -> Revision {
        self.store.commit(batch).await.unwrap()
    }

    async fn conflicts(&self, batch: Batch) {
        let outcome = self.store.commit(batch.clone()).await;
        assert!(matches!(outcome, Err(CommitError::Conflict)), "{batch:?} gave {outcome:?}");
    }
}

async fn reads_what_was_written(space: Space) {
    assert_eq!(space.value("a").await, None);
    space.commit(Batch::new().put(space.key("a"), "1")).await;
    assert_eq!(space.value("a").await, Some("1".into()));
    assert_eq!(space.value("").await, None, "a prefix of a key is another key");
    space.commit(Batch::new().put(space.key("a"), "")).await;
    assert_eq!(space.value("a").await, Some("".into()), "an empty value is a value");
    space.commit(Batch::new().delete(space.key("a")).delete(space.key("never"))).await;
    assert_eq!(space.value("a").await, None);
    space.commit(Batch::new().delete(space.key("a"))).await;
    space.commit(Batch::new().put(space.key("a"), "2")).await;
    assert_eq!(space.value("a").await, Some("2".into()), "a deleted key can be written again");
}

async fn lists_in_byte_order(space: Space) {
    let names = ["a", "a/b", "a/b/c", "a0", "b", "b/", "c~", "cé"];
    let mut batch = Batch::new();
    for name in names.iter().rev() {
        batch = batch.put(space.key(name), "x");
    }
    space.commit(batch).await;
    let keys: Vec<_> = names.iter().map(|name| space.key(name)).collect();
    assert_eq!(space.list("", usize::MAX).await, keys);
    assert_eq!(space.list("", keys.len()).await, keys);
    assert_eq!(space.list("", 3).await, keys[..3]);
    assert!(space.list("", 0).await.is_empty());
    assert_eq!(space.list(&keys[2], 2).await, keys[3..5], "after a key that is there");
    assert_eq!(space.list(&space.key("a/b!"), 1).await, keys[2..3], "after one that is not");
    assert_eq!(space.list(&space.prefix, usize::MAX).await, keys, "after the prefix itself");
    assert!(space.list(&keys[7], usize::MAX).await.is_empty());
    assert!(space.list("\u{10ffff}", usize::MAX).await.is_empty(), "after everything");
    let folder = space.store.list(&space.key("a/"), "", usize::MAX).await.unwrap();
    assert_eq!(folder, keys[1..3], "a longer prefix");

    space.commit(Batch::new().delete(&*keys[0]).delete(&*keys[3])).await;
    assert_eq!(space.list("", 3).await, [&*keys[1], &*keys[2], &*keys[4]], "without the deleted");
    assert_eq!(space.list(&keys[0], 1).await, keys[1..2], "after a deleted key");
}

async fn lists_many(space: Space) {
    let keys: Vec<_> = (0..2000).map(|i| space.key(&format!("{i:05}"))).collect();
    for chunk in keys.chunks(250) {
        let put = |batch: Batch, key: &String| batch.put(&**key, vec![7; 100]);
        space.commit(chunk.iter().fold(Batch::new(), put)).await;
    }
    assert_eq!(space.list("", usize::MAX).await, keys);
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let page = space.list(&after, 77).await;
        let Some(last) = page.last() else { break };
        after = last.clone();
        pages.extend(page);
    }
    assert_eq!(pages, keys, "page by page");
    for chunk in keys.chunks(500) {
        let odd = chunk.iter().skip(1).step_by(2);
        space.commit(odd.fold(Batch::new(), |batch, key| batch.delete(&**key))).await;
    }
    let even: Vec<_> = keys.iter().step_by(2).cloned().collect();
    assert_eq!(space.list("", usize::MAX).await, even, "every second one deleted");
    assert_eq!(space.list(&keys[999], 2).await, even[500..502]);
}

async fn keeps_unicode_apart(space: Space) {
    // The two spellings of é, and a pair whose order differs between UTF-8 and UTF-16.
    let names = ["e\u{301}", "z", "\u{e9}", "шифр", "密钥", "\u{ff5e}", "🔑"];
    let put = |batch: Batch, name: &&str| batch.put(space.key(name), (*name).to_owned());
    space.commit(names.iter().fold(Batch::new(), put)).await;
    for name in names {
        assert_eq!(space.value(name).await, Some(name.into()));
    }
    let keys: Vec<_> = names.iter().map(|name| space.key(name)).collect();
    assert_eq!(space.list("", usize::MAX).await, keys);
    assert_eq!(space.list(&space.key("密"), 1).await, keys[4..5]);
}

async fn applies_batches_whole(space: Space) {
    let both = |text: &'static str| {
        Batch::new().put(space.key("a"), text).put(space.key("b"), text).put(space.key("c"), text)
    };
    space.commit(both("1")).await;
    let revision = space.revision("a").await;
    assert_eq!(space.revision("c").await, revision, "one commit, one revision");
    let stale = Revision(revision.0 - 1);
    space.conflicts(both("2").expect(space.key("c"), Expect::At(stale))).await;
    space.conflicts(both("2").delete(space.key("a")).expect(space.key("b"), Expect::Absent)).await;
    for name in ["a", "b", "c"] {
        assert_eq!(space.value(name).await, Some("1".into()), "a conflict leaves nothing behind");
        assert_eq!(space.revision(name).await, revision);
    }
}

async fn applies_ops_in_order(space: Space) {
    let (key, other) = (space.key("a"), space.key("b"));
    let batch = Batch::new().put(&*key, "1").delete(&*key).put(&*key, "2");
    space.commit(batch.put(&*other, "1").delete(&*other)).await;
    assert_eq!(space.value("a").await, Some("2".into()));
    assert_eq!(space.value("b").await, None);
}

async fn honours_expectations(space: Space) {
    let key = space.key("a");
    let put = |text: &'static str, expect| Batch::new().put(&*key, text).expect(&*key, expect);
    let first = space.commit(put("1", Expect::Absent)).await;
    space.conflicts(put("2", Expect::Absent)).await;
    let second = space.commit(put("2", Expect::At(first))).await;
    space.conflicts(put("3", Expect::At(first))).await;
    space.commit(Batch::new().delete(&*key).expect(&*key, Expect::At(second))).await;
    space.conflicts(put("3", Expect::At(second))).await;
    let third = space.commit(put("3", Expect::Absent)).await;
    assert!(third > second, "a key that comes back has a revision it never had");

    // One condition that holds does not make up for one that does not.
    let mixed = put("4", Expect::At(third)).expect(space.key("other"), Expect::At(third));
    space.conflicts(mixed).await;
    space.commit(put("4", Expect::At(third)).expect(space.key("other"), Expect::Absent)).await;
    assert_eq!(space.value("a").await, Some("4".into()));
}

async fn checks_without_writing(space: Space) {
    let key = space.key("a");
    let written = space.commit(Batch::new().put(&*key, "1")).await;
    let checked = space.commit(Batch::new().expect(&*key, Expect::At(written))).await;
    assert!(checked >= written, "a check answers with the state it saw");
    space.conflicts(Batch::new().expect(&*key, Expect::Absent)).await;
    assert_eq!(space.revision("a").await, written, "a check changes nothing");
}

async fn grows_revisions(space: Space) {
    let mut last = Revision(0);
    for round in 0..20 {
        let name = format!("{}", round % 3);
        let revision = space.commit(Batch::new().put(space.key(&name), "x")).await;
        assert!(revision > last, "{revision:?} after {last:?}");
        assert_eq!(space.revision(&name).await, revision, "commit and get agree");
        last = revision;
    }
    let deleted = space.commit(Batch::new().delete(space.key("0"))).await;
    assert!(deleted > last, "a delete is a commit");

    let writers = (0..8).map(|writer| {
        let space = space.clone();
        tokio::spawn(async move {
            let mut revisions = Vec::new();
            for round in 0..25 {
                let key = space.key(&format!("{writer}/{round}"));
                revisions.push(space.commit(Batch::new().put(key, "x")).await);
            }
            revisions
        })
    });
    let mut all = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        let revisions = writer.await.unwrap();
        assert!(revisions.is_sorted(), "one writer sees revisions grow: {revisions:?}");
        all.extend(revisions);
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 8 * 25, "no two commits share a revision");
}

async fn keeps_large_values(space: Space) {
    let value = |seed: u8| -> Bytes {
        (0..1 << 20).map(|i: u32| (i % 251) as u8 ^ seed).collect::<Vec<_>>().into()
    };
    let put = |batch: Batch, name: u8| batch.put(space.key(&name.to_string()), value(name));
    space.commit((0..4).fold(Batch::new(), put)).await;
    space.commit(put(Batch::new(), 9)).await;
    for name in [0, 1, 2, 3, 9] {
        assert!(space.value(&name.to_string()).await == Some(value(name)), "1 MiB at {name}");
    }
    let long = space.key(&"long/".repeat(800));
    space.commit(Batch::new().put(&*long, "x")).await;
    assert!(space.store.get(&long).await.unwrap().is_some(), "a key of 4000 bytes");
}

async fn loses_no_update(space: Space) {
    let tasks = (0..16).map(|_| {
        let space = space.clone();
        tokio::spawn(async move {
            for _ in 0..20 {
                increment(&space).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    for name in ["counter", "shadow"] {
        assert_eq!(space.value(name).await, Some("320".into()), "{name} after 16 x 20 increments");
    }
}

/// Adds one to two keys that must always be equal, retrying until nobody came in between.
async fn increment(space: &Space) {
    loop {
        let counter = space.store.get(&space.key("counter")).await.unwrap();
        let (count, expect) = match counter {
            None => (0, Expect::Absent),
            Some(entry) => {
                let text = std::str::from_utf8(&entry.value).unwrap();
                (text.parse::<u64>().unwrap(), Expect::At(entry.revision))
            }
        };
        let next = (count + 1).to_string();
        let batch = Batch::new()
            .expect(space.key("counter"), expect)
            .put(space.key("counter"), next.clone())
            .put(space.key("shadow"), next);
        match space.store.commit(batch).await {
            Ok(_) => return,
            Err(CommitError::Conflict) => tokio::task::yield_now().await,
            Err(CommitError::Failed(error)) => panic!("{error:?}"),
        }
    }
}

async fn lets_one_creator_win(space: Space) {
    for round in 0..10 {
        let key = space.key(&round.to_string());
        let creators = (0..8).map(|creator: u8| {
            let (store, key) = (Arc::clone(&space.store), key.clone());
            let own = space.key(&format!("{round}/{creator}"));
            let batch = Batch::new().put(&*key, vec![creator]).put(own, "x");
            let batch = batch.expect(key, Expect::Absent);
            tokio::spawn(async move { store.commit(batch).await.is_ok().then_some(creator) })
        });
        let mut winners = Vec::new();
        for creator in creators.collect::<Vec<_>>() {
            winners.extend(creator.await.unwrap());
        }
        assert_eq!(winners.len(), 1, "exactly one creates the key");
        let expected = Op::Put(winners.clone().into());
        assert_eq!(space.value(&round.to_string()).await.map(Op::Put), Some(expected));
        let traces = space.store.list(&format!("{key}/"), "", 9).await.unwrap();
        assert_eq!(traces, [space.key(&format!("{round}/{}", winners[0]))], "losers left nothing");
    }
}
