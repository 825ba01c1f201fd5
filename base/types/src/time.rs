use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::Ttl;

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, good until the year 2262.
///
/// It prints and serialises as RFC 3339 in UTC with trailing zeros of the fraction cut,
/// which is what Go's `time.RFC3339Nano` gives and so what Vault's clients parse.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(pub i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Timestamp {
    pub const EPOCH: Self = Self(0);

    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    pub fn plus(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_add((ttl.seconds() as i64).saturating_mul(NANOS_PER_SECOND)))
    }

    /// The time from `self` until `later` in whole seconds, rounded to the nearest, zero if past.
    pub fn until(self, later: Self) -> Ttl {
        let nanos = later.0.saturating_sub(self.0).max(0);
        Ttl::from_seconds((nanos.saturating_add(NANOS_PER_SECOND / 2) / NANOS_PER_SECOND) as u64)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every i64 of nanoseconds is inside jiff's range of years -9999 to 9999.
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

impl FromStr for Timestamp {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| {
            crate::Error::invalid("not an RFC 3339 time, for example 2026-01-31T12:00:00Z")
        })?;
        i64::try_from(instant.as_nanosecond())
            .map(Self)
            .map_err(|_| crate::Error::invalid("the time lies outside the years 1677 to 2262"))
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error: crate::Error| serde::de::Error::custom(error.public()))
    }
}

impl schemars::JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Where the time comes from. Everything that needs it is given one; tests own theirs.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// The machine's clock, held from running backwards within this process: when the machine's time
/// is set back, it stands still until the old time is reached again, so that nothing that has
/// expired comes back to life.
#[derive(Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that may ask the machine.
    fn now(&self) -> Timestamp {
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        Timestamp(self.latest.fetch_max(nanos, Ordering::Relaxed).max(nanos))
    }
}

/// A clock that stands until it is moved.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    pub fn advance(&self, ttl: Ttl) {
        self.0.fetch_add(ttl.seconds() as i64 * NANOS_PER_SECOND, Ordering::SeqCst);
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_go_rfc3339_nano() {
        assert_eq!(Timestamp(1_500_000_000).to_string(), "1970-01-01T00:00:01.5Z");
        assert_eq!(Timestamp::from_seconds(1_700_000_000).to_string(), "2023-11-14T22:13:20Z");
        for nanos in [0, 1, 999_999_999, i64::MAX, -1] {
            assert_eq!(
                Timestamp(nanos).to_string().parse::<Timestamp>().unwrap(),
                Timestamp(nanos)
            );
        }
    }

    #[test]
    fn rounds_the_rest_of_a_lease_to_the_nearest_second() {
        let now = Timestamp(0);
        assert_eq!(now.until(Timestamp(1_499_999_999)).seconds(), 1);
        assert_eq!(now.until(Timestamp(1_500_000_000)).seconds(), 2);
        assert_eq!(now.until(Timestamp(-5)).seconds(), 0);
    }
}
