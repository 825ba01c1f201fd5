//! Shamir's secret sharing over GF(2^8), byte-compatible with Vault's and OpenBao's shares.
//!
//! Each byte of the secret is the value at zero of a polynomial of its own, with random
//! coefficients. A share is the values of all polynomials at one point, and then that point:
//! `y1 || … || yn || x`. The field is that of AES (polynomial 0x11B, FIPS 197, section 4.2).
//! Nothing here branches on or looks up by a secret byte: tables were a leak through the cache
//! (CVE-2023-25000).

use base_types::{Error, Result, Secret};
use zeroize::Zeroizing;

use crate::{Random, random_array};

/// Splits `secret` into `shares`, any `threshold` of which give it back, and fewer say nothing
/// about it. Every share is one byte longer than the secret.
///
/// # Errors
/// `Invalid` unless 2 <= threshold <= shares and the secret has at least one byte.
pub fn split(
    random: &dyn Random,
    secret: &[u8],
    shares: u8,
    threshold: u8,
) -> Result<Vec<Secret<Vec<u8>>>> {
    if threshold < 2 {
        return Err(Error::invalid("threshold must be at least 2"));
    }
    if shares < threshold {
        return Err(Error::invalid("parts cannot be less than threshold"));
    }
    if secret.is_empty() {
        return Err(Error::invalid("cannot split an empty secret"));
    }
    let points = distinct_points(random, shares);
    let mut values = vec![Zeroizing::new(Vec::with_capacity(secret.len() + 1)); points.len()];
    let mut coefficients = Zeroizing::new(vec![0; usize::from(threshold)]);
    for byte in secret {
        random.fill(&mut coefficients);
        coefficients[0] = *byte;
        for (point, values) in points.iter().zip(&mut values) {
            values.push(evaluate(&coefficients, *point));
        }
    }
    let finish = |(point, mut values): (&u8, Zeroizing<Vec<u8>>)| {
        values.push(*point);
        Secret::new(std::mem::take(&mut *values))
    };
    Ok(points.iter().zip(values).map(finish).collect())
}

/// The secret that `shares` were made from, if they are at least the threshold of one split.
/// Whether they are cannot be seen here: wrong shares give a wrong secret, so the secret must be
/// checked by its use.
///
/// # Errors
/// `Invalid` for fewer than two shares, shares of different or too small length, and two shares
/// of the same point.
pub fn combine(shares: &[&[u8]]) -> Result<Secret<Vec<u8>>> {
    if shares.len() < 2 {
        return Err(Error::invalid("less than two parts cannot be used to reconstruct the secret"));
    }
    let length = shares[0].len();
    if length < 2 {
        return Err(Error::invalid("parts must be at least two bytes"));
    }
    if shares.iter().any(|share| share.len() != length) {
        return Err(Error::invalid("all parts must be the same length"));
    }
    let points: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    if points.contains(&0) {
        return Err(Error::invalid("a part has the point zero, which no split makes"));
    }
    if points.iter().enumerate().any(|(at, point)| points[..at].contains(point)) {
        return Err(Error::invalid("duplicate part detected"));
    }
    let weights: Vec<u8> = (0..points.len()).map(|at| weight_at_zero(&points, at)).collect();
    let byte = |at: usize| {
        let terms = shares.iter().zip(&weights).map(|(share, weight)| multiply(share[at], *weight));
        terms.fold(0, |sum, term| sum ^ term)
    };
    Ok(Secret::new((0..length - 1).map(byte).collect()))
}

/// `count` different points other than zero, where the secret itself lies.
fn distinct_points(random: &dyn Random, count: u8) -> Vec<u8> {
    let mut points = Vec::with_capacity(count.into());
    while points.len() < usize::from(count) {
        let [point] = random_array(random);
        if point != 0 && !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// Horner's rule; the constant term comes first.
fn evaluate(coefficients: &[u8], point: u8) -> u8 {
    coefficients.iter().rev().fold(0, |value, coefficient| multiply(value, point) ^ coefficient)
}

/// The value at zero of the Lagrange polynomial that is one at `points[at]` and zero at the others.
fn weight_at_zero(points: &[u8], at: usize) -> u8 {
    let others = points.iter().enumerate().filter(|(other, _)| *other != at);
    others.fold(1, |weight, (_, other)| {
        multiply(weight, multiply(*other, inverse(*other ^ points[at])))
    })
}

/// The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, in constant time.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & mask(b >> bit);
        a = (a << 1) ^ (0x1b & mask(a >> 7));
    }
    product
}

/// All ones if the lowest bit of `bit` is set, else zero. The black box keeps the compiler from
/// turning the mask back into a branch.
fn mask(bit: u8) -> u8 {
    std::hint::black_box(bit & 1).wrapping_neg()
}

