use base_crypto::{SeededRandom, hex, shamir};
use base_types::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core_seal::{decode_token, parse_key, parse_share};

use crate::text;

/// Unseal shares and static keys: each has the length of one however it is written, shares combine
/// to the secret they were made from in any order, and arbitrary ones are combined or refused.
pub fn shares(data: &[u8]) {
    share(&text(data));
    key(data);
    combine(data);
    split(data);
    let _ = decode_token(
        &text(data),
        &Secret::new("one-time-pad-of-38-letters-for-a-token".to_owned()),
    );
}

fn share(text: &str) {
    let Ok(share) = parse_share(text) else { return };
    let bytes = share.expose();
    assert!((16..=33).contains(&bytes.len()));
    assert_eq!(parse_share(&hex(bytes)).ok().as_ref(), Some(&share));
    // The base64 of some lengths is hexadecimal by chance, and then read as that.
    let base64 = STANDARD.encode(bytes);
    if !base64.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        assert_eq!(parse_share(&base64).ok(), Some(share));
    }
}

fn key(data: &[u8]) {
    let Ok(key) = parse_key(data) else { return };
    assert_eq!(parse_key(hex(key.expose()).as_bytes()).ok().as_ref(), Some(&key));
    assert_eq!(parse_key(STANDARD.encode(key.expose()).as_bytes()).ok(), Some(key));
}

/// The first byte is the length of the shares that the rest is cut into.
fn combine(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let length = usize::from(*length % 40).max(1);
    let mut shares: Vec<&[u8]> = rest.chunks(length).take(255).collect();
    let Ok(secret) = shamir::combine(&shares) else { return };
    assert_eq!(secret.expose().len(), length - 1);
    let points: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    assert!(points.iter().all(|point| *point != 0));
    assert!(points.iter().enumerate().all(|(at, point)| !points[..at].contains(point)));
    shares.reverse();
    assert_eq!(shamir::combine(&shares).ok(), Some(secret));
}

fn split(data: &[u8]) {
    let Some((&[shares, threshold], secret)) = data.split_first_chunk() else { return };
    let (shares, threshold) = (shares % 9, threshold % 9);
    let secret = &secret[..secret.len().min(33)];
    let made = shamir::split(&SeededRandom::new(1), secret, shares, threshold);
    let possible = 2 <= threshold && threshold <= shares && !secret.is_empty();
    assert_eq!(made.is_ok(), possible);
    let Ok(made) = made else { return };
    let made: Vec<&[u8]> = made.iter().map(|share| &**share.expose()).collect();
    for few in made.windows(threshold.into()) {
        assert_eq!(shamir::combine(few).unwrap().expose(), secret);
    }
}
