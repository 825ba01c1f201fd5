#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod damage;
mod kill;
mod model;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store_api::{Batch, Store};
use store_embedded::{EmbeddedStore, Options};

/// Tables so small that nearly every operation meets a flush.
fn tiny() -> Options {
    Options { table_bytes: 2048, table_age: Duration::ZERO, cache_bytes: 1 << 20 }
}

/// Tables that are flushed only when they are full or the store is closed.
fn lasting() -> Options {
    Options { table_bytes: 64 << 10, table_age: Duration::MAX, ..Options::default() }
}

fn open(dir: &Path, options: Options) -> Arc<dyn Store> {
    Arc::new(EmbeddedStore::open(dir, options).unwrap())
}

async fn put(store: &Arc<dyn Store>, key: &str, value: impl Into<bytes::Bytes>) {
    store.commit(Batch::new().put(key, value)).await.unwrap();
}

async fn value(store: &Arc<dyn Store>, key: &str) -> Option<bytes::Bytes> {
    store.get(key).await.unwrap().map(|entry| entry.value)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// SplitMix64: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
