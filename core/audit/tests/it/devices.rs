use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base_types::ErrorKind;
use core_audit::{Broker, Kind, Response, ResponseEntry};

use crate::support::{
    broker, broker_with, device, enable, enable_file, ids, lines, pair, pairs, request, until,
    verify_bytes, verify_files,
};

#[tokio::test]
async fn without_a_device_everything_goes_on() {
    let broker = broker();
    pairs(&broker, 2).await;
    assert_eq!((broker.entries(), broker.failures()), (0, 0));
}

#[tokio::test]
async fn each_device_has_every_entry_before_the_call_returns() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let broker = broker();
    enable_file(&broker, &file).await;
    let entry = request("7", None);
    let receipt = broker.begin(&entry).await.unwrap();
    assert_eq!(ids(&std::fs::read(&file).unwrap())["7"], 1);
    let response = Response::default();
    let entry = ResponseEntry { request: &entry, auth: None, response, error: "failed" };
    drop(broker.end(receipt, &entry).await.unwrap());
    let log = std::fs::read(&file).unwrap();
    assert_eq!(ids(&log)["7"], 2);
    assert_eq!(lines(&log)[2]["error"], "failed");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((broker.entries(), broker.failures()), (2, 0));
    let state = device(&broker, "file/");
    assert_eq!((state.entries, state.failures, state.trouble, state.head.seq), (2, 0, None, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let broker = broker();
    enable_file(&broker, &file).await;
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let broker = broker.clone();
            tokio::spawn(async move {
                for id in 0..400 {
                    drop(pair(&broker, &format!("{task}-{id}"), r#"{"a":"b"}"#).await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    broker.close().await;
    let ids = ids(&std::fs::read(&file).unwrap());
    assert_eq!(ids.len(), 32 * 400);
    assert!(ids.values().all(|count| *count == 2));
    let report = verify_files(&[&file], None);
    assert!(report.is_intact() && report.entries == 25_600, "{report:?}");
    assert!(report.checkpoints >= 4, "one after 10,000 lines: {report:?}");
}

#[tokio::test]
async fn a_full_device_alone_fails_closed_and_beside_another_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let broker = broker();
    let refusal =
        enable(&broker, "full/", Kind::File, &[("file_path", "/dev/full")]).await.unwrap_err();
    assert!(refusal.is(ErrorKind::Unavailable), "{refusal:?}");
    assert!(
        refusal.public().starts_with("audit device full/: failed to write /dev/full"),
        "{refusal:?}"
    );
    assert!(broker.list().is_empty());

    let options = [("file_path", "/dev/full"), ("skip_test", "true")];
    enable(&broker, "full/", Kind::File, &options).await.unwrap();
    for id in ["1", "2"] {
        let refusal = pair(&broker, id, "{}").await.err().unwrap();
        assert!(refusal.is(ErrorKind::Unavailable));
    }
    assert_eq!((broker.entries(), broker.failures()), (0, 2));

    enable_file(&broker, &file).await;
    pairs(&broker, 3).await;
    until(|| device(&broker, "full/").failures == 8).await;
    let state = device(&broker, "full/");
    assert_eq!(state.entries, 0);
    assert!(state.trouble.unwrap().contains("/dev/full"));
    assert_eq!(broker.entries(), 6);
}

#[tokio::test]
async fn a_receipt_survives_the_end_of_its_device() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker();
    enable_file(&broker, &folder.path().join("a")).await;
    let entry = request("1", None);
    let receipt = broker.begin(&entry).await.unwrap();
    assert!(broker.disable("file/").await);
    assert!(!broker.disable("file/").await);
    let response =
        || ResponseEntry { request: &entry, auth: None, response: Response::default(), error: "" };
    drop(broker.end(receipt, &response()).await.unwrap());
    assert!(verify_files(&[&folder.path().join("a")], None).closed);
    // And a device that came meanwhile gets the response.
    let receipt = broker.begin(&entry).await.unwrap();
    enable_file(&broker, &folder.path().join("b")).await;
    drop(broker.end(receipt, &response()).await.unwrap());
    let log = std::fs::read(folder.path().join("b")).unwrap();
    assert_eq!((lines(&log).len(), ids(&log)["1"]), (2, 1));
}

#[tokio::test]
async fn devices_are_listed_hashed_with_and_refused_twice() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker();
    let file = folder.path().join("a");
    enable_file(&broker, &file).await;
    assert_eq!(broker.list()[0].path, "file/");
    assert!(broker.hash("file/", "x").unwrap().starts_with("hmac-sha256:"));
    assert!(
        broker.hash("nope/", "x").unwrap_err().public().contains("unknown audit backend \"nope/\"")
    );
    let options = [("file_path", file.to_str().unwrap())];
    let twice = enable(&broker, "file/", Kind::File, &options).await.unwrap_err();
    assert!(twice.public().contains("path already in use"));
    let other = enable(&broker, "b/", Kind::File, &options).await.unwrap_err();
    assert!(other.public().contains("another audit device"), "{other:?}");
}

#[tokio::test]
async fn a_prefix_stands_before_every_line_and_in_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let broker = broker();
    let options = [("file_path", file.to_str().unwrap()), ("prefix", "@cee: ")];
    enable(&broker, "file/", Kind::File, &options).await.unwrap();
    pairs(&broker, 1).await;
    broker.close().await;
    let log = std::fs::read_to_string(&file).unwrap();
    assert!(log.lines().all(|line| line.starts_with("@cee: {")));
    assert!(verify_bytes(log.as_bytes(), None).is_intact());
    assert!(!verify_bytes(log.replace("@cee", "@cef").as_bytes(), None).is_intact());
}

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

async fn enable_fifo(broker: &Broker, path: &Path) {
    let options = [("file_path", path.to_str().unwrap())];
    enable(broker, "fifo/", Kind::File, &options).await.unwrap();
}

/// Opened for both, so that neither end waits for the other.
fn reader(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

/// More than a pipe holds.
fn large() -> String {
    format!("{{\"{}\":1}}", "k".repeat(100_000))
}

#[tokio::test]
async fn a_blocked_device_holds_up_nobody_and_alone_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pipe) = (folder.path().join("a"), folder.path().join("p"));
    fifo(&pipe);
    let reader = reader(&pipe);
    let broker = broker();
    enable_fifo(&broker, &pipe).await;
    enable_file(&broker, &file).await;
    for id in 0..20 {
        drop(pair(&broker, &id.to_string(), &large()).await.unwrap());
    }
    assert_eq!(ids(&std::fs::read(&file).unwrap()).len(), 20);
    assert!(device(&broker, "fifo/").queued > 0);

    let pipe = folder.path().join("q");
    fifo(&pipe);
    let other = self::reader(&pipe);
    let broker = broker_with(Duration::from_secs(1));
    enable_fifo(&broker, &pipe).await;
    let refusal = pair(&broker, "alone", &large()).await.err().unwrap();
    assert!(refusal.is(ErrorKind::Unavailable));
    assert!(device(&broker, "fifo/").trouble.unwrap().contains("stuck"));
    drop((reader, other));
}

#[tokio::test]
async fn a_pipe_without_a_reader_is_refused_or_kept_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("p");
    fifo(&pipe);
    let broker = broker_with(Duration::from_millis(300));
    let path = pipe.to_str().unwrap();
    let refusal = enable(&broker, "p/", Kind::File, &[("file_path", path)]).await.unwrap_err();
    assert!(refusal.public().contains("does not take its first line"), "{refusal:?}");
    let options = [("file_path", path), ("skip_test", "true")];
    enable(&broker, "p/", Kind::File, &options).await.unwrap();
    assert!(pair(&broker, "lost", "{}").await.is_err());
    assert_eq!(device(&broker, "p/").failures, 1);
    let reader = reader(&pipe);
    until(|| device(&broker, "p/").trouble.is_none()).await;
    pairs(&broker, 1).await;
    drop(reader);
}

