use base_types::{Error, Result, Timestamp, Ttl};

use crate::TokenRole;

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

/// Until when something may live, and what was cut.
#[derive(Debug)]
pub struct Lifetime {
    pub expires: Timestamp,
    pub warnings: Vec<String>,
}

impl Times {
    /// Held to what a role says; where both say something, the lesser counts.
    pub fn within(self, role: &TokenRole) -> Self {
        Self {
            explicit_max_ttl: self.explicit_max_ttl.limited_to(role.token_explicit_max_ttl),
            period: self.period.limited_to(role.token_period),
            ..self
        }
    }
}

/// How long something issued at `issued` may live from `now` on.
///
/// A periodic token lives for its period again and again; anything else ends at its maximum,
/// counted from its issue; an explicit maximum binds both.
///
/// # Errors
/// `Invalid` if its time is up.
pub fn lifetime(
    asked: Times,
    limits: Limits,
    issued: Timestamp,
    now: Timestamp,
) -> Result<Lifetime> {
    let after = |start: Timestamp, ttl: Ttl| (!ttl.is_zero()).then(|| start.plus(ttl));
    let (what, wanted, end) = if asked.period.is_zero() {
        let wanted = asked.ttl.or(limits.default_ttl);
        ("TTL", wanted, after(issued, asked.max_ttl.limited_to(limits.max_ttl)))
    } else {
        ("period", asked.period, after(now, limits.max_ttl))
    };
    let explicit = after(issued, asked.explicit_max_ttl);
    let end = end.into_iter().chain(explicit).min();
    let (mut expires, mut warnings) = (now.plus(wanted), Vec::new());
    if let Some(end) = end.filter(|end| *end < expires) {
        if end > now {
            warnings.push(capped(what, wanted, now.until(end)));
        }
        expires = end;
    }
    if expires <= now {
        return Err(Error::invalid("past the max TTL, cannot renew"));
    }
    Ok(Lifetime { expires, warnings })
}

fn capped(what: &str, wanted: Ttl, limit: Ttl) -> String {
    format!(
        "{what} of {:?} exceeded the effective max_ttl of {:?}; {what} value is capped accordingly",
        short(wanted),
        short(limit)
    )
}

/// `1h` for `1h0m0s`.
fn short(ttl: Ttl) -> String {
    let mut text = ttl.to_string();
    for (tail, kept) in [("m0s", 1), ("h0m", 1)] {
        if text.ends_with(tail) {
            text.truncate(text.len() - tail.len() + kept);
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { default_ttl: Ttl::from_seconds(100), max_ttl: Ttl::from_seconds(1000) };

    /// `expect` is what is left at `age`, zero if nothing.
    fn check(ttl: u64, max: u64, explicit: u64, period: u64, age: i64, expect: u64, warned: bool) {
        let seconds = Ttl::from_seconds;
        let asked = Times {
            ttl: seconds(ttl),
            max_ttl: seconds(max),
            explicit_max_ttl: seconds(explicit),
            period: seconds(period),
        };
        let now = Timestamp::from_seconds(age);
        let (left, warnings) = match lifetime(asked, LIMITS, Timestamp::EPOCH, now) {
            Ok(life) => (now.until(life.expires).seconds(), life.warnings),
            Err(error) => {
                assert_eq!(error.public(), "past the max TTL, cannot renew");
                (0, Vec::new())
            }
        };
        assert_eq!((left, !warnings.is_empty()), (expect, warned), "{asked:?} at {age}");
    }

    #[test]
    fn the_smallest_limit_wins() {
        check(0, 0, 0, 0, 0, 100, false);
        check(50, 0, 0, 0, 0, 50, false);
        check(5000, 0, 0, 0, 0, 1000, true);
        check(50, 20, 0, 0, 0, 20, true);
        check(0, 20, 0, 0, 0, 20, true);
        check(50, 0, 30, 0, 0, 30, true);
        check(50, 0, 30, 0, 10, 20, true);
        check(50, 0, 0, 0, 980, 20, true);
        check(50, 0, 0, 0, 1000, 0, false);
        check(50, 0, 0, 0, 2000, 0, false);
        check(0, 0, 0, 60, 5000, 60, false);
        check(0, 0, 0, 6000, 0, 1000, true);
        check(0, 0, 70, 60, 50, 20, true);
        check(0, 0, 70, 60, 70, 0, false);
    }

    #[test]
    fn the_end_is_exact_to_the_nanosecond() {
        let asked = Times { ttl: Ttl::from_seconds(1000), ..Times::default() };
        let now = Timestamp(999_400_000_000);
        let life = lifetime(asked, LIMITS, Timestamp::EPOCH, now).unwrap();
        assert_eq!(life.expires, Timestamp::from_seconds(1000));
    }

    #[test]
    fn a_clock_that_was_set_back_gives_nothing_extra() {
        let asked = Times { ttl: Ttl::from_seconds(5000), ..Times::default() };
        let (issued, now) = (Timestamp::from_seconds(500), Timestamp::EPOCH);
        let life = lifetime(asked, LIMITS, issued, now).unwrap();
        assert_eq!(life.expires, Timestamp::from_seconds(1500));
    }

    #[test]
    fn a_warning_reads_as_vaults() {
        let asked = Times { ttl: Ttl::from_seconds(3700), ..Times::default() };
        for (max, text) in [
            (
                3600,
                "TTL of \"1h1m40s\" exceeded the effective max_ttl of \"1h\"; TTL value is capped accordingly",
            ),
            (
                90,
                "TTL of \"1h1m40s\" exceeded the effective max_ttl of \"1m30s\"; TTL value is capped accordingly",
            ),
            (
                1800,
                "TTL of \"1h1m40s\" exceeded the effective max_ttl of \"30m\"; TTL value is capped accordingly",
            ),
        ] {
            let limits = Limits { max_ttl: Ttl::from_seconds(max), ..LIMITS };
            let life = lifetime(asked, limits, Timestamp::EPOCH, Timestamp::EPOCH).unwrap();
            assert_eq!(life.warnings, [text]);
        }
    }
}
