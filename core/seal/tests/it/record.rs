use base_crypto::{SeededRandom, hex, unhex};
use core_seal::RECORD;
use store_api::Batch;

use super::*;

async fn stored(store: &MemStore) -> Vec<u8> {
    store.get(RECORD).await.unwrap().unwrap().value.to_vec()
}

async fn overwrite(store: &MemStore, value: Vec<u8>) {
    store.commit(Batch::new().put(RECORD, value)).await.unwrap();
}

fn golden(text: &str) -> Vec<u8> {
    unhex(text.trim()).unwrap()
}

#[tokio::test]
async fn golden_bytes() {
    let random: Arc<SeededRandom> = Arc::new(SeededRandom::new(1));
    let seal = StaticKey::new("machine", "1", &Secret::new([7; 32]), random.clone()).unwrap();
    let store = Arc::new(MemStore::new());
    let seals = Seals::new(store.clone(), random, automatic(seal)).unwrap();
    let outcome = seals.initialize(Some(split(3, 2))).await.unwrap();
    store.commit(outcome.batch).await.unwrap();
    let bytes = stored(&store).await;
    assert_eq!(bytes[0], 1);
    let json = str::from_utf8(&bytes[65..]).unwrap();
    assert_eq!(json, include_str!("golden/record.json").trim());
    assert_eq!(hex(&bytes), include_str!("golden/record.hex").trim());
    assert_eq!(hex(outcome.root_key.expose()), include_str!("golden/root_key.hex").trim());
}

/// What was written by this version must be read by every later one.
#[tokio::test]
async fn yesterdays_bytes_are_read() {
    let store = Arc::new(MemStore::new());
    overwrite(&store, golden(include_str!("golden/record.hex"))).await;
    let opened = seals(&store, automatic(static_key("1", 7))).auto_unseal().await.unwrap();
    let root_key = golden(include_str!("golden/root_key.hex"));
    assert_eq!(opened.unwrap().expose().as_slice(), root_key);
}

#[tokio::test]
async fn any_flipped_bit_or_cut_is_noticed() {
    let (store, seals, _) = initialized(automatic(static_key("1", 7)), Some(split(3, 2))).await;
    let value = stored(&store).await;
    for bit in 0..value.len() * 8 {
        let mut broken = value.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        overwrite(&store, broken).await;
        for error in [seals.status().await.unwrap_err(), seals.auto_unseal().await.unwrap_err()] {
            assert!(error.is(ErrorKind::Corrupt), "bit {bit}");
            assert!(error.public().contains(RECORD));
        }
    }
    for length in 0..value.len() {
        overwrite(&store, value[..length].to_vec()).await;
        assert!(seals.status().await.unwrap_err().is(ErrorKind::Corrupt));
    }
}

/// Somebody who can write to the store, and so can make the digest right, still cannot change
/// what the seals bound, nor leave anything out.
#[tokio::test]
async fn a_record_changed_on_purpose_is_refused_by_whoever_opens_it() {
    let (store, seals, outcome) =
        initialized(automatic(static_key("1", 7)), Some(split(3, 2))).await;
    let value = stored(&store).await;
    let (tag, json) = (value[33..65].to_vec(), String::from_utf8(value[65..].to_vec()).unwrap());
    let shamir = json.find(",{\"name\":\"shamir\"").unwrap();
    for changed in [
        json.replace("\"shares\":3", "\"shares\":9"),
        format!("{}]}}", &json[..shamir]),
        json.replace("]}", "],\"more\":1}"),
    ] {
        assert_ne!(changed, json);
        let protected = [&tag[..], changed.as_bytes()].concat();
        let digest = base_crypto::sha256(&protected);
        overwrite(&store, [&[1], &digest[..], &protected].concat()).await;
        assert!(seals.auto_unseal().await.unwrap_err().is(ErrorKind::Corrupt), "{changed}");
        let _ = seals.unseal(outcome.key_shares[0].clone()).await;
        assert!(!matches!(seals.unseal(outcome.key_shares[1].clone()).await, Ok(Some(_))));
        seals.reset_unseal();
        assert!(seals.refresh(&outcome.root_key).await.unwrap_err().is(ErrorKind::Corrupt));
    }
}
