use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use base_types::{Timestamp, Ttl};

/// Token buckets, one for each client address.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<IpAddr, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
    blocked_until: Timestamp,
}

/// Bounds the memory that many addresses can take; full buckets are forgotten first.
const CLIENTS_MAX: usize = 100_000;

impl Buckets {
    /// Takes one token, if there is one. `rate` tokens come back every `interval`, and never more
    /// than that are saved up. Whoever finds none is refused for `block`.
    pub(crate) fn take(&self, client: IpAddr, rate: f64, interval: Ttl, block: Ttl, now: Timestamp) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let capacity = rate.max(1.0);
        let per_nano = rate / (interval.seconds().max(1) as f64 * 1e9);
        let refill = |bucket: &Bucket| {
            let nanos = now.0.saturating_sub(bucket.filled.0).max(0) as f64;
            (bucket.tokens + nanos * per_nano).min(capacity)
        };
        if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(&client) {
            buckets.retain(|_, bucket| refill(bucket) < capacity || bucket.blocked_until > now);
        }
        let full = Bucket { tokens: capacity, filled: now, blocked_until: Timestamp::EPOCH };
        let bucket = buckets.entry(client).or_insert(full);
        if bucket.blocked_until > now {
            return false;
        }
        bucket.tokens = refill(bucket);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            if !block.is_zero() {
                bucket.blocked_until = now.plus(block);
            }
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_rate_and_no_more() {
        let (buckets, second) = (Buckets::default(), Ttl::from_seconds(1));
        let client = "127.0.0.1".parse().unwrap();
        let take = |millis: i64| {
            buckets.take(client, 5.0, second, Ttl::ZERO, Timestamp(millis * 1_000_000))
        };
        assert_eq!((0..10).filter(|_| take(0)).count(), 5);
        assert!(!take(100));
        assert!(take(200));
        assert!(!take(200));
        assert_eq!((0..10).filter(|_| take(60_000)).count(), 5);
        let other = "127.0.0.2".parse().unwrap();
        assert!(buckets.take(other, 5.0, second, Ttl::ZERO, Timestamp(0)));
    }

    #[test]
    fn a_blocked_client_waits_it_out() {
        let (buckets, second) = (Buckets::default(), Ttl::from_seconds(1));
        let client = "127.0.0.1".parse().unwrap();
        let take = |seconds: i64| {
            let now = Timestamp::from_seconds(seconds);
            buckets.take(client, 1.0, second, Ttl::from_seconds(60), now)
        };
        assert!(take(0));
        assert!(!take(0));
        assert!(!take(59));
        assert!(take(60));
    }
}
