use std::sync::atomic::Ordering;

use base_crypto::{AeadKey, SeededRandom, hex};
use base_types::{Clock, ErrorKind, Ttl};
use core_barrier::{KEYRING, RotationConfig};
use store_api::{Batch, Entry, Expect};

use super::*;
use crate::probe::Probe;

async fn stored(store: &impl Store, key: &str) -> Entry {
    store.get(key).await.unwrap().unwrap()
}

async fn overwrite(store: &impl Store, key: &str, value: Vec<u8>) {
    store.commit(Batch::new().put(key, value)).await.unwrap();
}

fn few_operations() -> RotationConfig {
    RotationConfig { max_operations: 1_000_000, ..RotationConfig::default() }
}

#[tokio::test]
async fn golden_bytes_of_the_keyring_and_of_a_value() {
    let store = Arc::new(MemStore::new());
    let barrier = Barrier::new(store.clone(), Arc::new(SeededRandom::new(1)), clock());
    barrier.initialize(&root_key()).await.unwrap();
    barrier.unseal(&root_key()).await.unwrap();
    barrier.rotate().await.unwrap();
    barrier.view("kv/").put("a", &note("hello")).await.unwrap();
    let keyring = stored(&*store, KEYRING).await.value;
    assert_eq!(hex(&keyring[..5]), "0000000001");
    let plaintext = AeadKey::new(&root_key()).open(KEYRING.as_bytes(), &keyring[5..]).unwrap();
    assert_eq!(plaintext[0], 1);
    assert_eq!(
        str::from_utf8(&plaintext[1..]).unwrap(),
        include_str!("golden/keyring.json").trim()
    );
    assert_eq!(hex(&keyring), include_str!("golden/keyring.hex").trim());
    assert_eq!(hex(&stored(&*store, "kv/a").await.value), include_str!("golden/value.hex").trim());
}

/// What was written by this version must be read by every later one.
#[tokio::test]
async fn yesterdays_bytes_are_read() {
    let store = Arc::new(MemStore::new());
    let bytes = |text: &str| base_crypto::unhex(text.trim()).unwrap();
    overwrite(&*store, KEYRING, bytes(include_str!("golden/keyring.hex"))).await;
    overwrite(&*store, "kv/a", bytes(include_str!("golden/value.hex"))).await;
    let barrier = reopened(&store).await;
    assert_eq!(text_at(&barrier, "kv/a").await.unwrap().unwrap(), "hello");
    assert_eq!(barrier.key_status().unwrap().term, 2);
    assert_eq!(barrier.key_status().unwrap().install_time, clock().now());
}

#[tokio::test]
async fn initializing_twice_changes_nothing() {
    let (store, barrier) = new_barrier().await;
    let before = stored(&*store, KEYRING).await;
    let error = barrier.initialize(&Secret::new([9; 32])).await.unwrap_err();
    assert!(error.is(ErrorKind::Precondition));
    assert_eq!(stored(&*store, KEYRING).await, before);
}

#[tokio::test]
async fn a_wrong_root_key_opens_nothing_and_changes_nothing() {
    let (store, _) = new_barrier().await;
    let barrier = sealed_barrier(&store);
    let error = barrier.unseal(&Secret::new([2; 32])).await.unwrap_err();
    assert!(error.is(ErrorKind::Invalid), "{error:?}");
    assert!(barrier.is_sealed());
    barrier.unseal(&root_key()).await.unwrap();
    barrier.unseal(&Secret::new([2; 32])).await.unwrap_err();
    assert!(!barrier.is_sealed());
    let empty = sealed_barrier(&Arc::new(MemStore::new()));
    assert!(!empty.is_initialized().await.unwrap());
    assert!(empty.unseal(&root_key()).await.unwrap_err().is(ErrorKind::Sealed));
}

#[tokio::test]
async fn sealed_everything_is_refused() {
    let (_, barrier) = new_barrier().await;
    let view = barrier.view("kv/");
    view.put("a", &note("x")).await.unwrap();
    barrier.seal();
    let refusals = [
        view.get::<Note>("a").await.map(drop),
        view.get::<Note>("none").await.map(drop),
        view.list("", "", 0).await.map(drop),
        view.keys("", "", 0).await.map(drop),
        view.put("a", &note("y")).await,
        view.delete("a").await,
        view.delete_prefix_page("", 1).await.map(drop),
        view.transact(async |tx| tx.get::<Note>("a").await.map(drop)).await,
        view.transact(async |tx| tx.get::<Note>("none").await.map(drop)).await,
        view.transact(async |tx| tx.put("a", &note("z"))).await,
        barrier.rotate().await.map(drop),
        barrier.rotate_if_due().await.map(drop),
        barrier.rekey(&root_key()).await,
        barrier.key_status().map(drop),
        barrier.rotation_config().map(drop),
        barrier.set_rotation_config(RotationConfig::default()).await,
        barrier.derive_key("label").map(drop),
    ];
    for (at, refusal) in refusals.into_iter().enumerate() {
        assert!(refusal.unwrap_err().is(ErrorKind::Sealed), "{at}");
    }
    barrier.unseal(&root_key()).await.unwrap();
    assert_eq!(text_at(&barrier, "kv/a").await.unwrap().unwrap(), "x");
}

