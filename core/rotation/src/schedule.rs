use base_types::{Error, Result, Timestamp, Ttl};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// When a password changes by itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// So long after the last time.
    Period(Ttl),
    /// At the times that a cron expression names in UTC. What could not begin within the window
    /// after such a time waits for the next; zero is no limit.
    Times { cron: String, window: Ttl },
    /// Only when somebody asks.
    OnDemand,
}

/// What is shown of a schedule.
#[derive(Default, Serialize)]
pub struct Times<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period: Option<Ttl>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_schedule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_window: Option<Ttl>,
}

/// As in Vault.
const PERIOD_MIN: Ttl = Ttl::from_seconds(5);
const WINDOW_MIN: Ttl = Ttl::from_seconds(3600);

impl Schedule {
    /// What the fields `rotation_period`, `rotation_schedule` and `rotation_window` of a request say,
    /// if they say anything.
    ///
    /// # Errors
    /// `Invalid` if they do not fit together, or one of them cannot be.
    pub fn requested(
        period: Option<Ttl>,
        cron: Option<&str>,
        window: Option<Ttl>,
    ) -> Result<Option<Self>> {
        let cron = cron.filter(|cron| !cron.is_empty());
        match (period, cron, window) {
            (Some(_), Some(_), _) => Err(Error::invalid(
                "mutually exclusive fields rotation_period and rotation_schedule were both specified; \
                 only one of them can be provided",
            )),
            (Some(_), None, Some(_)) => {
                Err(Error::invalid("rotation_window is invalid with use of rotation_period"))
            }
            (Some(period), None, None) if period < PERIOD_MIN => {
                Err(Error::invalid("rotation_period must be 5 seconds or more"))
            }
            (Some(period), None, None) => Ok(Some(Self::Period(period))),
            (None, Some(_), Some(window)) if window < WINDOW_MIN => {
                Err(Error::invalid("rotation_window must be 3600 seconds or more"))
            }
            (None, Some(cron), window) => {
                Cron::parse(cron).map_err(|e| e.at("could not parse rotation_schedule"))?;
                let (cron, window) = (cron.to_owned(), window.unwrap_or_default());
                Ok(Some(Self::Times { cron, window }))
            }
            (None, None, Some(_)) => {
                Err(Error::invalid("rotation_window needs rotation_schedule beside it"))
            }
            (None, None, None) => Ok(None),
        }
    }

    /// As answers show it.
    pub fn times(&self) -> Times<'_> {
        match self {
            Self::Period(period) => Times { rotation_period: Some(*period), ..Times::default() },
            Self::Times { cron, window } => Times {
                rotation_schedule: Some(cron),
                rotation_window: Some(*window).filter(|window| !window.is_zero()),
                ..Times::default()
            },
            Self::OnDemand => Times::default(),
        }
    }

    /// The first time after `last`. A stored expression has been parsed before.
    ///
    /// # Errors
    /// `Invalid` if an expression never comes true.
    pub fn next_after(&self, last: Timestamp) -> Result<Timestamp> {
        match self {
            Self::Period(period) => Ok(last.plus(*period)),
            Self::Times { cron, .. } => Cron::parse(cron)?.next_after(last),
            Self::OnDemand => Ok(Timestamp(i64::MAX)),
        }
    }

    /// Whether what was to begin at `due` may still begin `now`.
    pub fn may_begin(&self, due: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Times { window, .. } if !window.is_zero() => now <= due.plus(*window),
            Self::Times { .. } | Self::Period(_) | Self::OnDemand => true,
        }
    }
}

/// Five fields: minute, hour, day of the month, month, day of the week. Each has `*`, numbers,
/// ranges, steps, lists, and names of months and days. When both kinds of days are limited, one of
/// them is enough. <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/crontab.html>
pub(crate) struct Cron {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// Bit `n` is set where the value `n` fits.
struct Field {
    values: u64,
    is_any: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// From one 29th of February to the next it is eight years at most.
const DAYS_MAX: u32 = 8 * 366 + 1;

impl Cron {
    /// # Errors
    /// `Invalid`, naming the field, or if the expression never comes true.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let text = format!(
                "expected 5 fields (minute hour day month weekday), found {}",
                fields.len()
            );
            return Err(Error::invalid(text));
        };
        let cron = Self {
            minutes: Field::parse("minute", minute, 0, 59, &[])?,
            hours: Field::parse("hour", hour, 0, 23, &[])?,
            days: Field::parse("day", day, 1, 31, &[])?,
            months: Field::parse("month", month, 1, 12, &MONTHS)?,
            weekdays: Field::parse("weekday", weekday, 0, 7, &WEEKDAYS)?,
        };
        cron.next_after(Timestamp::EPOCH)?;
        Ok(cron)
    }

    /// # Errors
    /// `Invalid` if there is no such time.
    pub(crate) fn next_after(&self, last: Timestamp) -> Result<Timestamp> {
        let never = || Error::invalid("the expression never comes true");
        let instant = jiff::Timestamp::from_nanosecond(i128::from(last.0)).map_err(|_| never())?;
        let start =
            TimeZone::UTC.to_datetime(instant).checked_add(1.minute()).map_err(|_| never())?;
        let mut date = start.date();
        for day in 0..DAYS_MAX {
            if self.fits(date) {
                let from = if day == 0 { (start.hour(), start.minute()) } else { (0, 0) };
                if let Some((hour, minute)) = self.time_from(from) {
                    return instant_of(date.at(hour, minute, 0, 0)).ok_or_else(never);
                }
            }
            date = date.tomorrow().map_err(|_| never())?;
        }
        Err(never())
    }

    fn fits(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        let on_day = self.days.has(date.day());
        let on_weekday = self.weekdays.has(weekday) || weekday == 0 && self.weekdays.has(7);
        let fits = match (self.days.is_any, self.weekdays.is_any) {
            (false, false) => on_day || on_weekday,
            _ => on_day && on_weekday,
        };
        fits && self.months.has(date.month())
    }

    /// The first time of a day that is not before `from`.
    fn time_from(&self, from: (i8, i8)) -> Option<(i8, i8)> {
        let times = (from.0..24).filter(|hour| self.hours.has(*hour)).flat_map(|hour| {
            let first = if hour == from.0 { from.1 } else { 0 };
            (first..60).map(move |minute| (hour, minute))
        });
        times.into_iter().find(|(_, minute)| self.minutes.has(*minute))
    }
}

