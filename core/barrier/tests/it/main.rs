//! The barrier as its users and its store see it.
#![allow(clippy::unwrap_used)]

mod keyring;
mod probe;
mod seals;
mod transactions;
mod views;

use std::sync::Arc;

use base_crypto::SystemRandom;
use base_types::{Clock, ManualClock, Result, Secret, Timestamp};
use core_barrier::{Barrier, Record};
use serde::{Deserialize, Serialize};
use store_api::Store;
use store_mem::MemStore;

/// A record like any other.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const KIND: &'static str = "note";
}

fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

const ROOT: [u8; 32] = [1; 32];

fn root_key() -> Secret<[u8; 32]> {
    Secret::new(ROOT)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)))
}

fn sealed_barrier(store: &Arc<impl Store>) -> Arc<Barrier> {
    let clock: Arc<dyn Clock> = clock();
    Barrier::new(store.clone(), Arc::new(SystemRandom), clock)
}

/// As after a start of the server: whatever was in memory is gone.
async fn reopened(store: &Arc<impl Store>) -> Arc<Barrier> {
    let barrier = sealed_barrier(store);
    barrier.unseal(&root_key()).await.unwrap();
    barrier
}

async fn new_barrier() -> (Arc<MemStore>, Arc<Barrier>) {
    let store = Arc::new(MemStore::new());
    sealed_barrier(&store).initialize(&root_key()).await.unwrap();
    let barrier = reopened(&store).await;
    (store, barrier)
}

/// The text at `key`, if the barrier opens it.
async fn text_at(barrier: &Arc<Barrier>, key: &str) -> Result<Option<String>> {
    Ok(barrier.view("").get::<Note>(key).await?.map(|note| note.text))
}