#[tokio::test]
async fn any_flipped_bit_in_a_value_is_named_and_hurts_nothing_else() {
    let (store, barrier) = new_barrier().await;
    for key in ["kv/a", "kv/b"] {
        barrier.view("").put(key, &note(key)).await.unwrap();
    }
    let value = stored(&*store, "kv/a").await.value;
    for bit in 0..value.len() * 8 {
        let mut broken = value.to_vec();
        broken[bit / 8] ^= 1 << (bit % 8);
        overwrite(&*store, "kv/a", broken).await;
        let error = text_at(&barrier, "kv/a").await.unwrap_err();
        assert!(error.is(ErrorKind::Corrupt), "bit {bit}: {error:?}");
        assert!(error.public().contains("kv/a"), "{}", error.public());
        assert_eq!(text_at(&barrier, "kv/b").await.unwrap().unwrap(), "kv/b");
    }
    for length in 0..value.len() {
        overwrite(&*store, "kv/a", value[..length].to_vec()).await;
        assert!(text_at(&barrier, "kv/a").await.unwrap_err().is(ErrorKind::Corrupt));
    }
    overwrite(&*store, "kv/a", value.to_vec()).await;
    assert_eq!(text_at(&barrier, "kv/a").await.unwrap().unwrap(), "kv/a");
}

#[tokio::test]
async fn any_flipped_bit_in_the_keyring_keeps_the_barrier_sealed() {
    let (store, _) = new_barrier().await;
    let value = stored(&*store, KEYRING).await.value;
    for bit in 0..value.len() * 8 {
        let mut broken = value.to_vec();
        broken[bit / 8] ^= 1 << (bit % 8);
        overwrite(&*store, KEYRING, broken).await;
        let barrier = sealed_barrier(&store);
        let error = barrier.unseal(&root_key()).await.unwrap_err();
        assert!(error.public().contains(KEYRING), "bit {bit}: {error:?}");
        assert!(barrier.is_sealed());
    }
}

#[tokio::test]
async fn a_value_moved_to_another_key_is_refused() {
    let (store, barrier) = new_barrier().await;
    barrier.view("kv/").put("mine", &note("secret")).await.unwrap();
    let value = stored(&*store, "kv/mine").await.value;
    overwrite(&*store, "kv/yours", value.to_vec()).await;
    let error = text_at(&barrier, "kv/yours").await.unwrap_err();
    assert!(error.is(ErrorKind::Corrupt) && error.public().contains("kv/yours"), "{error:?}");
    // Neither does the keyring pass for a value, nor a value for the keyring.
    overwrite(&*store, "kv/yours", stored(&*store, KEYRING).await.value.to_vec()).await;
    assert!(text_at(&barrier, "kv/yours").await.unwrap_err().is(ErrorKind::Corrupt));
    overwrite(&*store, KEYRING, value.to_vec()).await;
    assert!(sealed_barrier(&store).unseal(&root_key()).await.is_err());
}

#[tokio::test]
async fn rotation_and_rekey_keep_values_and_derived_keys() {
    let (store, barrier) = new_barrier().await;
    let derived = barrier.derive_key("audit").unwrap();
    assert_ne!(derived, barrier.derive_key("tokens").unwrap());
    for term in 1..=5 {
        assert_eq!(barrier.key_status().unwrap().term, term);
        let key = format!("kv/{term}");
        barrier.view("").put(&key, &note(&key)).await.unwrap();
        assert_eq!(stored(&*store, &key).await.value[..4], term.to_be_bytes());
        assert_eq!(barrier.rotate().await.unwrap(), term + 1);
    }
    let new_root = Secret::new([3; 32]);
    barrier.rekey(&new_root).await.unwrap();
    barrier.rotate().await.unwrap(); // Under the new root key, too.
    let other = sealed_barrier(&store);
    assert!(other.unseal(&root_key()).await.is_err());
    other.unseal(&new_root).await.unwrap();
    for barrier in [&barrier, &other] {
        assert_eq!(barrier.derive_key("audit").unwrap(), derived);
        assert_eq!(barrier.key_status().unwrap().term, 7);
        for term in 1..=5 {
            let key = format!("kv/{term}");
            assert_eq!(text_at(barrier, &key).await.unwrap().unwrap(), key);
        }
    }
    let (_, elsewhere) = new_barrier().await;
    assert_ne!(elsewhere.derive_key("audit").unwrap(), derived);
}

