//! The parts of dates, times and intervals: `year(x)` to `timezone_minute(x)`, and the last day of
//! a month.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::{
    HOUR, Local, MILLI, MINUTE, SECOND, date_of, date32, day_of_year, days_in_month, iso_week,
    weekday,
};
use super::function::{self, TIMESTAMP, Timed};
use super::values::{Period, Periods, Times, numbers};
use super::zones;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

macro_rules! page {
    ($name:literal, $sentence:literal, $example:literal, $result:literal) => {{
        static PAGE: Page = Page {
            name: $name,
            section: SECTION,
            syntax: concat!($name, "(x)"),
            sentence: $sentence,
            example: $example,
            result: $result,
        };
        &PAGE
    }};
}

macro_rules! part {
    ($name:literal, $part:expr, $takes:expr, $sentence:literal, $example:literal, $result:literal) => {
        Timed::new(
            page!($name, $sentence, $example, $result),
            $takes,
            |_| Ok(DataType::Int64),
            |call, _| part_of(call, $part),
        )
    };
}

static LAST_DAY: Page = Page {
    name: "last_day_of_month",
    section: SECTION,
    syntax: "last_day_of_month(x)",
    sentence: "Returns the last day of the month of a date or a timestamp.",
    example: "last_day_of_month(DATE '2024-02-10')",
    result: "2024-02-29",
};

pub(super) fn entries() -> Vec<Entry> {
    let last_day = Timed::new(
        &LAST_DAY,
        dates,
        |_| Ok(DataType::Date32),
        |call, _| {
            let times = Times::of(&call.columns[0])?;
            numbers::<Date32Type>(call, |row| {
                let local = times.local(row);
                local.map(|local| last_day(local.day)).transpose()
            })
        },
    );
    let parts = [
        part!(
            "year",
            Part::Year,
            dates_and_intervals,
            "Returns the year of a date or a timestamp, or the whole years of an interval.",
            "year(DATE '2024-02-29')",
            "2024"
        ),
        part!(
            "quarter",
            Part::Quarter,
            dates,
            "Returns the quarter of the year, from 1 to 4.",
            "quarter(DATE '2024-11-30')",
            "4"
        ),
        part!(
            "month",
            Part::Month,
            dates_and_intervals,
            "Returns the month of a date or a timestamp, or the months of an interval without its \
             years.",
            "month(DATE '2024-02-29')",
            "2"
        ),
        part!(
            "week",
            Part::Week,
            dates,
            "Returns the week of the ISO year, from 1 to 53.",
            "week(DATE '2024-12-30')",
            "1"
        )
        .also(&["week_of_year"]),
        part!(
            "year_of_week",
            Part::WeekYear,
            dates,
            "Returns the ISO year to which the week belongs.",
            "year_of_week(DATE '2024-12-30')",
            "2025"
        )
        .also(&["yow"]),
        part!(
            "day",
            Part::Day,
            dates_and_intervals,
            "Returns the day of the month of a date or a timestamp, or the whole days of an \
             interval.",
            "day(DATE '2024-02-29')",
            "29"
        )
        .also(&["day_of_month"]),
        part!(
            "day_of_week",
            Part::DayOfWeek,
            dates,
            "Returns the day of the week, from 1 (Monday) to 7 (Sunday).",
            "day_of_week(DATE '2024-02-29')",
            "4"
        )
        .also(&["dow"]),
        part!(
            "day_of_year",
            Part::DayOfYear,
            dates,
            "Returns the day of the year, from 1 to 366.",
            "day_of_year(DATE '2024-12-31')",
            "366"
        )
        .also(&["doy"]),
        part!(
            "hour",
            Part::Hour,
            times,
            "Returns the hour of a time, or the hours of an interval without its days.",
            "hour(TIMESTAMP '2024-02-29 12:34:56')",
            "12"
        ),
        part!(
            "minute",
            Part::Minute,
            times,
            "Returns the minute of the hour.",
            "minute(TIMESTAMP '2024-02-29 12:34:56')",
            "34"
        ),
        part!(
            "second",
            Part::Second,
            times,
            "Returns the second of the minute, without its fraction.",
            "second(TIMESTAMP '2024-02-29 12:34:56.789')",
            "56"
        ),
        part!(
            "millisecond",
            Part::Millisecond,
            times,
            "Returns the millisecond of the second.",
            "millisecond(TIMESTAMP '2024-02-29 12:34:56.789')",
            "789"
        ),
        part!(
            "timezone_hour",
            Part::ZoneHour,
            zoned,
            "Returns the hours of a time's offset from UTC.",
            "timezone_hour(with_timezone(TIMESTAMP '2024-02-29 12:34:56', '-05:30'))",
            "-5"
        ),
        part!(
            "timezone_minute",
            Part::ZoneMinute,
            zoned,
            "Returns the minutes of a time's offset from UTC without its hours.",
            "timezone_minute(with_timezone(TIMESTAMP '2024-02-29 12:34:56', '-05:30'))",
            "-30"
        ),
    ];
    let parts = parts.into_iter().chain([last_day]);
    parts.map(Timed::entry).collect()
}

