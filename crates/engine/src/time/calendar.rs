//! The proleptic Gregorian calendar over all days that microseconds in 64 bits can represent. The
//! year 0 is 1 BC.

use super::SECOND;

/// Microseconds per day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// Returns the days from 1970-01-01 to a date. Months and days may be out of their bounds.
pub(super) fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day comes last.
    let months = year * 12 + month - 3;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let cycle = year.div_euclid(400);
    let of_cycle = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5;
    cycle * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year + day - 1 - 719_468
}

/// Returns the year, month (1 to 12) and day for a number of days since 1970-01-01.
pub(super) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let cycle = days.div_euclid(146_097);
    let of_cycle = days.rem_euclid(146_097);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let january = month >= 10;
    let month = if january { month - 9 } else { month + 3 };
    (cycle * 400 + year + i64::from(january), month, day)
}

/// Returns the number of days in a month, 28 to 31.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    days_of(year, month + 1, 1) - days_of(year, month, 1)
}

/// Returns the same day of the month `months` later, or the last day of that month.
pub(super) fn months_later(days: i64, months: i64) -> i64 {
    let (year, month, day) = date_of(days);
    let months = year * 12 + month - 1 + months;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    days_of(year, month, day.min(days_in_month(year, month)))
}

/// Returns the day of a time, and the microseconds since midnight.
pub(super) fn split(time: i64) -> (i64, i64) {
    (time.div_euclid(DAY), time.rem_euclid(DAY))
}

/// Returns the time on a day; `None` after the last time.
pub(super) fn at(day: i64, micros: i64) -> Option<i64> {
    day.checked_mul(DAY)?.checked_add(micros)
}

/// Returns the day of the week, from 0 (Monday) to 6.
pub(super) fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Returns the year and the week (1 to 53) in the ISO calendar.
pub(super) fn iso_week(day: i64) -> (i64, i64) {
    // The year is that of the week's Thursday.
    let thursday = day - weekday(day) + 3;
    let (year, ..) = date_of(thursday);
    (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_both_ways() {
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(days_of(2024, 2, 29), 19_782);
        assert_eq!(date_of(19_782), (2024, 2, 29));
        assert_eq!(days_of(1, 1, 1), -719_162);
        assert_eq!(date_of(-719_163), (0, 12, 31));
        assert_eq!(days_of(2024, 13, 1), days_of(2025, 1, 1));
        for day in (-106_751_992..106_751_992).step_by(9973) {
            let (year, month, date) = date_of(day);
            assert_eq!(days_of(year, month, date), day);
            assert!((1..=12).contains(&month) && date <= days_in_month(year, month));
        }
        assert_eq!(
            date_of(months_later(days_of(2024, 1, 31), 1)),
            (2024, 2, 29)
        );
        assert_eq!(
            date_of(months_later(days_of(2024, 3, 31), -1)),
            (2024, 2, 29)
        );
        assert_eq!(
            date_of(months_later(days_of(2024, 2, 29), -12)),
            (2023, 2, 28)
        );
        assert_eq!(weekday(days_of(2024, 1, 1)), 0);
        assert_eq!(iso_week(days_of(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_week(days_of(2024, 12, 30)), (2025, 1));
    }
}
