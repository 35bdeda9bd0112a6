//! The proleptic Gregorian calendar over all days of a 32-bit date and beyond. The year 0 is 1 BC.

use datafusion::error::Result;
use lakegate_error::{Code, Error};

/// Microseconds per millisecond.
pub(super) const MILLI: i64 = 1000;
/// Microseconds per second.
pub(super) const SECOND: i64 = 1000 * MILLI;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// No time in microseconds has a year or a number of months beyond this.
const MOST_MONTHS: i64 = 12 * 12_000_000;

/// A day and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Local {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Microseconds since midnight.
    pub time: i64,
}

impl Local {
    /// Splits microseconds since 1970.
    #[inline]
    pub(super) fn of(micros: i64) -> Self {
        Self {
            day: micros.div_euclid(DAY),
            time: micros.rem_euclid(DAY),
        }
    }

    /// The time some microseconds later, which are less than a few days.
    #[inline]
    pub(super) fn later(self, micros: i64) -> Self {
        let time = self.time + micros;
        Self {
            day: self.day + time.div_euclid(DAY),
            time: time.rem_euclid(DAY),
        }
    }

    /// Microseconds since 1970.
    ///
    /// # Errors
    ///
    /// The time is out of range.
    #[inline]
    pub(super) fn micros(self) -> Result<i64> {
        let micros = i128::from(self.day) * i128::from(DAY) + i128::from(self.time);
        i64::try_from(micros).map_err(|_| out_of_range().into())
    }
}

pub(super) fn out_of_range() -> Error {
    Error::new(Code::NumericOutOfRange, "the timestamp is out of range")
}

/// Returns a day as a date.
///
/// # Errors
///
/// The date is out of range.
pub(super) fn date32(day: i64) -> Result<i32> {
    i32::try_from(day)
        .map_err(|_| Error::new(Code::NumericOutOfRange, "the date is out of range").into())
}

/// Returns the days from 1970-01-01 to a date. Months and days may be out of their bounds.
#[inline]
pub(super) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day comes last.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (cycle, of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5;
    cycle * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year + day - 719_469
}

/// Returns the year, the month (1 to 12) and the day of the month.
#[inline]
pub(super) fn date_of(day: i64) -> (i64, i64, i64) {
    let days = day + 719_468;
    let (cycle, of_cycle) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let next = i64::from(month >= 10);
    (cycle * 400 + year + next, month + 3 - 12 * next, day)
}

#[inline]
pub(super) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

#[inline]
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the day of the year, from 1.
pub(super) fn day_of_year(day: i64) -> i64 {
    let (year, ..) = date_of(day);
    day - days_of(year, 1, 1) + 1
}

/// Returns the day of the week, 1 (Monday) to 7.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7) + 1
}

/// Returns the year and the week (1 to 53) of the ISO calendar.
pub(super) fn iso_week(day: i64) -> (i64, i64) {
    // The year is that of the week's Thursday.
    let thursday = day - weekday(day) + 4;
    let (year, ..) = date_of(thursday);
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

/// Returns the Monday of the first week of a year of the ISO calendar.
pub(super) fn first_monday(year: i64) -> i64 {
    let fourth = days_of(year, 1, 4);
    fourth - weekday(fourth) + 1
}

/// Returns the weeks of a year of the ISO calendar, 52 or 53.
pub(super) fn weeks_in_year(year: i64) -> i64 {
    (first_monday(year + 1) - first_monday(year)) / 7
}

/// Returns the same day some months later, or the last day of that month.
///
/// # Errors
///
/// The result is out of range.
pub(super) fn months_later(day: i64, months: i64) -> Result<i64> {
    if months.abs() > MOST_MONTHS || months == i64::MIN {
        return Err(out_of_range().into());
    }
    let (year, month, date) = date_of(day);
    let months = year * 12 + month - 1 + months;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    Ok(days_of(year, month, date.min(days_in_month(year, month))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn days_are_counted_both_ways() {
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(date_of(days_of(2024, 2, 29)), (2024, 2, 29));
        let ends = [i64::from(i32::MIN), i64::from(i32::MAX)];
        for day in (-106_751_992..106_751_992).step_by(9973).chain(ends) {
            let (year, month, date) = date_of(day);
            assert_eq!(days_of(year, month, date), day);
            assert!((1..=12).contains(&month) && date <= days_in_month(year, month));
        }
        assert_eq!(iso_week(days_of(2021, 1, 3)), (2020, 53));
        assert_eq!((weeks_in_year(2020), weeks_in_year(2021)), (53, 52));
        assert_eq!(weekday(days_of(2024, 1, 1)), 1);
        assert_eq!(day_of_year(days_of(2024, 12, 31)), 366);
    }

    #[test]
    fn months_keep_the_day_or_end_with_the_month() {
        let later = |date: (i64, i64, i64), months| {
            date_of(months_later(days_of(date.0, date.1, date.2), months).unwrap())
        };
        assert_eq!(later((2024, 1, 31), 1), (2024, 2, 29));
        assert_eq!(later((2024, 3, 31), -13), (2023, 2, 28));
        assert!(months_later(0, i64::MAX).is_err() && months_later(0, i64::MIN).is_err());
    }

    #[test]
    fn times_out_of_range_are_errors() {
        assert_eq!(Local::of(-1).micros().unwrap(), -1);
        assert_eq!(Local::of(i64::MIN).micros().unwrap(), i64::MIN);
        assert!(Local::of(i64::MAX).later(DAY).micros().is_err());
    }
}
