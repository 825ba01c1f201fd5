use base_types::{Timestamp, Ttl};

/// What was asked of a token's or lease's life.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Zero asks for the default.
    pub ttl: Ttl,
    pub max_ttl: Ttl,
    pub explicit_max_ttl: Ttl,
    pub period: Ttl,
}

/// What the mount allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub default_ttl: Ttl,
    pub max_ttl: Ttl,
}

/// How long something issued at `issued` may live from `now` on, and what was cut.
///
/// A periodic token lives for its period again and again; anything else ends at its maximum,
/// counted from its issue; an explicit maximum binds both.
pub fn lifetime(asked: Times, limits: Limits, issued: Timestamp, now: Timestamp) -> (Ttl, Vec<String>) {
    let mut warnings = Vec::new();
    let mut ttl = if asked.period.is_zero() {
        let max = asked.max_ttl.limited_to(limits.max_ttl);
        let wanted = asked.ttl.or(limits.default_ttl);
        let left = now.until(issued.plus(max));
        if now == issued && !asked.ttl.is_zero() && wanted > max {
            warnings.push(capped(wanted, "max_ttl", max));
        }
        if max.is_zero() { wanted } else { wanted.min(left) }
    } else {
        if asked.period > limits.max_ttl {
            warnings.push(capped(asked.period, "max_ttl", limits.max_ttl));
        }
        asked.period.limited_to(limits.max_ttl)
    };
    if !asked.explicit_max_ttl.is_zero() {
        let left = now.until(issued.plus(asked.explicit_max_ttl.limited_to(limits.max_ttl)));
        if ttl > left {
            if now == issued && !asked.ttl.is_zero() {
                warnings.push(capped(ttl, "explicit_max_ttl", left));
            }
            ttl = left;
        }
    }
    (ttl, warnings)
}

fn capped(wanted: Ttl, limit: &str, value: Ttl) -> String {
    format!("TTL of {:?} exceeded the effective {limit} of {:?}; TTL value is capped accordingly",
        wanted.to_string(), value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { default_ttl: Ttl::from_seconds(100), max_ttl: Ttl::from_seconds(1000) };

    fn check(ttl: u64, max: u64, explicit: u64, period: u64, age: i64, expect: u64, warned: bool) {
        let seconds = Ttl::from_seconds;
        let asked = Times {
            ttl: seconds(ttl),
            max_ttl: seconds(max),
            explicit_max_ttl: seconds(explicit),
            period: seconds(period),
        };
        let (ttl, warnings) =
            lifetime(asked, LIMITS, Timestamp::from_seconds(0), Timestamp::from_seconds(age));
        assert_eq!((ttl.seconds(), !warnings.is_empty()), (expect, warned), "{asked:?} at {age}");
    }

    #[test]
    fn the_smallest_limit_wins() {
        check(0, 0, 0, 0, 0, 100, false);
        check(50, 0, 0, 0, 0, 50, false);
        check(5000, 0, 0, 0, 0, 1000, true);
        check(50, 20, 0, 0, 0, 20, true);
        check(0, 20, 0, 0, 0, 20, false);
        check(50, 0, 30, 0, 0, 30, true);
        check(50, 0, 0, 0, 980, 20, false);
        check(50, 0, 0, 0, 2000, 0, false);
        check(0, 0, 0, 60, 5000, 60, false);
        check(0, 0, 0, 6000, 0, 1000, true);
        check(0, 0, 70, 60, 50, 20, false);
    }
}
