use base_types::Result;
use core_seal::{GenerateRootStep, decode_token, encode_token};

use super::*;

async fn started(shares: u64, threshold: u64) -> (Seals, Vec<Share>, String, Secret<String>) {
    let (_, seals, outcome) = initialized(vec![], Some(split(shares, threshold))).await;
    let (status, otp) = seals.generate_root_start(None, 30).await.unwrap();
    assert!(status.started);
    (seals, outcome.key_shares, status.nonce, otp)
}

fn progress(step: Result<GenerateRootStep>) -> u8 {
    match step.unwrap() {
        GenerateRootStep::Continue(status) => status.progress,
        GenerateRootStep::Authorized { .. } => panic!("authorized too early"),
    }
}

#[tokio::test]
async fn enough_shares_authorize_and_the_pad_hides_the_token() {
    let (seals, shares, nonce, otp) = started(5, 3).await;
    assert_eq!(otp.expose().len(), 30);
    assert_eq!(progress(seals.generate_root_update(&nonce, shares[0].clone()).await), 1);
    assert_eq!(progress(seals.generate_root_update(&nonce, shares[4].clone()).await), 2);
    assert_eq!(seals.generate_root_status().await.unwrap().progress, 2);
    let step = seals.generate_root_update(&nonce, shares[2].clone()).await.unwrap();
    let GenerateRootStep::Authorized { otp: pad, required: 3, .. } = step else { panic!() };
    let token = Secret::new("s.abcdefghijklmnopqrstuvwxyz12".to_owned());
    let encoded = encode_token(&token, &pad).unwrap();
    assert_eq!(decode_token(&encoded, &otp).unwrap(), token);
    let status = seals.generate_root_status().await.unwrap();
    assert_eq!((status.started, status.progress, status.required), (false, 0, 3));
    let error = seals.generate_root_update(&nonce, shares[0].clone()).await.unwrap_err();
    assert_eq!(error.public(), "no root generation in progress");
}

#[tokio::test]
async fn wrong_nonces_repeated_shares_and_wrong_shares_are_refused() {
    let (seals, shares, nonce, _) = started(3, 2).await;
    let error = seals.generate_root_update("bad", shares[0].clone()).await.unwrap_err();
    let expected = format!(
        "incorrect nonce supplied; nonce for this root generation operation is \"{nonce}\""
    );
    assert_eq!(error.public(), expected);
    assert_eq!(progress(seals.generate_root_update(&nonce, shares[0].clone()).await), 1);
    let error = seals.generate_root_update(&nonce, shares[0].clone()).await.unwrap_err();
    let expected = "given key has already been provided during this generation operation";
    assert_eq!(error.public(), expected);
    let error = seals.generate_root_update(&nonce, foreign_share()).await.unwrap_err();
    assert!(error.public().starts_with("root generation aborted: unable to authenticate: "));
    // The operation goes on with the same nonce, from the first share.
    let status = seals.generate_root_status().await.unwrap();
    assert_eq!((status.nonce.as_str(), status.progress), (nonce.as_str(), 0));
    assert_eq!(progress(seals.generate_root_update(&nonce, shares[1].clone()).await), 1);
    let step = seals.generate_root_update(&nonce, shares[2].clone()).await.unwrap();
    assert!(matches!(step, GenerateRootStep::Authorized { .. }));
}

#[tokio::test]
async fn one_at_a_time_until_it_is_cancelled() {
    let (seals, shares, nonce, _) = started(3, 2).await;
    assert!(seals.generate_root_start(None, 30).await.is_err());
    seals.generate_root_cancel();
    assert!(seals.generate_root_update(&nonce, shares[0].clone()).await.is_err());
    let short = Some(Secret::new("short".to_owned()));
    let error = seals.generate_root_start(short, 30).await.unwrap_err();
    assert_eq!(error.public(), "OTP string has incorrect length");
    let own = Secret::new("x".repeat(30));
    let (status, otp) = seals.generate_root_start(Some(own.clone()), 30).await.unwrap();
    assert_eq!(otp, own);
    assert_ne!(status.nonce, nonce);
}

#[tokio::test]
async fn recovery_keys_authorize_too() {
    let (_, seals, outcome) = initialized(automatic(static_key("1", 7)), Some(split(1, 1))).await;
    let (status, _) = seals.generate_root_start(None, 30).await.unwrap();
    let share = outcome.key_shares[0].clone();
    let step = seals.generate_root_update(&status.nonce, share).await.unwrap();
    assert!(matches!(step, GenerateRootStep::Authorized { .. }));
}