fn dates(types: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = types else { return None };
    Some(vec![function::time(of)?])
}

fn dates_and_intervals(types: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = types else { return None };
    let taken = function::time(of).or_else(|| function::interval(of));
    Some(vec![taken?])
}

fn times(types: &[DataType]) -> Option<Vec<DataType>> {
    let [of] = types else { return None };
    dates_and_intervals(types).or_else(|| Some(vec![function::time_of_day(of)?]))
}

fn zoned(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [DataType::Timestamp(_, Some(_))] => dates(types),
        [DataType::Null] => Some(vec![TIMESTAMP]),
        _ => None,
    }
}

fn last_day(day: i64) -> Result<i32> {
    let (year, month, date) = date_of(day);
    date32(day - date + days_in_month(year, month))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    Week,
    WeekYear,
    Day,
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    ZoneHour,
    ZoneMinute,
}

fn part_of(call: &Call<'_>, part: Part) -> Result<ArrayRef> {
    let column = &call.columns[0];
    if matches!(
        column.array.data_type(),
        DataType::Interval(_) | DataType::Duration(_)
    ) {
        let periods = Periods::of(column)?;
        return numbers::<Int64Type>(call, |row| {
            let period = periods.get(row);
            period.map(|period| of_period(part, period)).transpose()
        });
    }
    let times = Times::of(column)?;
    // A loop for each part, so that no row has to decide on it.
    match part {
        Part::Year => each(call, &times, |local| date_of(local.day).0),
        Part::Quarter => each(call, &times, |local| (date_of(local.day).1 - 1) / 3 + 1),
        Part::Month => each(call, &times, |local| date_of(local.day).1),
        Part::Week => each(call, &times, |local| iso_week(local.day).1),
        Part::WeekYear => each(call, &times, |local| iso_week(local.day).0),
        Part::Day => each(call, &times, |local| date_of(local.day).2),
        Part::DayOfWeek => each(call, &times, |local| weekday(local.day)),
        Part::DayOfYear => each(call, &times, |local| day_of_year(local.day)),
        Part::Hour => each(call, &times, |local| local.time / HOUR),
        Part::Minute => each(call, &times, |local| local.time / MINUTE % 60),
        Part::Second => each(call, &times, |local| local.time / SECOND % 60),
        Part::Millisecond => each(call, &times, |local| local.time / MILLI % 1000),
        Part::ZoneHour => of_offset(call, &times, |minutes| minutes / 60),
        Part::ZoneMinute => of_offset(call, &times, |minutes| minutes % 60),
    }
}

fn each(call: &Call<'_>, times: &Times<'_>, of: impl Fn(Local) -> i64) -> Result<ArrayRef> {
    numbers::<Int64Type>(call, |row| Ok(times.local(row).map(&of)))
}

fn of_offset(call: &Call<'_>, times: &Times<'_>, of: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    numbers::<Int64Type>(call, |row| {
        Ok(match times {
            Times::Zoned(instants, clock) => instants
                .get(row)
                .map(|instant| of(zones::offset(*clock, instant) / MINUTE)),
            _ => None,
        })
    })
}

