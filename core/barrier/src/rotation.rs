use base_types::{Error, Result, Timestamp, Ttl};
use serde::{Deserialize, Serialize};

/// When the barrier takes a new key by itself.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RotationConfig {
    /// Encryptions per key: 1,000,000 to 3,865,470,566.
    pub max_operations: u64,
    /// The longest life of a key; zero for no limit, else at least 24 hours.
    pub interval: Ttl,
    /// If false, only the absolute maximum of operations holds. That one cannot be switched off.
    pub enabled: bool,
}

/// 90 % of the 2^32 messages that one AES-GCM key with random nonces may protect
/// (NIST SP 800-38D, section 8.3).
const OPERATIONS_MAX: u64 = 3_865_470_566;
const OPERATIONS_MIN: u64 = 1_000_000;
const INTERVAL_MIN: Ttl = Ttl::from_seconds(24 * 3600);

/// Encryptions are counted in memory and reserved on disk in blocks, so that a crash can only
/// make the count too high.
const BLOCK: u64 = 1 << 20;

impl Default for RotationConfig {
    fn default() -> Self {
        Self { max_operations: OPERATIONS_MAX, interval: Ttl::ZERO, enabled: true }
    }
}

impl RotationConfig {
    /// # Errors
    /// `Invalid` if a value lies outside its range.
    pub(crate) fn check(&self) -> Result<()> {
        if !(OPERATIONS_MIN..=OPERATIONS_MAX).contains(&self.max_operations) {
            return Err(Error::invalid(format!(
                "max_operations must be in the range [{OPERATIONS_MIN},{OPERATIONS_MAX}]"
            )));
        }
        if !self.interval.is_zero() && self.interval < INTERVAL_MIN {
            return Err(Error::invalid("interval must be greater or equal to 24h0m0s"));
        }
        Ok(())
    }

    /// How many encryptions a key may do.
    pub(crate) fn limit(&self) -> u64 {
        if self.enabled { self.max_operations } else { OPERATIONS_MAX }
    }

    /// The next ceiling after `reserved`, at most the limit. A small limit gets small blocks, so
    /// that a few crashes do not use it up.
    pub(crate) fn next_ceiling(&self, reserved: u64) -> u64 {
        reserved.saturating_add(BLOCK.min(self.limit() / 64)).min(self.limit())
    }

    /// Whether a key installed at `install_time` has lived its time.
    pub(crate) fn is_too_old(&self, install_time: Timestamp, now: Timestamp) -> bool {
        self.enabled && !self.interval.is_zero() && install_time.plus(self.interval) <= now
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_those_of_vault() {
        let check = |max_operations, interval, fits| {
            let interval = Ttl::from_seconds(interval);
            let config = RotationConfig { max_operations, interval, enabled: true };
            assert_eq!(config.check().is_ok(), fits, "{config:?}");
        };
        RotationConfig::default().check().unwrap();
        check(1_000_000, 0, true);
        check(999_999, 0, false);
        check(3_865_470_566, 86_400, true);
        check(3_865_470_567, 0, false);
        check(1_000_000, 86_399, false);
    }

    #[test]
    fn ceilings_grow_by_blocks_up_to_the_limit() {
        let config = RotationConfig::default();
        assert_eq!(config.next_ceiling(0), 1 << 20);
        assert_eq!(config.next_ceiling(OPERATIONS_MAX - 1), OPERATIONS_MAX);
        assert_eq!(config.next_ceiling(OPERATIONS_MAX), OPERATIONS_MAX);
        let small = RotationConfig { max_operations: 1_000_000, ..config };
        assert_eq!(small.next_ceiling(0), 15_625);
        assert_eq!(RotationConfig { enabled: false, ..small }.limit(), OPERATIONS_MAX);
    }

    #[test]
    fn age_counts_only_when_asked_for() {
        let day = Ttl::from_seconds(86_400);
        let config = RotationConfig { interval: day, ..RotationConfig::default() };
        let later = Timestamp::EPOCH.plus(day);
        assert!(config.is_too_old(Timestamp::EPOCH, later));
        assert!(!config.is_too_old(Timestamp(1), later));
        assert!(!RotationConfig { enabled: false, ..config }.is_too_old(Timestamp::EPOCH, later));
        assert!(!RotationConfig::default().is_too_old(Timestamp::EPOCH, later));
    }
}
