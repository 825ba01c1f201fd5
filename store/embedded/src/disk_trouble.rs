//! Tests of what happens when the disk is full or fails: writes stop, with a clear word, and
//! nothing else does.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base_types::ErrorKind;
use bytes::Bytes;
use redb::StorageBackend;
use store_api::{Batch, CommitError, Revision, Store};

use crate::backend::Backend;
use crate::control::{Control, Failure};
use crate::database::{Database, Mark};
use crate::directory::Directory;
use crate::record::Record;
use crate::segment::{Segment, Trouble, replay};
use crate::table::Table;
use crate::{EmbeddedStore, Options};

/// A small disk of its own, which only root can have.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(dir.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        println!("skipped: mounting a small tmpfs needs root");
        None
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    /// Leaves about `free` bytes of the disk, or fewer if somebody else writes meanwhile.
    fn fill(&self, free: u64) {
        let disk = Directory::open(self.0.path()).unwrap();
        let mut ballast = File::create(self.ballast()).unwrap();
        while disk.free_bytes().unwrap() > free && ballast.write_all(&[1; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn options() -> Options {
    Options { table_bytes: 64 << 10, table_age: Duration::from_millis(1), cache_bytes: 1 << 20 }
}

fn open(dir: &Path, options: Options) -> EmbeddedStore {
    EmbeddedStore::open(dir, options).unwrap()
}

async fn value(store: &EmbeddedStore, key: &str) -> Option<Bytes> {
    store.get(key).await.unwrap().map(|entry| entry.value)
}

fn batch(i: usize) -> Batch {
    Batch::new().put(format!("a{i:05}"), vec![i as u8; 2000]).put(format!("b{i:05}"), "x")
}

/// Commits until the disk is full; returns how many succeeded.
async fn commit_until_full(store: &EmbeddedStore, mut next: usize) -> usize {
    loop {
        match store.commit(batch(next)).await {
            Ok(_) => next += 1,
            Err(CommitError::Conflict) => panic!("nothing was expected"),
            Err(CommitError::Failed(error)) => {
                assert!(error.is(ErrorKind::Unavailable), "{error:?}");
                let text = error.public();
                assert!(text.contains("the disk that holds the data is full (needs "), "{text}");
                assert!(text.contains("nothing was lost"), "{text}");
                return next;
            }
        }
    }
}

async fn check(store: &EmbeddedStore, count: usize) {
    for i in 0..count {
        assert_eq!(value(store, &format!("a{i:05}")).await, Some(vec![i as u8; 2000].into()));
    }
    assert_eq!(store.list("", "", usize::MAX).await.unwrap().len(), 2 * count, "half a batch");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_fail_clearly_and_come_back() {
    let Some(disk) = Disk::mount("24m") else { return };
    let store = open(&disk.data(), options());
    disk.fill(8 << 20);
    let count = commit_until_full(&store, 0).await;
    assert!(count > 200, "{count} commits fit");
    check(&store, count).await;

    disk.make_room();
    store.commit(batch(count)).await.unwrap();
    check(&store, count + 1).await;

    // To the brim this time, and reopened there both ways.
    disk.fill(3 << 20);
    let count = commit_until_full(&store, count + 1).await;
    drop(store);
    let store = open(&disk.data(), options());
    check(&store, count).await;
    let count = commit_until_full(&store, count).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(&disk.data(), options());
    check(&store, count).await;
    disk.make_room();
    store.commit(batch(count)).await.unwrap();
    check(&store, count + 1).await;
}

/// Somebody else uses up the disk while a table is on its way, so that the reserve is of no use:
/// the flush waits, reads go on, and it ends well once there is room.
#[test]
fn a_flush_waits_for_room() {
    let Some(disk) = Disk::mount("16m") else { return };
    let dir = Directory::open(&disk.data()).unwrap();
    let control = Arc::new(Control::default());
    let mark = |applied| Mark { applied, segment: 1 };
    let table = |value: &str, count| {
        let mut table = Table::default();
        for i in 0..count {
            let put = store_api::Op::Put(Bytes::from(value.repeat(1000)));
            table.apply(vec![(format!("{i:04}"), put)], Revision(1));
        }
        table
    };
    Database::create(&dir, &control, mark(0)).unwrap();
    let database = Database::open(&dir, &control, 1 << 20).unwrap();
    database.apply(&table("a", 1), mark(1)).unwrap();
    let snapshot = database.snapshot().unwrap();
    control.set_patient(true);
    disk.fill(1 << 20);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| database.apply(&table("b", 4000), mark(2)));
        while !control.is_starved() {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            let entry = snapshot.get("0000").unwrap().unwrap();
            assert_eq!(entry.value, "a".repeat(1000));
        }
        assert!(control.is_starved() && !flush.is_finished());
        disk.make_room();
        flush.join().unwrap().unwrap();
    });
    assert!(!control.is_starved());
    assert_eq!(database.mark().unwrap(), mark(2));
    let entry = database.snapshot().unwrap().get("3999").unwrap().unwrap();
    assert_eq!(entry.value, "b".repeat(1000));

    // When the store is closed meanwhile, the flush gives up and the database stays as it was.
    disk.fill(256 << 10);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| database.apply(&table("c", 4000), mark(3)));
        while !control.is_starved() {
            std::thread::yield_now();
        }
        control.set_patient(false);
        assert!(flush.join().unwrap().is_err());
    });
    drop((snapshot, database));
    disk.make_room();
    let database = Database::open(&dir, &control, 1 << 20).unwrap();
    assert_eq!(database.mark().unwrap(), mark(2));
}

