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

    /// Returns the first day from `day` on that a unit of days begins with; `None` for units of hours
    /// and less.
    pub(super) fn next_first_day(self, day: i64) -> Option<i64> {
        // So many days after the start of a unit is a day of the next one.
        let longest = match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 31,
            Self::Quarter => 92,
            Self::Year => 366,
            Self::Decade => 3653,
            Self::Century => 36_525,
            Self::Millennium => 365_250,
            _ => return None,
        };
        let first = self.first_day(day);
        Some(match first == day {
            true => day,
            false => self.first_day(first + longest),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_days_begin_on_the_next_first_day() {
        let units = [
            Unit::Day,
            Unit::Week,
            Unit::Month,
            Unit::Quarter,
            Unit::Year,
            Unit::Decade,
            Unit::Century,
            Unit::Millennium,
        ];
        for unit in units {
            // From 1600, and around the years 0 and -1000.
            for start in [-135_140, -919_000, -1_284_000] {
                let mut known = None;
                for day in (start..start + 400_000).rev() {
                    if unit.first_day(day) == day {
                        known = Some(day);
                    }
                    if known.is_some() {
                        assert_eq!(unit.next_first_day(day), known, "{unit:?} {day}");
                    }
                }
            }
        }
        assert_eq!(Unit::Hour.next_first_day(0), None);
    }
}
