use core_seal::{RekeyOptions, RekeyStep, RekeyTarget, RootKeyChange, VerifyStep};

use super::*;

fn options(target: RekeyTarget, split: Split) -> RekeyOptions {
    RekeyOptions { target, split, require_verification: false }
}

/// Starts and gives `shares`; the answer to the last.
async fn rekeyed(seals: &Seals, options: RekeyOptions, shares: &[Share]) -> RekeyStep {
    let target = options.target;
    let nonce = seals.rekey_start(options).await.unwrap().nonce;
    let (last, others) = shares.split_last().unwrap();
    for (share, progress) in others.iter().zip(1..) {
        let step = seals.rekey_update(target, &nonce, share.clone()).await.unwrap();
        let RekeyStep::Continue(status) = step else { panic!("too early") };
        assert_eq!(status.progress, progress);
    }
    seals.rekey_update(target, &nonce, last.clone()).await.unwrap()
}

async fn commit(store: &MemStore, change: &RootKeyChange) {
    store.commit(change.batch.clone()).await.unwrap();
}

#[tokio::test]
async fn new_shares_replace_the_old_ones_at_the_commit() {
    let (store, seals, outcome) = initialized(vec![], Some(split(5, 3))).await;
    let step =
        rekeyed(&seals, options(RekeyTarget::Root, split(3, 2)), &outcome.key_shares[..3]).await;
    let RekeyStep::Commit { key_shares, change, .. } = step else { panic!() };
    assert_eq!(key_shares.len(), 3);
    assert_ne!(change.root_key, outcome.root_key);
    let old = unseal_with(&seals, &outcome.key_shares[..3]).await.unwrap();
    assert_eq!(old.unwrap(), outcome.root_key, "before the commit nothing has changed");
    commit(&store, &change).await;
    assert_eq!(unseal_with(&seals, &key_shares[..2]).await.unwrap().unwrap(), change.root_key);
    assert!(unseal_with(&seals, &outcome.key_shares[..2]).await.is_err());
    let status = seals.rekey_status(RekeyTarget::Root).await.unwrap();
    assert_eq!((status.started, status.required), (false, 2));
}

#[tokio::test]
async fn wrong_nonces_repeated_shares_and_wrong_shares_are_refused() {
    let (_, seals, outcome) = initialized(vec![], Some(split(3, 2))).await;
    let (root, shares) = (RekeyTarget::Root, &outcome.key_shares);
    let update =
        async |nonce: &str, share: &Share| seals.rekey_update(root, nonce, share.clone()).await;
    assert_eq!(update("x", &shares[0]).await.unwrap_err().public(), "no rotation in progress");
    let status = seals.rekey_start(options(root, split(1, 1))).await.unwrap();
    assert_eq!((status.threshold, status.shares, status.required), (1, 1, 2));
    let again = seals.rekey_start(options(root, split(1, 1))).await.unwrap_err();
    assert_eq!(again.public(), "rotation already in progress");
    let nonce = status.nonce;
    assert!(update("bad", &shares[0]).await.unwrap_err().public().contains(&nonce));
    update(&nonce, &shares[0]).await.unwrap();
    let error = update(&nonce, &shares[0]).await.unwrap_err();
    assert_eq!(error.public(), "given key has already been provided during this rotation");
    assert!(update(&nonce, &foreign_share()).await.is_err());
    let status = seals.rekey_status(root).await.unwrap();
    assert_eq!((status.nonce.as_str(), status.progress), (nonce.as_str(), 0));
    seals.rekey_cancel(RekeyTarget::Recovery); // Another operation than this.
    update(&nonce, &shares[0]).await.unwrap();
    seals.rekey_cancel(root);
    assert!(update(&nonce, &shares[1]).await.is_err());
    assert!(!seals.rekey_status(root).await.unwrap().started);
}

