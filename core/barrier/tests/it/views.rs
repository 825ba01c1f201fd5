use std::sync::atomic::Ordering;

use store_api::Batch;

use super::*;
use crate::probe::Probe;

#[tokio::test]
async fn a_view_is_a_prefix_and_no_more() {
    let (store, barrier) = new_barrier().await;
    let kv = barrier.view("kv/");
    let team = kv.sub("team/");
    assert_eq!((kv.prefix(), team.prefix()), ("kv/", "kv/team/"));
    team.put("a", &note("x")).await.unwrap();
    assert_eq!(kv.get::<Note>("team/a").await.unwrap(), Some(note("x")));
    assert_eq!(team.get::<Note>("b").await.unwrap(), None);
    assert_eq!(barrier.view("k").get::<Note>("v/team/a").await.unwrap(), Some(note("x")));
    assert_eq!(store.list("kv/", "", 9).await.unwrap(), ["kv/team/a"]);
    kv.delete("team/a").await.unwrap();
    kv.delete("team/a").await.unwrap();
    assert_eq!(team.get::<Note>("a").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_stored_is_not_readable() {
    let (store, barrier) = new_barrier().await;
    barrier.view("").put("a", &note("hunter2")).await.unwrap();
    let value = store.get("a").await.unwrap().unwrap().value;
    assert!(!value.windows(7).any(|window| window == b"hunter2"));
    barrier.view("").put("b", &note("hunter2")).await.unwrap();
    let other = store.get("b").await.unwrap().unwrap().value;
    assert_ne!(value[5..17], other[5..17], "a nonce was used twice");
    assert_ne!(value[17..], other[17..]);
}

#[tokio::test]
async fn lists_show_children_and_keys_show_all() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    for key in ["a", "b/1", "b/2/x", "b-c", "b", "c/d"] {
        view.put(key, &note(key)).await.unwrap();
    }
    barrier.view("").put("kw/elsewhere", &note("x")).await.unwrap();
    assert_eq!(view.list("", "", 0).await.unwrap(), ["a", "b", "b-c", "b/", "c/"]);
    assert_eq!(view.list("", "b", 2).await.unwrap(), ["b-c", "b/"]);
    assert_eq!(view.list("", "b/", 0).await.unwrap(), ["c/"]);
    assert_eq!(view.list("b/", "", 0).await.unwrap(), ["1", "2/"]);
    assert_eq!(view.list("b/", "1", 0).await.unwrap(), ["2/"]);
    assert!(view.list("none/", "", 0).await.unwrap().is_empty());
    assert_eq!(view.keys("", "", 0).await.unwrap(), ["a", "b", "b-c", "b/1", "b/2/x", "c/d"]);
    assert_eq!(view.keys("b/", "b/1", 0).await.unwrap(), ["b/2/x"]);
    assert_eq!(view.keys("", "b", 2).await.unwrap(), ["b-c", "b/1"]);
}

#[tokio::test]
async fn listing_does_not_read_what_lies_in_folders() {
    let (memory, _) = new_barrier().await;
    for folder in ["big", "huge"] {
        let keys = (0..20_000).map(|n| format!("kv/{folder}/{n:05}"));
        memory.commit(keys.fold(Batch::new(), |batch, key| batch.put(key, "x"))).await.unwrap();
    }
    memory.commit(Batch::new().put("kv/last", "x")).await.unwrap();
    let probe = Probe::new(memory);
    let barrier = reopened(&probe).await;
    assert_eq!(barrier.view("kv/").list("", "", 0).await.unwrap(), ["big/", "huge/", "last"]);
    let listed = probe.listed.load(Ordering::SeqCst);
    assert!(listed <= 2001, "{listed} keys were read");
}

#[tokio::test]
async fn a_prefix_is_deleted_in_pages() {
    let (store, barrier) = new_barrier().await;
    for n in 0..10 {
        barrier.view("gone/").put(&format!("{n}/x"), &note("x")).await.unwrap();
    }
    barrier.view("kept/").put("a", &note("y")).await.unwrap();
    let view = barrier.view("");
    assert!(view.delete_prefix_page("gone/", 4).await.unwrap());
    assert_eq!(view.keys("gone/", "", 0).await.unwrap().len(), 6);
    assert!(view.delete_prefix_page("gone/", 4).await.unwrap());
    assert!(!view.delete_prefix_page("gone/", 2).await.unwrap());
    assert!(!view.delete_prefix_page("gone/", 2).await.unwrap());
    assert_eq!(store.list("", "", 99).await.unwrap(), ["core/keyring", "kept/a"]);
}
