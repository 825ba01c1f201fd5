//! Prints how many durable commits and reads per second the store does on this machine.
//!
//! `cargo run --release -p store-embedded --example throughput [DIRECTORY]`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store_api::{Batch, Store};
use store_embedded::{EmbeddedStore, Options};

const KEYS: u64 = 1_000_000;
const CLIENTS: u64 = 32;
const VALUE_BYTES: usize = 300;
const TIME: Duration = Duration::from_secs(10);

fn main() {
    let place = std::env::args().nth(1).map(Into::into).unwrap_or_else(std::env::temp_dir);
    let dir = place.join(format!("store-throughput-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(run(&dir));
    std::fs::remove_dir_all(dir).unwrap();
}

async fn run(dir: &std::path::Path) {
    let open = || Arc::new(EmbeddedStore::open(dir, Options::default()).unwrap());
    let store = open();
    println!("empty: memory {} MB", memory());
    let start = Instant::now();
    for first in (0..KEYS).step_by(1000) {
        let put = |batch: Batch, i| batch.put(key(i), value(i));
        store.commit((first..first + 1000).fold(Batch::new(), put)).await.unwrap();
    }
    println!("load of {KEYS} keys: {:.1} s, memory {} MB", start.elapsed().as_secs_f64(), memory());

    for keys in [2, 5] {
        let rate = clients(&store, Load::Commits { keys }).await;
        println!("{keys}-key commits: {rate:.0}/s, memory {} MB", memory());
    }
    let rate = clients(&store, Load::Reads).await;
    println!("point reads: {rate:.0}/s, memory {} MB", memory());

    let before = Instant::now();
    drop(store);
    println!("drop: {:.0} ms", before.elapsed().as_secs_f64() * 1e3);
    let before = Instant::now();
    let store = open();
    println!("open: {:.0} ms", before.elapsed().as_secs_f64() * 1e3);
    let before = Instant::now();
    store.close().await.unwrap();
    println!("close: {:.0} ms", before.elapsed().as_secs_f64() * 1e3);
    let file = dir.join("data.redb").metadata().unwrap();
    println!("data.redb: {} MB on disk", file.blocks() >> 11);
}

#[derive(Clone, Copy)]
enum Load {
    Commits { keys: u64 },
    Reads,
}

impl Load {
    async fn once(self, store: &EmbeddedStore, dice: &mut Dice) {
        match self {
            Self::Commits { keys } => {
                let batch = (0..keys).fold(Batch::new(), |batch, _| {
                    let i = dice.below(KEYS);
                    batch.put(key(i), value(i))
                });
                store.commit(batch).await.unwrap();
            }
            Self::Reads => {
                assert!(store.get(&key(dice.below(KEYS))).await.unwrap().is_some());
                // A read never waits; let the other clients have their turn.
                tokio::task::coop::consume_budget().await;
            }
        }
    }
}

/// Puts the load on the store by all clients at once; how often per second it was done.
async fn clients(store: &Arc<EmbeddedStore>, load: Load) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (store, done) = (Arc::clone(store), Arc::clone(&done));
        tokio::spawn(async move {
            let mut dice = Dice(client + 1);
            while start.elapsed() < TIME {
                load.once(&store, &mut dice).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// Keys in no order, as random identifiers are.
fn key(i: u64) -> String {
    format!("kv/{:016x}", Dice(i).next())
}

fn value(i: u64) -> Vec<u8> {
    vec![i as u8; VALUE_BYTES]
}

/// The resident memory of this process in megabytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