#[tokio::test]
async fn with_verification_nothing_changes_before_the_new_shares_were_shown() {
    let (store, seals, outcome) = initialized(vec![], Some(split(3, 2))).await;
    let root = RekeyTarget::Root;
    assert!(seals.rekey_verify_status(root).is_err());
    let options = RekeyOptions { require_verification: true, ..options(root, split(3, 2)) };
    let step = rekeyed(&seals, options, &outcome.key_shares[..2]).await;
    let RekeyStep::Verify { nonce, key_shares, verification_nonce } = step else { panic!() };
    let status = seals.rekey_status(root).await.unwrap();
    assert_eq!(
        (status.verification_required, &status.verification_nonce),
        (true, &verification_nonce)
    );
    assert!(seals.rekey_update(root, &nonce, outcome.key_shares[2].clone()).await.is_err());
    let verify = |nonce: &str, share: &Share| seals.rekey_verify(root, nonce, share.clone());
    let error = verify("bad", &key_shares[0]).unwrap_err();
    let expected = format!(
        "incorrect nonce supplied; nonce for this verify operation is \"{verification_nonce}\""
    );
    assert_eq!(error.public(), expected);
    assert!(matches!(verify(&verification_nonce, &key_shares[0]), Ok(VerifyStep::Continue(_))));
    assert!(verify(&verification_nonce, &key_shares[0]).is_err());
    assert_eq!(seals.rekey_verify_status(root).unwrap().progress, 1);
    // The old shares are not the new ones; a failure takes a new nonce.
    assert!(verify(&verification_nonce, &outcome.key_shares[0]).is_err());
    assert!(verify(&verification_nonce, &key_shares[1]).is_err());
    let status = seals.rekey_verify_status(root).unwrap();
    assert_eq!((status.progress, status.threshold, status.shares), (0, 2, 3));
    let restarted = seals.rekey_verify_restart(root).unwrap();
    assert_ne!(restarted.nonce, status.nonce);
    verify(&restarted.nonce, &key_shares[2]).unwrap();
    assert!(unseal_with(&seals, &key_shares[..2]).await.is_err());
    let step = verify(&restarted.nonce, &key_shares[1]).unwrap();
    let VerifyStep::Commit { change, .. } = step else { panic!() };
    commit(&store, &change).await;
    assert_eq!(unseal_with(&seals, &key_shares[..2]).await.unwrap().unwrap(), change.root_key);
    assert!(!seals.rekey_status(root).await.unwrap().started);
}

#[tokio::test]
async fn with_an_automatic_seal_the_root_key_changes_and_the_recovery_keys_stay() {
    let (store, seals, outcome) =
        initialized(automatic(static_key("1", 7)), Some(split(3, 2))).await;
    let options = options(RekeyTarget::Root, split(1, 1));
    let step = rekeyed(&seals, options, &outcome.key_shares[..2]).await;
    let RekeyStep::Commit { key_shares, change, .. } = step else { panic!() };
    assert!(key_shares.is_empty());
    commit(&store, &change).await;
    assert_ne!(change.root_key, outcome.root_key);
    assert_eq!(seals.auto_unseal().await.unwrap().unwrap(), change.root_key);
    let recovered = unseal_with(&seals, &outcome.key_shares[1..]).await.unwrap();
    assert_eq!(recovered.unwrap(), change.root_key);
}

#[tokio::test]
async fn recovery_keys_are_replaced_on_their_own() {
    let (store, seals, outcome) =
        initialized(automatic(static_key("1", 7)), Some(split(3, 2))).await;
    let options =
        RekeyOptions { require_verification: true, ..options(RekeyTarget::Recovery, split(5, 3)) };
    let step = rekeyed(&seals, options, &outcome.key_shares[..2]).await;
    let RekeyStep::Verify { key_shares, verification_nonce, .. } = step else { panic!() };
    assert_eq!(key_shares.len(), 5);
    let mut steps = Vec::new();
    for share in &key_shares[..3] {
        let share = share.clone();
        steps.push(seals.rekey_verify(RekeyTarget::Recovery, &verification_nonce, share).unwrap());
    }
    let Some(VerifyStep::Commit { change, .. }) = steps.pop() else { panic!() };
    commit(&store, &change).await;
    assert_eq!(seals.auto_unseal().await.unwrap().unwrap(), change.root_key);
    assert_eq!(unseal_with(&seals, &key_shares[2..]).await.unwrap().unwrap(), change.root_key);
}

#[tokio::test]
async fn without_an_automatic_seal_there_are_no_recovery_keys() {
    let (_, seals, _) = initialized(vec![], Some(split(3, 2))).await;
    let error = seals.rekey_start(options(RekeyTarget::Recovery, split(3, 2))).await.unwrap_err();
    assert_eq!(error.public(), "recovery keys not supported");
}

/// Two administrators at two servers: the second commit is refused, not mixed with the first.
#[tokio::test]
async fn a_change_made_on_an_old_record_is_refused() {
    let (store, seals, outcome) = initialized(vec![], Some(split(3, 2))).await;
    let other = super::seals(&store, vec![]);
    let mut changes = Vec::new();
    for seals in [&seals, &other] {
        let options = options(RekeyTarget::Root, split(3, 2));
        let step = rekeyed(seals, options, &outcome.key_shares[..2]).await;
        let RekeyStep::Commit { change, .. } = step else { panic!() };
        changes.push(change);
    }
    commit(&store, &changes[0]).await;
    assert!(store.commit(changes[1].batch.clone()).await.is_err());
}
