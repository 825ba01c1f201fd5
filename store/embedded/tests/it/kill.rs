//! A process that is killed in the middle of its writes loses none that it had confirmed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use store_api::{Batch, Store};
use store_embedded::Options;

use crate::{Dice, open, value};

/// The test starts itself again with this variable set: then it is the process to be killed.
const DIRECTORY: &str = "STORE_EMBEDDED_KILL_TEST_DIRECTORY";
const WRITERS: usize = 6;
const ROUNDS: u64 = 15;

/// Flushes every few dozen commits, so that the kill often falls into one.
fn options() -> Options {
    Options { table_bytes: 40_000, table_age: Duration::from_millis(50), cache_bytes: 1 << 20 }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::disallowed_methods)] // How a test tells its child where to write.
async fn nothing_confirmed_is_lost() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        return write_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(11);
    let mut confirmed = [0; WRITERS];
    for round in 0..ROUNDS {
        let lines = 1 + dice.below(1500);
        run_and_kill(dir.path(), lines, &mut confirmed);
        let store = open(dir.path(), options());
        for (writer, confirmed) in confirmed.iter_mut().enumerate() {
            *confirmed = check(&store, writer, *confirmed, round).await;
        }
    }
    let total: u64 = confirmed.iter().sum();
    assert!(total > ROUNDS, "{total} commits in all: the child did nothing");
}

/// Starts the child, reads so many confirmations, kills it, and takes in what it still said.
fn run_and_kill(dir: &Path, lines: usize, confirmed: &mut [u64; WRITERS]) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::nothing_confirmed_is_lost", "--exact", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut note = |line: std::io::Result<String>| {
        let line = line.unwrap();
        let mut words = line.split(' ').skip_while(|word| *word != "confirmed").skip(1);
        // The kill can cut the last line; a complete one ends with a full stop.
        if let (Some(writer), Some(count), Some(".")) = (words.next(), words.next(), words.next()) {
            let writer: usize = writer.parse().unwrap();
            confirmed[writer] = confirmed[writer].max(count.parse().unwrap());
        }
    };
    output.by_ref().take(lines).for_each(&mut note);
    child.kill().unwrap();
    output.for_each(&mut note);
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the child ended by itself: {status}");
}

/// All keys of a writer tell of the same commit, which is at least the one it confirmed.
async fn check(store: &Arc<dyn Store>, writer: usize, confirmed: u64, round: u64) -> u64 {
    let place = format!("round {round}, writer {writer}, confirmed {confirmed}");
    let mut counts = Vec::new();
    for name in ["a", "b", "c"] {
        let text = value(store, &format!("{writer}/{name}")).await.unwrap_or_default();
        counts.push(String::from_utf8(text.to_vec()).unwrap().parse().unwrap_or(0));
    }
    let count: u64 = counts[0];
    assert!(counts.iter().all(|other| *other == count), "{place}: half a batch {counts:?}");
    assert!(count >= confirmed, "{place}: lost, found {count}");
    // The trail: every commit leaves a key and removes the one ten before it.
    let trail = store.list(&format!("{writer}/trail/"), "", usize::MAX).await.unwrap();
    let expected = (count.saturating_sub(9).max(1)..=count).map(|i| trail_key(writer, i));
    assert!(trail.iter().eq(&expected.collect::<Vec<_>>()), "{place}: {count} {trail:?}");
    count
}

fn trail_key(writer: usize, count: u64) -> String {
    format!("{writer}/trail/{count:08}")
}

async fn write_until_killed(dir: &Path) {
    let store = open(dir, options());
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&store), writer)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Counts up in three keys for ever.
async fn write(store: Arc<dyn Store>, writer: usize) {
    let start = value(&store, &format!("{writer}/a")).await.unwrap_or_default();
    let start: u64 = String::from_utf8(start.to_vec()).unwrap().parse().unwrap_or(0);
    for count in start + 1.. {
        let mut batch = Batch::new().put(trail_key(writer, count), vec![7; 400]);
        for name in ["a", "b", "c"] {
            batch = batch.put(format!("{writer}/{name}"), count.to_string());
        }
        if count > 10 {
            batch = batch.delete(trail_key(writer, count - 10));
        }
        store.commit(batch).await.unwrap();
        writeln!(std::io::stdout().lock(), "confirmed {writer} {count} .").unwrap();
    }
}