#[tokio::test]
async fn the_count_of_encryptions_survives_a_kill_without_a_write_for_each() {
    let (memory, barrier) = new_barrier().await;
    barrier.set_rotation_config(few_operations()).await.unwrap();
    let probe = Probe::new(memory.clone());
    let barrier = reopened(&probe).await;
    for count in 1..=20_000 {
        barrier.view("").put("a", &note("x")).await.unwrap();
        assert_eq!(barrier.key_status().unwrap().encryptions, count);
    }
    // 15,625 at a time: two reservations.
    assert_eq!(probe.commits.load(Ordering::SeqCst), 20_002);
    drop(barrier);
    let barrier = reopened(&memory).await;
    assert_eq!(barrier.key_status().unwrap().encryptions, 31_250);
    // Only starting and reading uses nothing up.
    text_at(&barrier, "a").await.unwrap();
    assert_eq!(reopened(&memory).await.key_status().unwrap().encryptions, 31_250);
}

#[tokio::test]
async fn the_key_is_replaced_before_its_limit_however_often_the_server_dies() {
    let (store, barrier) = new_barrier().await;
    barrier.set_rotation_config(few_operations()).await.unwrap();
    for round in 1..=64 {
        let barrier = reopened(&store).await;
        barrier.view("").put("a", &note("x")).await.unwrap();
        assert_eq!(barrier.key_status().unwrap().term, 1, "{round}");
    }
    let barrier = reopened(&store).await;
    assert_eq!(barrier.key_status().unwrap().encryptions, 1_000_000);
    barrier.view("").put("b", &note("y")).await.unwrap();
    let status = barrier.key_status().unwrap();
    assert_eq!((status.term, status.encryptions), (2, 1));
    assert_eq!(text_at(&barrier, "a").await.unwrap().unwrap(), "x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_write_at_once_are_all_counted() {
    let (_, barrier) = new_barrier().await;
    barrier.set_rotation_config(few_operations()).await.unwrap();
    let write = |task: u32| {
        let view = barrier.view("kv/");
        async move {
            for _ in 0..5000 {
                view.put(&task.to_string(), &note("x")).await.unwrap();
            }
        }
    };
    let tasks: Vec<_> = (0..4).map(|task| tokio::spawn(write(task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(barrier.key_status().unwrap().encryptions, 20_000);
}

#[tokio::test]
async fn the_configuration_is_kept_checked_and_followed() {
    let store = Arc::new(MemStore::new());
    let clock = clock();
    let open = || Barrier::new(store.clone(), Arc::new(SystemRandom), clock.clone());
    open().initialize(&root_key()).await.unwrap();
    let barrier = open();
    barrier.unseal(&root_key()).await.unwrap();
    assert_eq!(barrier.rotation_config().unwrap(), RotationConfig::default());
    let wrong = RotationConfig { max_operations: 5, ..RotationConfig::default() };
    assert!(barrier.set_rotation_config(wrong).await.unwrap_err().is(ErrorKind::Invalid));
    let day = Ttl::from_seconds(86_400);
    let daily = RotationConfig { interval: day, ..RotationConfig::default() };
    barrier.set_rotation_config(daily).await.unwrap();
    assert_eq!(reopened(&store).await.rotation_config().unwrap(), daily);
    assert_eq!(barrier.rotate_if_due().await.unwrap(), None);
    clock.advance(day);
    assert_eq!(barrier.rotate_if_due().await.unwrap(), Some(2));
    assert_eq!(barrier.rotate_if_due().await.unwrap(), None);
    let off = RotationConfig { enabled: false, ..daily };
    barrier.set_rotation_config(off).await.unwrap();
    clock.advance(day);
    assert_eq!(barrier.rotate_if_due().await.unwrap(), None);
}

/// A lower limit holds at once, also for encryptions that are reserved already.
#[tokio::test]
async fn a_lowered_limit_is_enforced_by_the_next_write() {
    let (store, barrier) = new_barrier().await;
    barrier.view("").put("a", &note("x")).await.unwrap(); // Reserves 2^20.
    drop(barrier);
    let barrier = reopened(&store).await; // Counts 2^20 as used.
    barrier.set_rotation_config(few_operations()).await.unwrap();
    barrier.view("").put("a", &note("y")).await.unwrap();
    assert_eq!(barrier.key_status().unwrap().term, 2);
}

/// Whatever commit fails, what was there before works as before.
#[tokio::test]
async fn a_failed_commit_leaves_the_keyring_as_it_was() {
    for commits in 0..8 {
        let (memory, barrier) = new_barrier().await;
        barrier.view("").put("a", &note("x")).await.unwrap();
        drop(barrier);
        let probe = Probe::dying_after(memory.clone(), commits);
        let barrier = reopened(&probe).await;
        let new_root = Secret::new([3; 32]);
        let done = async {
            barrier.view("").put("b", &note("y")).await?; // Two commits.
            barrier.rotate().await?;
            barrier.set_rotation_config(few_operations()).await?;
            barrier.view("").transact(async |tx| tx.put("c", &note("z"))).await?; // Two, again.
            barrier.rekey(&new_root).await
        };
        assert_eq!(done.await.is_ok(), commits >= 7, "{commits}");
        let (right, wrong) =
            if commits >= 7 { (new_root, root_key()) } else { (root_key(), new_root) };
        let after = sealed_barrier(&memory);
        assert!(after.unseal(&wrong).await.is_err());
        after.unseal(&right).await.unwrap();
        assert_eq!(text_at(&barrier, "a").await.unwrap().unwrap(), "x");
        assert_eq!(text_at(&after, "a").await.unwrap().unwrap(), "x");
        assert_eq!(text_at(&after, "b").await.unwrap().is_some(), commits >= 2);
        assert_eq!(after.key_status().unwrap().term, if commits >= 3 { 2 } else { 1 });
        assert_eq!(after.key_status().unwrap().term, barrier.key_status().unwrap().term);
        assert_eq!(after.rotation_config().unwrap(), barrier.rotation_config().unwrap());
    }
}

#[tokio::test]
async fn a_keyring_that_somebody_else_changed_is_not_overwritten() {
    let (store, barrier) = new_barrier().await;
    let other = reopened(&store).await;
    other.rotate().await.unwrap();
    assert!(barrier.rotate().await.unwrap_err().is(ErrorKind::Precondition));
    assert_eq!(barrier.key_status().unwrap().term, 1);
    barrier.seal();
    barrier.unseal(&root_key()).await.unwrap();
    assert_eq!(barrier.rotate().await.unwrap(), 3);
}

#[tokio::test]
async fn a_batch_goes_with_the_keyring_or_not_at_all() {
    let (store, barrier) = new_barrier().await;
    let before = stored(&*store, KEYRING).await;
    let batch = Batch::new().expect("seal", Expect::At(before.revision)).put("seal", "new");
    let new_root = Secret::new([3; 32]);
    let error = barrier.rekey_with(&new_root, batch).await.unwrap_err();
    assert!(error.is(ErrorKind::Precondition));
    assert_eq!(stored(&*store, KEYRING).await, before);
    assert_eq!(store.get("seal").await.unwrap(), None);
    barrier.rekey_with(&new_root, Batch::new().put("seal", "new")).await.unwrap();
    assert_eq!(stored(&*store, "seal").await.value, "new");
    sealed_barrier(&store).unseal(&new_root).await.unwrap();
}

/// A client that hangs up drops the future of its request, at any point of it.
#[tokio::test]
async fn a_change_whose_caller_went_away_is_finished() {
    let (memory, _) = new_barrier().await;
    let probe = Probe::new(memory.clone());
    let barrier = reopened(&probe).await;
    probe.answers.forget_permits(usize::MAX);
    let caller = tokio::spawn({
        let barrier = barrier.clone();
        async move { barrier.rotate().await }
    });
    while probe.commits.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(barrier.key_status().unwrap().term, 1);
    probe.answers.add_permits(9);
    assert_eq!(barrier.rotate().await.unwrap(), 3);
    assert_eq!(reopened(&memory).await.key_status().unwrap().term, 3);
}

#[tokio::test]
async fn sealed_during_a_change_it_stays_sealed() {
    let (memory, _) = new_barrier().await;
    let probe = Probe::new(memory.clone());
    let barrier = reopened(&probe).await;
    probe.answers.forget_permits(usize::MAX);
    let caller = tokio::spawn({
        let barrier = barrier.clone();
        async move { barrier.rotate().await }
    });
    while probe.commits.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    barrier.seal();
    probe.answers.add_permits(9);
    assert_eq!(caller.await.unwrap().unwrap(), 2);
    assert!(barrier.is_sealed());
    barrier.unseal(&root_key()).await.unwrap();
    assert_eq!(barrier.key_status().unwrap().term, 2);
}

#[tokio::test]
async fn no_view_can_write_the_keyring_or_the_seals() {
    let (store, barrier) = new_barrier().await;
    store.commit(Batch::new().put(core_seal::RECORD, "seal")).await.unwrap();
    let (all, core) = (barrier.view(""), barrier.view("core/"));
    for refusal in [
        all.put(KEYRING, &note("x")).await,
        core.delete("seal").await,
        core.delete_prefix_page("", 9).await.map(drop),
        core.transact(async |tx| tx.put("seal", &note("x"))).await,
    ] {
        assert!(refusal.unwrap_err().is(ErrorKind::Internal));
    }
    assert_eq!(store.list("core/", "", 9).await.unwrap().len(), 2);
}
