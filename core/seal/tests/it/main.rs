//! Seals as the server uses them, over a store in memory.
#![allow(clippy::unwrap_used)]

mod automatic;
mod generate_root;
mod record;
mod rekey;
mod unseal;

use std::sync::Arc;

use base_crypto::SystemRandom;
use base_types::{ErrorKind, Secret};
use core_seal::{InitOutcome, RootKey, Seal, Seals, Share, Split, StaticKey};
use store_api::Store;
use store_mem::MemStore;

fn split(shares: u64, threshold: u64) -> Split {
    Split::new(shares, threshold).unwrap()
}

fn static_key(id: &str, byte: u8) -> StaticKey {
    StaticKey::new("machine", id, &Secret::new([byte; 32]), Arc::new(SystemRandom)).unwrap()
}

fn automatic(seal: StaticKey) -> Vec<Arc<dyn Seal>> {
    vec![Arc::new(seal)]
}

fn seals(store: &Arc<MemStore>, automatic: Vec<Arc<dyn Seal>>) -> Seals {
    Seals::new(store.clone(), Arc::new(SystemRandom), automatic).unwrap()
}

/// An installation whose seal record is stored, with what the operator was given.
async fn initialized(
    automatic: Vec<Arc<dyn Seal>>,
    split: Option<Split>,
) -> (Arc<MemStore>, Seals, InitOutcome) {
    let store = Arc::new(MemStore::new());
    let seals = seals(&store, automatic);
    let outcome = seals.initialize(split).await.unwrap();
    store.commit(outcome.batch.clone()).await.unwrap();
    (store, seals, outcome)
}

/// Gives `shares` to unseal; the answer to the last.
async fn unseal_with(seals: &Seals, shares: &[Share]) -> base_types::Result<Option<RootKey>> {
    let (last, others) = shares.split_last().unwrap();
    for share in others {
        assert_eq!(seals.unseal(share.clone()).await.unwrap(), None);
    }
    seals.unseal(last.clone()).await
}

fn foreign_share() -> Share {
    Secret::new([&[0x5a; 32][..], &[0xff]].concat())
}
