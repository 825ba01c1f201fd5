//! The keyring and the seals of its root key change together or not at all.

use base_types::ErrorKind;
use core_barrier::KEYRING;
use core_seal::{
    RECORD, RekeyOptions, RekeyStep, RekeyTarget, RootKey, Seal, Seals, Share, Split, StaticKey,
};

use super::*;
use crate::probe::Probe;

fn seals(store: &Arc<impl Store>, automatic: bool) -> Seals {
    let key = Secret::new([7; 32]);
    let seal = StaticKey::new("machine", "1", &key, Arc::new(SystemRandom)).unwrap();
    let seals: Vec<Arc<dyn Seal>> = if automatic { vec![Arc::new(seal)] } else { vec![] };
    Seals::new(store.clone(), Arc::new(SystemRandom), seals).unwrap()
}

/// What the operator holds at a moment; the commit decides which of two is right.
#[derive(Default)]
struct Held {
    certain: Option<Vec<Share>>,
    steps: usize,
}

/// The life of an installation until the store dies: initialize, write, rekey twice.
async fn live(store: &Arc<Probe>, automatic: bool, held: &mut Held) -> Result<()> {
    let (seals, barrier) = (seals(store, automatic), sealed_barrier(store));
    let outcome = seals.initialize(Some(Split::new(3, 2)?)).await?;
    barrier.initialize_with(&outcome.root_key, outcome.batch).await?;
    held.certain = Some(outcome.key_shares);
    held.steps = 1;
    barrier.unseal(&outcome.root_key).await?;
    barrier.view("kv/").put("a", &note("precious")).await?;
    held.steps = 2;
    for target in
        [RekeyTarget::Root, if automatic { RekeyTarget::Recovery } else { RekeyTarget::Root }]
    {
        let shares = held.certain.clone().unwrap();
        let split = Split::new(3, 2)?;
        let options = RekeyOptions { target, split, require_verification: false };
        let nonce = seals.rekey_start(options).await?.nonce;
        seals.rekey_update(target, &nonce, shares[0].clone()).await?;
        let step = seals.rekey_update(target, &nonce, shares[1].clone()).await?;
        let RekeyStep::Commit { key_shares, change, .. } = step else { panic!() };
        barrier.rekey_with(&change.root_key, change.batch).await?;
        if !key_shares.is_empty() {
            held.certain = Some(key_shares);
        }
        held.steps += 1;
    }
    Ok(())
}

async fn open_with_shares(seals: &Seals, shares: &[Share]) -> Result<RootKey> {
    seals.unseal(shares[2].clone()).await?;
    Ok(seals.unseal(shares[0].clone()).await?.unwrap())
}

#[tokio::test]
async fn at_whatever_commit_the_server_dies_the_shares_in_hand_open_what_was_written() {
    for automatic in [false, true] {
        let mut all_steps = 0;
        for commits in 0..6 {
            let memory = Arc::new(MemStore::new());
            let mut held = Held::default();
            let probe = Probe::dying_after(memory.clone(), commits);
            let died = live(&probe, automatic, &mut held).await.is_err();
            // Initialize, reserve, write, rekey, rekey.
            assert_eq!(died, commits < 5);
            all_steps = all_steps.max(held.steps);
            let (seals, barrier) = (seals(&memory, automatic), sealed_barrier(&memory));
            let Some(shares) = held.certain else {
                assert_eq!(memory.list("", "", 9).await.unwrap(), [""; 0], "half initialized");
                continue;
            };
            let root_key = open_with_shares(&seals, &shares).await.unwrap();
            assert_eq!(seals.auto_unseal().await.unwrap(), automatic.then(|| root_key.clone()));
            barrier.unseal(&root_key).await.unwrap();
            let text = text_at(&barrier, "kv/a").await.unwrap();
            assert_eq!(text.is_some(), held.steps >= 2, "{commits}");
        }
        assert_eq!(all_steps, 4);
    }
}

#[tokio::test]
async fn old_shares_are_worth_nothing_after_a_rekey() {
    let memory = Arc::new(MemStore::new());
    let probe = Probe::new(memory.clone());
    let (seals, barrier) = (seals(&probe, false), sealed_barrier(&probe));
    let outcome = seals.initialize(Some(Split::new(3, 2).unwrap())).await.unwrap();
    barrier.initialize_with(&outcome.root_key, outcome.batch).await.unwrap();
    let old_record = memory.get(RECORD).await.unwrap().unwrap();
    barrier.unseal(&outcome.root_key).await.unwrap();
    let options = RekeyOptions {
        target: RekeyTarget::Root,
        split: Split::new(1, 1).unwrap(),
        require_verification: false,
    };
    let nonce = seals.rekey_start(options).await.unwrap().nonce;
    let (target, shares) = (RekeyTarget::Root, &outcome.key_shares);
    seals.rekey_update(target, &nonce, shares[0].clone()).await.unwrap();
    let step = seals.rekey_update(target, &nonce, shares[1].clone()).await.unwrap();
    let RekeyStep::Commit { change, .. } = step else { panic!() };
    barrier.rekey_with(&change.root_key, change.batch).await.unwrap();
    assert!(open_with_shares(&seals, shares).await.is_err());
    // Not even somebody who kept the seal record of that time gets at the keyring.
    memory.commit(store_api::Batch::new().put(RECORD, old_record.value)).await.unwrap();
    let old_root = open_with_shares(&seals, shares).await.unwrap();
    let error = sealed_barrier(&memory).unseal(&old_root).await.unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.public().contains(KEYRING), "{error:?}");
}

#[tokio::test]
async fn two_servers_that_initialize_at_once_do_not_mix() {
    let memory = Arc::new(MemStore::new());
    let first = seals(&memory, false).initialize(Some(Split::new(1, 1).unwrap())).await.unwrap();
    let second = seals(&memory, false).initialize(Some(Split::new(1, 1).unwrap())).await.unwrap();
    let (one, other) = (sealed_barrier(&memory), sealed_barrier(&memory));
    one.initialize_with(&first.root_key, first.batch).await.unwrap();
    let error = other.initialize_with(&second.root_key, second.batch).await.unwrap_err();
    assert!(error.is(ErrorKind::Precondition));
    let root_key = seals(&memory, false).unseal(first.key_shares[0].clone()).await.unwrap();
    other.unseal(&root_key.unwrap()).await.unwrap();
}