#[tokio::test]
async fn a_slow_device_tells_in_its_own_stream_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let (file, pipe) = (folder.path().join("a"), folder.path().join("p"));
    fifo(&pipe);
    let mut reader = reader(&pipe);
    let broker = broker();
    enable_fifo(&broker, &pipe).await;
    enable_file(&broker, &file).await;
    let large = large();
    // The queue holds 64 MiB; the rest is missed.
    let count = 700;
    for id in 0..count {
        drop(pair(&broker, &id.to_string(), &large).await.unwrap());
    }
    let state = device(&broker, "fifo/");
    assert!(state.failures > 0 && state.trouble.unwrap().contains("queue is full"));

    let (sender, drained) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut log = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        while !log.ends_with(b"\"}}\n")
            || !log.windows(16).rev().take(4096).any(|w| w == b"\"reason\":\"close\"")
        {
            let read = reader.read(&mut chunk).unwrap();
            log.extend_from_slice(&chunk[..read]);
        }
        sender.send(log).unwrap();
    });
    until(|| device(&broker, "fifo/").trouble.is_none()).await;
    pairs(&broker, 2).await;
    let missed = device(&broker, "fifo/").failures;
    broker.close().await;
    let log = drained.recv().unwrap();
    let report = verify_bytes(&log, None);
    assert!(report.is_intact() && report.closed, "{:?}", report.problems);
    assert_eq!(report.lost, missed);
    assert_eq!(report.entries + missed, 2 * count as u64 + 4);
    assert!(verify_files(&[&file], None).lost == 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_reopened_is_named_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("logs");
    std::fs::create_dir(&inner).unwrap();
    let broker = broker();
    enable_file(&broker, &inner.join("a")).await;
    pairs(&broker, 1).await;
    let moved = folder.path().join("moved");
    std::fs::rename(&inner, &moved).unwrap();
    let failed = broker.reopen().await.unwrap_err();
    assert!(failed.public().contains("file/: failed to open"), "{failed:?}");
    assert!(pair(&broker, "lost", "{}").await.is_err());
    std::fs::create_dir(&inner).unwrap();
    until(|| device(&broker, "file/").trouble.is_none()).await;
    pairs(&broker, 1).await;
    broker.close().await;
    let report = verify_files(&[&moved.join("a"), &inner.join("a")], None);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.lost), (4, 1));
}
