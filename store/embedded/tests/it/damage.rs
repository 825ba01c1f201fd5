//! What is torn by a crash is cut; what is damaged otherwise is refused, by name.

use std::fs;
use std::path::Path;
use std::time::Duration;

use base_types::{Error, ErrorKind};
use bytes::Bytes;
use store_api::{Batch, Store};
use store_embedded::{EmbeddedStore, Options};

use crate::{Dice, copy, lasting, open, put, value};

const SEGMENT_HEADER: usize = 20;
const RECORD_HEADER: usize = 16;
const FLIPS: usize = 150;

/// A directory as a crash leaves it: batches 0 to 5 in the log, of two keys each.
struct Crashed {
    dir: tempfile::TempDir,
    log: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Crashed {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), lasting());
        for i in 0..6 {
            let batch =
                Batch::new().put(format!("a{i}"), "some value").put(format!("b{i}"), "more");
            store.commit(batch).await.unwrap();
        }
        drop(store);
        let log = fs::read(dir.path().join("wal-1.log")).unwrap();
        let ends = record_ends(&log);
        assert_eq!(ends.len(), 6);
        Self { dir, log, ends }
    }

    /// The same directory with another log.
    fn with_log(&self, log: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        fs::write(dir.path().join("wal-1.log"), log).unwrap();
        dir
    }

    /// Opens with `log`, which must keep the first `kept` batches and lose the others whole, and
    /// go on to work.
    async fn keeps(&self, log: &[u8], kept: usize, what: &str) {
        let dir = self.with_log(log);
        let store = open(dir.path(), lasting());
        for i in 0..6 {
            let (a, b) =
                (value(&store, &format!("a{i}")).await, value(&store, &format!("b{i}")).await);
            let expected = (i < kept).then(|| Bytes::from("some value"));
            assert_eq!(a, expected, "{what}: batch {i}");
            assert_eq!(b.is_some(), i < kept, "{what}: batch {i} is half there");
        }
        put(&store, "new", "x").await;
        drop(store);
        let store = open(dir.path(), lasting());
        assert_eq!(value(&store, "new").await, Some("x".into()), "{what}: a write after it");
        assert_eq!(store.list("", "", 99).await.unwrap().len(), 2 * kept + 1, "{what}");
    }
}

fn record_ends(log: &[u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), SEGMENT_HEADER);
    while let Some(length) = log.get(at..at + 4).filter(|bytes| **bytes != [0; 4]) {
        at += RECORD_HEADER + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

fn refusal(dir: &Path) -> Error {
    EmbeddedStore::open(dir, lasting()).err().expect("opening must be refused")
}

fn assert_corrupt(error: &Error, names: &str) {
    assert!(error.is(ErrorKind::Corrupt) && error.public().contains(names), "{names}: {error:?}");
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_offset() {
    let crashed = Crashed::new().await;
    for cut in crashed.ends[3]..=crashed.ends[5] {
        let kept = crashed.ends.iter().filter(|end| **end <= cut).count();
        crashed.keeps(&crashed.log[..cut], kept, &format!("cut at {cut}")).await;
    }
    for cut in (crashed.ends[4]..crashed.ends[5]).step_by(5) {
        let mut log = crashed.log.clone();
        log[cut..].fill(0);
        crashed.keeps(&log, 5, &format!("zeros from {cut}")).await;
        log[cut..].fill(0xff);
        crashed.keeps(&log, 5, &format!("ones from {cut}")).await;
    }
    // A crash can also leave the later part of the last write and not the earlier.
    let mut log = crashed.log.clone();
    log[crashed.ends[4]..crashed.ends[4] + 20].fill(0);
    crashed.keeps(&log, 5, "the start of the last record missing").await;
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_at_every_offset() {
    let crashed = Crashed::new().await;
    let names = format!("wal-1.log is damaged before the valid record at {}", crashed.ends[3]);
    for at in crashed.ends[2]..crashed.ends[3] {
        let mut log = crashed.log.clone();
        log[at] ^= 1 << (at % 8);
        let error = refusal(crashed.with_log(&log).path());
        assert_corrupt(&error, &names);
        assert_corrupt(&error, &format!("at offset {}", crashed.ends[2]));
    }
    for at in 0..SEGMENT_HEADER {
        let mut log = crashed.log.clone();
        log[at] ^= 0x10;
        assert_corrupt(&refusal(crashed.with_log(&log).path()), "wal-1.log is damaged at offset 0");
    }
    let mut log = crashed.log[..crashed.ends[1]].to_vec();
    log.extend(&crashed.log[crashed.ends[2]..]);
    assert_corrupt(&refusal(crashed.with_log(&log).path()), "wal-1.log lacks records at offset");
}

/// Two segments, the first of which is not yet in the database: what a crash during a flush
/// leaves. It is put together from two stores with the same first commits.
async fn crash_in_flush() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), lasting());
    put(&store, "a", "1").await;
    drop(store);
    let before = tempfile::tempdir().unwrap();
    copy(dir.path(), before.path());
    // Opening with an age of zero makes the store seal the log, flush and go on in the next.
    let aging = Options { table_age: Duration::ZERO, ..lasting() };
    let store = open(dir.path(), aging);
    while dir.path().join("wal-1.log").exists() {
        tokio::task::yield_now().await;
    }
    drop(store);
    let store = open(dir.path(), lasting());
    put(&store, "b", "2").await;
    drop(store);
    // The seal: an empty record of sequence two.
    let body = [&0u32.to_le_bytes()[..], &2u64.to_le_bytes()].concat();
    let crc = crc32fast::hash(&body);
    let seal = [&body[..4], &crc.to_le_bytes(), &body[4..]].concat();
    let log = fs::read(before.path().join("wal-1.log")).unwrap();
    let end = *record_ends(&log).last().unwrap();
    fs::write(before.path().join("wal-1.log"), [&log[..end], &seal].concat()).unwrap();
    fs::copy(dir.path().join("wal-2.log"), before.path().join("wal-2.log")).unwrap();
    before
}