/// Returns a part of an interval of years and months, or of one of days and shorter units.
fn of_period(part: Part, period: Period) -> Result<i64> {
    let mixed = match part {
        Part::Year | Part::Month => period.millis != 0,
        _ => period.months != 0,
    };
    if mixed {
        return Err(Error::new(
            Code::InvalidParameter,
            "the interval has both months and days, or none of the units that are asked for",
        )
        .with_hint(
            "years and months are parts of INTERVAL '1' YEAR, days and hours of INTERVAL '1' DAY",
        )
        .into());
    }
    let (months, millis) = (period.months, period.millis);
    Ok(match part {
        Part::Year => months / 12,
        Part::Month => months % 12,
        Part::Day => millis / 86_400_000,
        Part::Hour => millis % 86_400_000 / 3_600_000,
        Part::Minute => millis % 3_600_000 / 60_000,
        Part::Second => millis % 60_000 / 1000,
        _ => millis % 1000,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn parts_are_of_columns_nulls_and_years_before_the_first() {
        let dates = "FROM (VALUES (DATE '1969-12-31'), (DATE '0000-02-29'), (NULL)) t(x)";
        for (part, expected) in [
            ("year(x)", ["1969", "0", "NULL"]),
            ("month(x)", ["12", "2", "NULL"]),
            ("day_of_month(x)", ["31", "29", "NULL"]),
            ("dow(x)", ["3", "2", "NULL"]),
            ("doy(x)", ["365", "60", "NULL"]),
            ("week_of_year(x)", ["1", "9", "NULL"]),
            ("yow(x)", ["1970", "0", "NULL"]),
            ("quarter(x)", ["4", "1", "NULL"]),
            ("hour(x)", ["0", "0", "NULL"]),
            ("last_day_of_month(x)", ["1969-12-31", "0000-02-29", "NULL"]),
        ] {
            let found = rows(&format!("SELECT {part} {dates}")).await.unwrap();
            assert_eq!(found, expected, "{part}");
        }
        assert_eq!(value("year(NULL)").await.unwrap(), "NULL");
    }

    #[tokio::test]
    async fn times_before_1970_and_times_of_day_have_parts() {
        let before = "TIMESTAMP '1969-12-31 23:59:58.999'";
        for (part, expected) in [("hour", "23"), ("second", "58"), ("millisecond", "999")] {
            let found = value(&format!("{part}({before})")).await.unwrap();
            assert_eq!(found, expected, "{part}");
        }
        assert_eq!(value("minute(TIME '12:34:56')").await.unwrap(), "34");
        assert!(
            error("day(TIME '12:34:56')")
                .await
                .contains("does not take (time)")
        );
        assert!(error("year('2024-01-01')").await.contains("varchar"));
        assert!(
            error("timezone_hour(TIMESTAMP '2024-01-01 00:00:00')")
                .await
                .contains("does not")
        );
    }

    #[tokio::test]
    async fn parts_of_a_zone_follow_its_clock() {
        let zoned = "with_timezone(TIMESTAMP '2024-07-01 00:30:00', 'Asia/Kolkata')";
        for (part, expected) in [
            ("hour", "0"),
            ("minute", "30"),
            ("day", "1"),
            ("timezone_hour", "5"),
            ("timezone_minute", "30"),
        ] {
            let found = value(&format!("{part}({zoned})")).await.unwrap();
            assert_eq!(found, expected, "{part}");
        }
    }

    #[tokio::test]
    async fn intervals_have_months_or_days() {
        for (part, expected) in [
            ("year(INTERVAL '30' MONTH)", "2"),
            ("month(INTERVAL '30' MONTH)", "6"),
            ("day(INTERVAL '50' HOUR)", "2"),
            ("hour(INTERVAL '50' HOUR)", "2"),
            ("minute(INTERVAL '-90' MINUTE)", "-30"),
            ("day(INTERVAL '1' DAY)", "1"),
        ] {
            assert_eq!(value(part).await.unwrap(), expected, "{part}");
        }
        assert!(
            error("day(INTERVAL '1' MONTH)")
                .await
                .contains("the interval has")
        );
    }
}
