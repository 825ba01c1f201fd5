use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use base_types::{Timestamp, Ttl};

/// Token buckets, one for each client address.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<Clients>);

#[derive(Debug, Default)]
struct Clients {
    buckets: HashMap<IpAddr, Bucket>,
    /// When full buckets were last looked for.
    swept: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
    blocked_until: Timestamp,
}

/// Bounds the memory that many addresses can take. Beyond it, full buckets are forgotten, and
/// clients that find no place share one bucket.
const CLIENTS_MAX: usize = 100_000;
const SHARED: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// How often full buckets are looked for at most.
const SWEEP: Ttl = Ttl::from_seconds(1);

/// What a quota grants: `rate` tokens every `interval`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) rate: f64,
    pub(crate) interval: Ttl,
    /// Whoever finds no token is refused for so long.
    pub(crate) block: Ttl,
}

impl Pace {
    /// The most that is saved up.
    fn capacity(self) -> f64 {
        self.rate.max(1.0)
    }

    fn refilled(self, bucket: &Bucket, now: Timestamp) -> f64 {
        let per_nano = self.rate / (self.interval.seconds().max(1) as f64 * 1e9);
        let nanos = now.0.saturating_sub(bucket.filled.0).max(0) as f64;
        (bucket.tokens + nanos * per_nano).min(self.capacity())
    }
}

impl Buckets {
    /// Takes one token, if there is one.
    pub(crate) fn take(&self, client: IpAddr, pace: Pace, now: Timestamp) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.place(client, pace, now);
        let full = Bucket { tokens: pace.capacity(), filled: now, blocked_until: Timestamp::EPOCH };
        let bucket = clients.buckets.entry(client).or_insert(full);
        if bucket.blocked_until > now {
            return false;
        }
        bucket.tokens = pace.refilled(bucket, now);
        // A clock that was set back must not make the same time count twice.
        bucket.filled = bucket.filled.max(now);
        if bucket.tokens < 1.0 {
            bucket.blocked_until =
                if pace.block.is_zero() { Timestamp::EPOCH } else { now.plus(pace.block) };
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

impl Clients {
    /// The bucket of a client: its own, or the shared one if there is no place for it.
    fn place(&mut self, client: IpAddr, pace: Pace, now: Timestamp) -> IpAddr {
        if self.buckets.len() < CLIENTS_MAX || self.buckets.contains_key(&client) {
            return client;
        }
        if now >= self.swept.plus(SWEEP) {
            self.swept = now;
            let is_full = |bucket: &Bucket| {
                bucket.blocked_until <= now && pace.refilled(bucket, now) >= pace.capacity()
            };
            self.buckets.retain(|_, bucket| !is_full(bucket));
        }
        if self.buckets.len() < CLIENTS_MAX { client } else { SHARED }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_rate_and_no_more() {
        let buckets = Buckets::default();
        let pace = Pace { rate: 5.0, interval: Ttl::from_seconds(1), block: Ttl::ZERO };
        let client = "127.0.0.1".parse().unwrap();
        let take = |millis: i64| buckets.take(client, pace, Timestamp(millis * 1_000_000));
        assert_eq!((0..10).filter(|_| take(0)).count(), 5);
        assert!(!take(100));
        assert!(take(200));
        assert!(!take(200));
        assert_eq!((0..10).filter(|_| take(60_000)).count(), 5);
        let other = "127.0.0.2".parse().unwrap();
        assert!(buckets.take(other, pace, Timestamp(0)));
    }

    #[test]
    fn a_blocked_client_waits_it_out() {
        let buckets = Buckets::default();
        let pace = Pace { rate: 1.0, interval: Ttl::from_seconds(1), block: Ttl::from_seconds(60) };
        let client = "127.0.0.1".parse().unwrap();
        let take = |seconds: i64| buckets.take(client, pace, Timestamp::from_seconds(seconds));
        assert!(take(0));
        assert!(!take(0));
        assert!(!take(59));
        assert!(take(60));
    }

    #[test]
    fn a_clock_that_jumps_gives_nothing_extra() {
        let buckets = Buckets::default();
        let pace = Pace { rate: 5.0, interval: Ttl::from_seconds(10), block: Ttl::ZERO };
        let client = "127.0.0.1".parse().unwrap();
        let take = |seconds: i64| buckets.take(client, pace, Timestamp::from_seconds(seconds));
        assert_eq!((0..10).filter(|_| take(1000)).count(), 5);
        assert!((0..10).all(|_| !take(0)));
        assert!(!take(1001));
        assert_eq!((0..10).filter(|_| take(1_000_000)).count(), 5);
    }

    #[test]
    fn many_clients_take_bounded_memory_and_get_no_more_together() {
        let buckets = Buckets::default();
        let pace = Pace { rate: 2.0, interval: Ttl::from_seconds(3600), block: Ttl::ZERO };
        let (now, later) = (Timestamp::from_seconds(10), Timestamp::from_seconds(10_000));
        let take = |n: u32, now| buckets.take(IpAddr::from(n.to_be_bytes()), pace, now);
        let admitted = (0..CLIENTS_MAX as u32 + 10).filter(|n| take(*n, now)).count();
        assert_eq!(admitted, CLIENTS_MAX + 2);
        assert!(buckets.0.lock().unwrap().buckets.len() <= CLIENTS_MAX + 1);
        assert!(take(1_000_000, later), "full buckets made place");
        assert!(buckets.0.lock().unwrap().buckets.len() < 10);
    }
}