/// The log meets the end of the disk in spite of the reserve.
#[test]
fn a_log_that_fills_the_disk_stays_whole() {
    let Some(disk) = Disk::mount("4m") else { return };
    let dir = Directory::open(&disk.data()).unwrap();
    let mut segment = Segment::create(&dir, 1, 1, 64 << 10).unwrap();
    let append = |segment: &mut Segment, sequence| {
        let mut record = Record::default();
        record.start(sequence);
        record.push(&batch(sequence as usize).ops);
        segment.append(record.seal())
    };
    disk.fill(1 << 20);
    let mut next = 1;
    let trouble = loop {
        match append(&mut segment, next) {
            Ok(()) => next += 1,
            Err(trouble) => break trouble,
        }
    };
    assert!(matches!(trouble, Trouble::Full), "{trouble:?}");
    assert!(next > 100, "{next} records fit");
    let count = || {
        let mut count = 0;
        let replayed = replay(&Segment::path(&dir, 1), 1, |_, _| count += 1).unwrap();
        assert_eq!(replayed.next, count + 1);
        count
    };
    assert_eq!(count(), next - 1);
    disk.make_room();
    append(&mut segment, next).unwrap();
    assert_eq!(count(), next);
}

#[test]
fn a_broken_log_is_not_taken_for_a_full_disk() {
    let place = tempfile::tempdir().unwrap();
    let dir = Directory::open(place.path()).unwrap();
    let mut segment = Segment::create(&dir, 1, 1, 4096).unwrap();
    segment.file = File::open(Segment::path(&dir, 1)).unwrap();
    let trouble = segment.append(b"record").unwrap_err();
    assert!(matches!(trouble, Trouble::Broken(_)), "a file that cannot be written: {trouble:?}");
}

/// A failed write to the database file ends all writing, but is kept from redb until the end, for
/// redb would then refuse to read as well.
#[test]
fn a_broken_database_file_poisons() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, b"content").unwrap();
    let control = Arc::new(Control::default());
    control.set_patient(true);
    let backend = Backend { file: File::open(&path).unwrap(), control: Arc::clone(&control) };
    std::thread::scope(|scope| {
        let write = scope.spawn(|| backend.write(0, b"x"));
        while control.poisoned().is_none() {
            std::thread::yield_now();
        }
        let mut content = [0; 7];
        backend.read(0, &mut content).unwrap();
        assert_eq!(&content, b"content");
        assert!(!write.is_finished());
        control.set_patient(false);
        assert!(write.join().unwrap().is_err());
    });
}

#[tokio::test]
async fn a_poisoned_store_reads_but_does_not_write() {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path(), Options::default());
    store.commit(batch(0)).await.unwrap();
    store.control.poison("the sync failed");
    let Err(CommitError::Failed(error)) = store.commit(batch(1)).await else {
        panic!("a poisoned store wrote")
    };
    assert!(error.is(ErrorKind::Unavailable) && error.public().contains("restart the server"));
    assert!(error.log().to_string().contains("the sync failed"), "{error:?}");
    check(&store, 1).await;
    store.close().await.unwrap();
    drop(store);
    let store = open(place.path(), Options::default());
    check(&store, 1).await;
    store.commit(batch(1)).await.unwrap();
}

#[test]
fn the_error_of_a_full_disk_says_what_to_do() {
    let error = base_types::Error::from(&Failure::Full { needed: 12345 });
    let text = "the disk that holds the data is full (needs 12345 bytes free); \
                free some space, nothing was lost";
    assert_eq!(error.public(), text);
}