fn instant_of(time: DateTime) -> Option<Timestamp> {
    let instant = time.to_zoned(TimeZone::UTC).ok()?.timestamp();
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

impl Field {
    fn parse(name: &str, text: &str, min: u32, max: u32, names: &[&str]) -> Result<Self> {
        let fault = || Error::invalid(format!("the field of the {name} is not understood: {text}"));
        let number = |text: &str| {
            let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
            // The first month is 1, the first day of the week 0, like the least value of each.
            let number = named.map(|at| at as u32 + min).or_else(|| text.parse().ok());
            number.filter(|number| (min..=max).contains(number)).ok_or_else(fault)
        };
        let mut values = 0;
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(step)),
                None => (part, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (min, max),
                Some((first, last)) => (number(first)?, number(last)?),
                // `5/10` goes on to the end.
                None if step.is_some() => (number(range)?, max),
                None => (number(range)?, number(range)?),
            };
            let step: usize = step.map_or(Ok(1), str::parse).map_err(|_| fault())?;
            if step == 0 || first > last {
                return Err(fault());
            }
            values |= (first..=last).step_by(step).fold(0, |all, value| all | 1 << value);
        }
        Ok(Self { values, is_any: text.starts_with('*') })
    }

    fn has(&self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.values >> value & 1 == 1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The next times after 2026-11-22T03:40:41Z, which is a Sunday.
    fn check(cron: &str, times: &[&str]) {
        let cron = Cron::parse(cron).unwrap();
        let mut now: Timestamp = "2026-11-22T03:40:41Z".parse().unwrap();
        for time in times {
            now = cron.next_after(now).unwrap();
            assert_eq!(now.to_string(), format!("{time}:00Z"));
        }
    }

    #[test]
    fn times_are_those_of_cron() {
        check("* * * * *", &["2026-11-22T03:41", "2026-11-22T03:42"]);
        check("0 0 * * SAT", &["2026-11-28T00:00", "2026-12-05T00:00"]);
        check("0 0 * * 7", &["2026-11-29T00:00"]);
        check("0 0 * * sun", &["2026-11-29T00:00"]);
        check(
            "*/20 3-4 * * *",
            &["2026-11-22T04:00", "2026-11-22T04:20", "2026-11-22T04:40", "2026-11-23T03:00"],
        );
        check("5,50 3 * * *", &["2026-11-22T03:50", "2026-11-23T03:05"]);
        check("40/15 * * * *", &["2026-11-22T03:55", "2026-11-22T04:40"]);
        check("30 12 1 jan *", &["2027-01-01T12:30"]);
        check("0 0 29 2 *", &["2028-02-29T00:00", "2032-02-29T00:00"]);
        // One of two kinds of days is enough, unless one of them is any.
        check("0 0 25 * mon", &["2026-11-23T00:00", "2026-11-25T00:00", "2026-11-30T00:00"]);
        check("0 0 */30 * *", &["2026-12-01T00:00", "2026-12-31T00:00"]);
        check("59 23 31 12 *", &["2026-12-31T23:59", "2027-12-31T23:59"]);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for cron in [
            "",
            "bogus",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "1,,2 * * * *",
            "-1 * * * *",
            "* * 30 2 *",
            "@daily",
        ] {
            assert!(Cron::parse(cron).is_err(), "{cron}");
        }
    }

    #[test]
    fn a_window_closes() {
        let at = |seconds| Timestamp::from_seconds(seconds);
        let times = |window| Schedule::Times {
            cron: "0 * * * *".into(),
            window: Ttl::from_seconds(window),
        };
        assert!(times(3600).may_begin(at(0), at(3600)));
        assert!(!times(3600).may_begin(at(0), at(3601)));
        assert!(times(0).may_begin(at(0), at(1_000_000)));
        assert!(Schedule::Period(Ttl::from_seconds(5)).may_begin(at(0), at(1_000_000)));
        assert!(Schedule::OnDemand.next_after(at(0)).unwrap() > at(1 << 32));
    }
}