/// a^254, which is 1/a because the group has 255 members; zero for zero.
fn inverse(a: u8) -> u8 {
    let mut power = multiply(a, a);
    let mut result = power;
    for _ in 0..6 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{SeededRandom, SystemRandom, unhex};

    /// The five unseal keys of an OpenBao 2.7.2 server that lived for one minute
    /// (`bao operator init -key-shares=5 -key-threshold=3`), and what any three of them make.
    const OPENBAO_SHARES: [&str; 5] = [
        "98fe9373ddb3da25723a2c088708673f57d576d0363a2c8c14c25bbbdbcbbae983",
        "c562c98e9d9f26a963bb6c86482b9cebef7206583ac0502eaf92df05780c46a566",
        "2668fd61a346f8d66e3ac0f7729610a22bd8fd6646634578a9e54e95559b029460",
        "506c98a3850e5518c2ccf4b7c117725d8756e6d3e5acef321d9626d8c230d8ea5c",
        "cc76217cded95dabc29753fc101c1bcfe495bb5535e29e1ff89fb2ae5ee86cd4b0",
    ];
    const OPENBAO_SECRET: &str = "de66d047f15da754549d177908602f83fcdea1aed07b0a96dd87a6b6a0872462";

    fn combine_all(shares: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
        let shares: Vec<&[u8]> = shares.iter().map(AsRef::as_ref).collect();
        combine(&shares).map(|secret| secret.expose().clone())
    }

    fn split_all(seed: u64, secret: &[u8], shares: u8, threshold: u8) -> Vec<Vec<u8>> {
        let shares = split(&SeededRandom::new(seed), secret, shares, threshold).unwrap();
        shares.iter().map(|share| share.expose().clone()).collect()
    }

    /// All subsets of `items`, by the bits of a counter.
    fn subsets<T: Clone>(items: &[T]) -> impl Iterator<Item = Vec<T>> {
        (0..1_u32 << items.len()).map(|bits| {
            let chosen = items.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            chosen.map(|(_, item)| item.clone()).collect()
        })
    }

    fn check_refused(shares: &[&[u8]], text: &str) {
        assert_eq!(combine(shares).unwrap_err().public(), text);
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197, sections 4.2 and 4.2.1.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        assert_eq!(inverse(0), 0);
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
            assert_eq!(multiply(a, 1), a);
        }
    }

    #[test]
    fn any_three_shares_of_openbao_make_its_key_and_two_do_not() {
        let shares = OPENBAO_SHARES.map(|share| unhex(share).unwrap());
        let secret = unhex(OPENBAO_SECRET).unwrap();
        for subset in subsets(&shares).filter(|subset| subset.len() >= 2) {
            let combined = combine_all(&subset).unwrap();
            assert_eq!(combined == secret, subset.len() >= 3, "{} of 5", subset.len());
        }
        for order in [[4, 0, 2], [2, 4, 0], [0, 4, 2]] {
            assert_eq!(combine_all(&order.map(|at| &shares[at])).unwrap(), secret);
        }
    }

    #[test]
    fn every_threshold_of_up_to_seven_shares_is_exactly_enough() {
        let secret = b"sixteen byte key";
        for (shares, threshold) in (2..=7).flat_map(|n| (2..=n).map(move |k| (n, k))) {
            let made =
                split_all(u64::from(shares) << 8 | u64::from(threshold), secret, shares, threshold);
            assert_eq!(made.len(), usize::from(shares));
            assert!(made.iter().all(|share| share.len() == secret.len() + 1));
            for subset in subsets(&made).filter(|subset| subset.len() >= 2) {
                let is_secret = combine_all(&subset).unwrap() == secret;
                assert_eq!(is_secret, subset.len() >= threshold.into(), "{threshold} of {shares}");
            }
        }
    }

    #[test]
    fn the_limits_work() {
        let made = split_all(1, b"x", 255, 255);
        assert_eq!(combine_all(&made).unwrap(), b"x");
        let points: std::collections::BTreeSet<u8> = made.iter().map(|share| share[1]).collect();
        assert_eq!(points.len(), 255);
        assert!(!points.contains(&0));
        for (secret, shares, threshold, text) in [
            (&b"x"[..], 5, 1, "threshold must be at least 2"),
            (b"x", 2, 3, "parts cannot be less than threshold"),
            (b"", 3, 2, "cannot split an empty secret"),
        ] {
            let error = split(&SystemRandom, secret, shares, threshold).unwrap_err();
            assert_eq!(error.public(), text);
        }
    }

    #[test]
    fn shares_that_cannot_belong_together_are_refused() {
        let made = split_all(7, b"secret", 3, 2);
        let (a, b): (&[u8], &[u8]) = (&made[0], &made[1]);
        check_refused(&[], "less than two parts cannot be used to reconstruct the secret");
        check_refused(&[a], "less than two parts cannot be used to reconstruct the secret");
        check_refused(&[&a[..1], &b[..1]], "parts must be at least two bytes");
        check_refused(&[a, &b[..6]], "all parts must be the same length");
        check_refused(&[a, a], "duplicate part detected");
        let forged = [&b[..6], &a[6..]].concat();
        check_refused(&[a, &forged], "duplicate part detected");
        let zero = [&b[..6], &[0]].concat();
        check_refused(&[a, &zero], "a part has the point zero, which no split makes");
    }

    #[test]
    fn a_changed_share_changes_the_secret() {
        let made = split_all(9, b"secret", 2, 2);
        for at in 0..6 {
            let mut wrong = made[1].clone();
            wrong[at] ^= 1;
            assert_ne!(combine_all(&[&made[0], &wrong]).unwrap(), b"secret");
        }
    }

    /// Over many splits of one secret each byte of a share takes all values, the secret's own
    /// too: a scheme that avoided the slope zero would tell what the secret is not.
    #[test]
    fn a_share_alone_says_nothing() {
        let mut seen = [[false; 256]; 2];
        for seed in 0..8000 {
            let share = &split_all(seed, b"AA", 2, 2)[0];
            for (at, values) in seen.iter_mut().enumerate() {
                values[usize::from(share[at])] = true;
            }
        }
        assert!(seen.iter().flatten().all(|seen| *seen));
    }
}
