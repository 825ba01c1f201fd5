use core_seal::{RekeyOptions, RekeyTarget};

use super::*;

#[tokio::test]
async fn it_opens_by_itself_and_recovery_keys_open_when_it_is_lost() {
    let (store, seals, outcome) =
        initialized(automatic(static_key("1", 7)), Some(split(5, 3))).await;
    assert!(outcome.has_recovery_keys);
    assert_eq!(seals.auto_unseal().await.unwrap().unwrap(), outcome.root_key);
    let status = seals.status().await.unwrap();
    assert_eq!((status.kind.as_str(), status.recovery_seal), ("static", true));
    assert_eq!((status.threshold, status.shares), (3, 5));
    // The key file is gone, or the configuration that named it.
    let without = super::seals(&store, vec![]);
    assert_eq!(without.auto_unseal().await.unwrap(), None);
    assert!(without.status().await.unwrap().recovery_seal);
    assert_eq!(
        unseal_with(&without, &outcome.key_shares[1..4]).await.unwrap().unwrap(),
        outcome.root_key
    );
}

#[tokio::test]
async fn a_wrong_key_says_so_and_the_shares_still_open() {
    let (store, _, outcome) = initialized(automatic(static_key("1", 7)), Some(split(2, 2))).await;
    for (seal, part) in [
        (static_key("1", 8), "the key with id \"1\" does not open the root key"),
        (static_key("2", 8), "by the key with id \"1\", which is not configured"),
    ] {
        let seals = seals(&store, automatic(seal));
        let error = seals.auto_unseal().await.unwrap_err();
        assert!(error.public().contains(part), "{error:?}");
        let root_key = unseal_with(&seals, &outcome.key_shares).await.unwrap().unwrap();
        assert_eq!(root_key, outcome.root_key);
    }
}

#[tokio::test]
async fn the_next_key_takes_over_from_the_previous() {
    let (store, seals, outcome) = initialized(automatic(static_key("1", 7)), None).await;
    assert!(outcome.key_shares.is_empty());
    assert!(!seals.refresh(&outcome.root_key).await.unwrap());
    let next = static_key("2", 8).with_previous("1", &Secret::new([7; 32])).unwrap();
    let next = super::seals(&store, automatic(next));
    let root_key = next.auto_unseal().await.unwrap().unwrap();
    assert_eq!(root_key, outcome.root_key);
    assert!(next.refresh(&root_key).await.unwrap());
    assert!(!next.refresh(&root_key).await.unwrap());
    let alone = super::seals(&store, automatic(static_key("2", 8)));
    assert_eq!(alone.auto_unseal().await.unwrap().unwrap(), root_key);
    assert!(seals.auto_unseal().await.is_err());
}

#[tokio::test]
async fn a_seal_may_be_added_later() {
    let (store, _, outcome) = initialized(vec![], Some(split(3, 2))).await;
    let with = seals(&store, automatic(static_key("1", 7)));
    assert_eq!(with.auto_unseal().await.unwrap(), None);
    let root_key = unseal_with(&with, &outcome.key_shares[..2]).await.unwrap().unwrap();
    assert!(with.refresh(&root_key).await.unwrap());
    assert_eq!(with.auto_unseal().await.unwrap().unwrap(), root_key);
    assert_eq!(unseal_with(&with, &outcome.key_shares[1..]).await.unwrap().unwrap(), root_key);
    assert!(with.status().await.unwrap().recovery_seal);
}

#[tokio::test]
async fn any_of_several_seals_opens() {
    let other = |byte| -> Arc<dyn Seal> {
        let key = Secret::new([byte; 32]);
        Arc::new(StaticKey::new("other", "1", &key, Arc::new(SystemRandom)).unwrap())
    };
    let both = vec![Arc::new(static_key("1", 7)) as Arc<dyn Seal>, other(9)];
    let (store, _, outcome) = initialized(both, None).await;
    for one in [automatic(static_key("1", 7)), vec![other(9)]] {
        assert_eq!(seals(&store, one).auto_unseal().await.unwrap().unwrap(), outcome.root_key);
    }
    // The first is broken: the second opens, and the first is wrapped anew.
    let half = vec![Arc::new(static_key("3", 3)) as Arc<dyn Seal>, other(9)];
    let half = seals(&store, half);
    assert_eq!(half.auto_unseal().await.unwrap().unwrap(), outcome.root_key);
    assert!(half.refresh(&outcome.root_key).await.unwrap());
    let repaired = seals(&store, automatic(static_key("3", 3)));
    assert_eq!(repaired.auto_unseal().await.unwrap().unwrap(), outcome.root_key);
    let broken = vec![Arc::new(static_key("3", 4)) as Arc<dyn Seal>, other(8)];
    let error = seals(&store, broken).auto_unseal().await.unwrap_err();
    assert!(
        error.public().contains("\"machine\"") && error.public().contains("\"other\""),
        "{error:?}"
    );
}

#[tokio::test]
async fn without_shares_nothing_can_be_authorized() {
    let (_, seals, _) = initialized(automatic(static_key("1", 7)), None).await;
    assert_eq!(seals.status().await.unwrap().shares, 0);
    assert_eq!(seals.generate_root_status().await.unwrap().required, 0);
    assert_eq!(seals.rekey_status(RekeyTarget::Recovery).await.unwrap().required, 0);
    let (target, split) = (RekeyTarget::Recovery, split(3, 2));
    let options = RekeyOptions { target, split, require_verification: false };
    for refusal in [
        seals.unseal(foreign_share()).await.map(drop),
        seals.generate_root_start(None, 8).await.map(drop),
        seals.rekey_start(options).await.map(drop),
    ] {
        assert_eq!(refusal.unwrap_err().public(), "this installation has no recovery keys");
    }
}

#[test]
fn the_configuration_is_checked() {
    let key = Secret::new([1; 32]);
    let new = |id: &str| StaticKey::new("machine", id, &key, Arc::new(SystemRandom));
    assert!(new("").is_err());
    assert!(new(&"x".repeat(256)).is_err());
    assert!(new(&"x".repeat(255)).is_ok());
    assert!(new("1").unwrap().with_previous("1", &key).is_err());
    let twice = vec![Arc::new(static_key("1", 1)) as Arc<dyn Seal>, Arc::new(static_key("2", 2))];
    let error = Seals::new(Arc::new(MemStore::new()), Arc::new(SystemRandom), twice).err();
    assert!(error.unwrap().public().contains("machine"));
}
