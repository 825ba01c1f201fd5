//! The promises of every store, and what only this one promises.

use std::time::Duration;

use store_api::{Batch, CommitError, Expect, conformance};
use store_embedded::{EmbeddedStore, Options};

use crate::{copy, lasting, open, put, tiny, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn conforms() {
    for options in [Options::default(), tiny(), lasting()] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), options.clone());
        conformance::run(&store, "first/").await;
        drop(store);
        let store = open(dir.path(), options.clone());
        conformance::run(&store, "second/").await;
        store.close().await.unwrap();
        drop(store);
        let store = open(dir.path(), options);
        conformance::run(&store, "third/").await;
        conformance::refuses_after_close(&store).await;
    }
}

#[tokio::test]
async fn survives_reopening() {
    for options in [Options::default(), tiny()] {
        let dir = tempfile::tempdir().unwrap();
        conformance::survives_reopening(async || open(dir.path(), options.clone())).await;
    }
}

#[tokio::test]
async fn keeps_writes_without_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut revision = None;
    for round in 0..5 {
        let store = open(dir.path(), lasting());
        let expect = revision.map_or(Expect::Absent, Expect::At);
        let batch = Batch::new().put("a", format!("{round}")).put(format!("k{round}"), "x");
        revision = Some(store.commit(batch.expect("a", expect)).await.unwrap());
    }
    let store = open(dir.path(), lasting());
    assert_eq!(value(&store, "a").await, Some("4".into()));
    assert_eq!(store.get("a").await.unwrap().map(|entry| entry.revision), revision);
    assert_eq!(store.list("k", "", 9).await.unwrap(), ["k0", "k1", "k2", "k3", "k4"]);
}

#[tokio::test]
async fn close_leaves_everything_in_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), lasting());
    for i in 0..100 {
        put(&store, &format!("k{i}"), vec![i; 1000]).await;
    }
    store.close().await.unwrap();
    drop(store);
    let logs = || {
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap());
        let logs = names.filter(|entry| entry.file_name().to_string_lossy().starts_with("wal-"));
        logs.map(|entry| entry.metadata().unwrap().len()).collect::<Vec<_>>()
    };
    assert_eq!(logs(), [20], "one log segment with nothing but a header");
    let store = open(dir.path(), lasting());
    assert_eq!(value(&store, "k99").await, Some(vec![99; 1000].into()));
}

#[tokio::test]
async fn the_directory_has_one_user() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default());
    let refused = EmbeddedStore::open(dir.path(), Options::default()).err().unwrap();
    assert!(refused.public().contains("another process uses the data directory"), "{refused:?}");
    assert!(refused.public().contains(&*dir.path().to_string_lossy()), "{refused:?}");
    // Also when the store was closed but not dropped, the directory is free.
    store.close().await.unwrap();
    open(dir.path(), Options::default());
}

#[tokio::test]
async fn refuses_a_batch_beyond_all_measure() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), Options::default());
    let outcome = store.commit(Batch::new().put("a", vec![0; 65 << 20])).await;
    let Err(CommitError::Failed(error)) = outcome else { panic!("{outcome:?}") };
    assert!(error.is(base_types::ErrorKind::TooLarge), "{error:?}");
    put(&store, "a", vec![1; 20 << 20]).await;
    assert_eq!(value(&store, "a").await.unwrap().len(), 20 << 20);
}

/// A write that is alone for long gets into the database without another write or a close.
#[tokio::test]
async fn old_writes_move_on_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { table_age: Duration::from_millis(1), ..Options::default() };
    let store = open(dir.path(), options);
    put(&store, "a", "1").await;
    while dir.path().join("wal-1.log").exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(value(&store, "a").await, Some("1".into()));
    // What lies on the disk now is what a crash would leave.
    let (crashed, names) = (tempfile::tempdir().unwrap(), dir.path().join("wal-2.log"));
    assert_eq!(names.metadata().unwrap().len(), 20);
    copy(dir.path(), crashed.path());
    let store = open(crashed.path(), Options::default());
    assert_eq!(value(&store, "a").await, Some("1".into()));
}
