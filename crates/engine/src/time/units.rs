//! Units to which times are truncated and of which they consist, by PostgreSQL's names.

use super::SECOND;
use super::calendar::{at, date_of, days_of, split, weekday};
use super::clock::Clock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" => Self::Microsecond,
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => Self::Millisecond,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Second,
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Minute,
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Hour,
            "day" | "days" | "d" => Self::Day,
            "week" | "weeks" | "w" => Self::Week,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "quarter" | "quarters" | "qtr" => Self::Quarter,
            "year" | "years" | "yr" | "yrs" | "y" => Self::Year,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "century" | "centuries" | "cent" | "c" => Self::Century,
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            _ => return None,
        })
    }

    /// Returns whether DataFusion's `date_trunc` knows the unit by this name.
    pub(super) fn is_of_engine(name: &str) -> bool {
        matches!(
            name.to_ascii_lowercase().as_str(),
            "microsecond"
                | "millisecond"
                | "second"
                | "minute"
                | "hour"
                | "day"
                | "week"
                | "month"
                | "quarter"
                | "year"
        )
    }

    /// Returns the start of the unit that contains an instant, by a clock. Days and longer units
    /// start by the clock, hours and shorter ones by the offset of the instant. `None` before the
    /// first time.
    pub(super) fn truncated(self, clock: Clock, instant: i64) -> Option<i64> {
        let offset = i64::from(clock.offset_at(instant)) * SECOND;
        let shown = instant.checked_add(offset)?;
        let length = match self {
            Self::Microsecond => return Some(instant),
            Self::Millisecond => SECOND / 1000,
            Self::Second => SECOND,
            Self::Minute => 60 * SECOND,
            Self::Hour => 3600 * SECOND,
            _ => return clock.instant(at(self.first_day(split(shown).0), 0)?),
        };
        (shown - shown.rem_euclid(length)).checked_sub(offset)
    }

    /// Returns the first day of the unit that contains a day.
    fn first_day(self, day: i64) -> i64 {
        let (year, month, _) = date_of(day);
        // Centuries and millennia begin one year after a multiple of their length.
        let first = |length: i64| match year > 0 {
            true => (year - 1) / length * length + 1,
            false => -((length - year) / length) * length + 1,
        };
        match self {
            Self::Week => day - weekday(day),
            Self::Month => days_of(year, month, 1),
            Self::Quarter => days_of(year, (month - 1) / 3 * 3 + 1, 1),
            Self::Year => days_of(year, 1, 1),
            Self::Decade => days_of(year.div_euclid(10) * 10, 1, 1),
            Self::Century => days_of(first(100), 1, 1),
            Self::Millennium => days_of(first(1000), 1, 1),
            _ => day,
        }
    }
}
