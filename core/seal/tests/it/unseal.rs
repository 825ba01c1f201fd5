use super::*;

#[tokio::test]
async fn any_three_of_five_open_and_the_status_tells_how_far_it_is() {
    let (store, seals, outcome) = initialized(vec![], Some(split(5, 3))).await;
    assert!(!outcome.has_recovery_keys);
    let shares = &outcome.key_shares;
    assert_eq!(shares.len(), 5);
    for subset in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        let subset = subset.map(|at| shares[at].clone());
        assert_eq!(seals.unseal(subset[0].clone()).await.unwrap(), None);
        let status = seals.status().await.unwrap();
        assert_eq!(
            (status.kind.as_str(), status.initialized, status.recovery_seal),
            ("shamir", true, false)
        );
        assert_eq!((status.threshold, status.shares, status.progress), (3, 5, 1));
        assert_eq!(status.nonce.len(), 36);
        let opened = unseal_with(&seals, &subset[1..]).await.unwrap();
        assert_eq!(opened.unwrap(), outcome.root_key);
        let status = seals.status().await.unwrap();
        assert_eq!((status.progress, status.nonce.as_str()), (0, ""));
    }
    let again = super::seals(&store, vec![]).initialize(Some(split(1, 1))).await.unwrap_err();
    assert!(again.is(ErrorKind::Precondition));
}

#[tokio::test]
async fn a_repeated_share_does_not_count() {
    let (_, seals, outcome) = initialized(vec![], Some(split(3, 2))).await;
    for _ in 0..5 {
        assert_eq!(seals.unseal(outcome.key_shares[0].clone()).await.unwrap(), None);
        assert_eq!(seals.status().await.unwrap().progress, 1);
    }
    seals.reset_unseal();
    assert_eq!(seals.status().await.unwrap().progress, 0);
}

#[tokio::test]
async fn wrong_shares_are_noticed_and_forgotten() {
    let (_, seals, outcome) = initialized(vec![], Some(split(5, 3))).await;
    let right = &outcome.key_shares;
    let wrong = [right[0].clone(), right[1].clone(), foreign_share()];
    let error = unseal_with(&seals, &wrong).await.unwrap_err();
    assert!(error.is(ErrorKind::Invalid));
    assert!(error.public().ends_with("cipher: message authentication failed"), "{error:?}");
    assert_eq!(seals.status().await.unwrap().progress, 0);
    let mut forged = right[1].expose().clone();
    forged[32] = right[0].expose()[32];
    let same_point = [right[0].clone(), Secret::new(forged), right[2].clone()];
    let error = unseal_with(&seals, &same_point).await.unwrap_err();
    assert_eq!(
        error.public(),
        "invalid key: failed to compute combined key: duplicate part detected"
    );
    let lengths = [right[0].clone(), Secret::new(vec![1; 32]), right[2].clone()];
    let error = unseal_with(&seals, &lengths).await.unwrap_err();
    assert_eq!(
        error.public(),
        "invalid key: failed to compute combined key: all parts must be the same length"
    );
    assert_eq!(unseal_with(&seals, &right[2..]).await.unwrap().unwrap(), outcome.root_key);
}

#[tokio::test]
async fn shares_of_another_installation_do_not_open() {
    let (_, seals, _) = initialized(vec![], Some(split(3, 2))).await;
    let (_, _, other) = initialized(vec![], Some(split(3, 2))).await;
    assert!(unseal_with(&seals, &other.key_shares[..2]).await.is_err());
}

#[tokio::test]
async fn a_single_share_is_enough_when_it_is_the_only_one() {
    let (_, seals, outcome) = initialized(vec![], Some(split(1, 1))).await;
    assert_eq!(outcome.key_shares[0].expose().len(), 32);
    assert!(unseal_with(&seals, &[foreign_share()]).await.is_err());
    assert_eq!(unseal_with(&seals, &outcome.key_shares).await.unwrap().unwrap(), outcome.root_key);
}

#[tokio::test]
async fn nothing_works_before_initialization() {
    let seals = seals(&Arc::new(MemStore::new()), vec![]);
    let status = seals.status().await.unwrap();
    assert_eq!((status.kind.as_str(), status.initialized, status.shares), ("shamir", false, 0));
    assert_eq!(seals.auto_unseal().await.unwrap(), None);
    assert!(seals.unseal(foreign_share()).await.unwrap_err().is(ErrorKind::Sealed));
    assert!(seals.generate_root_start(None, 8).await.unwrap_err().is(ErrorKind::Sealed));
    assert!(seals.initialize(None).await.unwrap_err().is(ErrorKind::Invalid));
}