#[tokio::test]
async fn a_crash_during_a_flush_loses_nothing() {
    let dir = crash_in_flush().await;
    let store = open(dir.path(), lasting());
    assert_eq!(value(&store, "a").await, Some("1".into()));
    assert_eq!(value(&store, "b").await, Some("2".into()));
    assert_eq!(store.list("", "", 9).await.unwrap(), ["a", "b"]);
    while dir.path().join("wal-1.log").exists() {
        tokio::task::yield_now().await;
    }
    drop(store);
    let store = open(dir.path(), lasting());
    assert_eq!(store.list("", "", 9).await.unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_missing_file_is_refused() {
    for name in ["wal-1.log", "wal-2.log"] {
        let dir = crash_in_flush().await;
        fs::remove_file(dir.path().join(name)).unwrap();
        let error = refusal(dir.path());
        assert_corrupt(&error, &format!("{name} is missing"));
    }
    let dir = crash_in_flush().await;
    fs::remove_file(dir.path().join("data.redb")).unwrap();
    assert_corrupt(&refusal(dir.path()), "but no data.redb");
    assert!(!dir.path().join("data.redb").exists(), "a refusal leaves everything as it was");

    // A first segment that was cut at a record's end is no torn tail when another goes on.
    let dir = crash_in_flush().await;
    let log = fs::read(dir.path().join("wal-1.log")).unwrap();
    fs::write(dir.path().join("wal-1.log"), &log[..log.len() - RECORD_HEADER]).unwrap();
    assert_corrupt(&refusal(dir.path()), "ends too early");
    fs::write(dir.path().join("wal-1.log"), &log[..SEGMENT_HEADER]).unwrap();
    assert_corrupt(&refusal(dir.path()), "ends too early");
}

#[tokio::test]
async fn a_crash_between_two_segments_loses_nothing() {
    let crashed = Crashed::new().await;
    for next in [&[][..], b"wal", &[0; SEGMENT_HEADER]] {
        let dir = crashed.with_log(&crashed.log);
        fs::write(dir.path().join("wal-2.log"), next).unwrap();
        let store = open(dir.path(), lasting());
        assert_eq!(store.list("", "", 99).await.unwrap().len(), 12);
        assert!(!dir.path().join("wal-2.log").exists());
    }
}

#[tokio::test]
async fn a_crash_while_the_store_is_made_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("wal-1.log"), b"wa").unwrap();
    fs::write(dir.path().join("data.redb.new"), b"half a database").unwrap();
    let store = open(dir.path(), lasting());
    put(&store, "a", "1").await;
}

/// A flipped bit in the database never makes a wrong value, a panic or a failure elsewhere.
#[tokio::test]
async fn flipped_bits_in_the_database_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), lasting());
    let content = |i: usize| Bytes::from(format!("value {i} ").repeat(20));
    for chunk in 0..10 {
        let put = |batch: Batch, i| batch.put(format!("k{i:04}"), content(i));
        store.commit((chunk * 100..chunk * 100 + 100).fold(Batch::new(), put)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);

    let database = dir.path().join("data.redb");
    let bytes = fs::read(&database).unwrap();
    // The position of a value in the file, so that one flip is known to hit it.
    let needle = content(500);
    let hit = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    fs::write(&database, flip(&bytes, hit + 50, 3)).unwrap();
    let store = open(dir.path(), lasting());
    let error = store.get("k0500").await.unwrap_err();
    assert_corrupt(&error, "\"k0500\"");
    for i in (0..1000).filter(|i| *i != 500) {
        assert_eq!(value(&store, &format!("k{i:04}")).await, Some(content(i)));
    }
    put(&store, "k0500", "repaired").await;
    assert_eq!(value(&store, "k0500").await, Some("repaired".into()));
    drop(store);

    let (mut dice, mut noticed) = (Dice(7), 0);
    for _ in 0..FLIPS {
        let work = tempfile::tempdir().unwrap();
        copy(dir.path(), work.path());
        let at = dice.below(bytes.len());
        fs::write(work.path().join("data.redb"), flip(&bytes, at, dice.below(8))).unwrap();
        let store = match EmbeddedStore::open(work.path(), lasting()) {
            Ok(store) => store,
            Err(error) => {
                assert!(error.public().contains("data.redb"), "{error:?}");
                noticed += 1;
                continue;
            }
        };
        let mut failed = 0;
        for i in (0..1000).filter(|i| *i != 500) {
            match store.get(&format!("k{i:04}")).await {
                Ok(Some(entry)) => assert_eq!(entry.value, content(i), "flip at {at}"),
                // A flip in a key makes it another key.
                Ok(None) => failed += 1,
                Err(error) => {
                    assert_corrupt(&error, &format!("k{i:04}"));
                    failed += 1;
                }
            }
        }
        let listed = store.list("", "", usize::MAX).await;
        noticed += usize::from(failed > 0 || listed.is_err());
        // Nor do writes come to worse than an error, also where the damage stops the flush.
        for i in (0..1000).step_by(10) {
            let _ = store.commit(Batch::new().put(format!("k{i:04}"), content(i))).await;
        }
        store.close().await.unwrap();
    }
    assert!(noticed > 10, "{noticed} of {FLIPS} flips were noticed: do they hit anything?");
}

fn flip(bytes: &[u8], at: usize, bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1 << bit;
    flipped
}
