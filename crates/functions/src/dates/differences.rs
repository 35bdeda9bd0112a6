//! `date_diff`: the whole units between two times. A month is whole when its day of the month and
//! its time of day have come.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::error::Result;

use super::SECTION;
use super::calendar::{
    DAY, HOUR, Local, MILLI, MINUTE, SECOND, date_of, days_in_month, days_of, is_leap,
};
use super::function::{self, Session, Timed};
use super::units::{Length, Unit};
use super::values::{Last, Times, numbers};
use super::zones;
use crate::columns::{Texts, Values};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

static DIFF: Page = Page {
    name: "date_diff",
    section: SECTION,
    syntax: "date_diff(unit, from, to)",
    sentence: "Returns the whole units of time from one date or time to another one.",
    example: "date_diff('month', DATE '2024-01-31', DATE '2024-03-30')",
    result: "1",
};

pub(super) fn entries() -> Vec<Entry> {
    let diff = Timed::new(&DIFF, takes, |_| Ok(DataType::Int64), differences);
    vec![diff.entry()]
}

fn takes(types: &[DataType]) -> Option<Vec<DataType>> {
    let [unit, from, to] = types else { return None };
    let unit = function::text(unit)?;
    if let (Some(from), Some(to)) = (function::time_of_day(from), function::time_of_day(to)) {
        return Some(vec![unit, from, to]);
    }
    let (from, to) = match (from, to) {
        (DataType::Date32, DataType::Date32) => (DataType::Date32, DataType::Date32),
        (DataType::Date32 | DataType::Null, DataType::Date32 | DataType::Null) => {
            (DataType::Date32, DataType::Date32)
        }
        // A time of day and a NULL.
        (of, DataType::Null) | (DataType::Null, of) if function::time_of_day(of).is_some() => {
            (function::TIME, function::TIME)
        }
        // The function itself converts between times with a zone and without one.
        (from, to) => (function::timestamp(from)?, function::timestamp(to)?),
    };
    Some(vec![unit, from, to])
}

fn differences(call: &Call<'_>, session: &Session<'_>) -> Result<ArrayRef> {
    let units = call.columns[0].texts();
    let (from, to) = (Times::of(&call.columns[1])?, Times::of(&call.columns[2])?);
    if let Some(differences) = elapsed(call, &units, &from, &to)? {
        return Ok(differences);
    }
    let zoned = from.clock().is_some() || to.clock().is_some();
    let session = if zoned { Some(session.clock()?) } else { None };
    let mut last = Last::new();
    numbers::<Int64Type>(call, |row| {
        let Some(name) = units.get(row) else {
            return Ok(None);
        };
        let unit = *last.of(name, |name| Unit::named(name, &from))?;
        let Some(session) = session else {
            return Ok(match (from.local(row), to.local(row)) {
                (Some(from), Some(to)) => Some(difference(unit, from, to)),
                _ => None,
            });
        };
        let (Some(start), Some(end)) = (from.instant(row, session)?, to.instant(row, session)?)
        else {
            return Ok(None);
        };
        // Both are seen by the clock of the first one, elapsed times by none.
        let clock = from.clock().unwrap_or(session);
        Ok(Some(match unit.is_elapsed() {
            true => difference(unit, Local::of(start), Local::of(end)),
            false => difference(unit, zones::shown(clock, start), zones::shown(clock, end)),
        }))
    })
}

/// Returns the differences of timestamps without a zone in the same unit, which is always as long;
/// `None` for others.
fn elapsed(
    call: &Call<'_>,
    units: &Texts<'_>,
    from: &Times<'_>,
    to: &Times<'_>,
) -> Result<Option<ArrayRef>> {
    const SECONDS: i64 = SECOND / MILLI;
    const MINUTES: i64 = MINUTE / MILLI;
    const HOURS: i64 = HOUR / MILLI;
    const DAYS: i64 = DAY / MILLI;
    let (Times::Timestamps(starts), Times::Timestamps(ends)) = (from, to) else {
        return Ok(None);
    };
    if !units.is_constant() || call.rows == 0 {
        return Ok(None);
    }
    let Some(name) = units.get(0) else {
        return Ok(None);
    };
    let Length::Micros(length) = Unit::named(name, from)?.length() else {
        return Ok(None);
    };
    call.work.builds(call.rows.saturating_mul(8))?;
    // A division by a constant is a multiplication.
    let differences = match length / MILLI {
        1 => counted(call.rows, starts, ends, |millis| millis),
        SECONDS => counted(call.rows, starts, ends, |millis| millis / SECONDS),
        MINUTES => counted(call.rows, starts, ends, |millis| millis / MINUTES),
        HOURS => counted(call.rows, starts, ends, |millis| millis / HOURS),
        DAYS => counted(call.rows, starts, ends, |millis| millis / DAYS),
        unit => counted(call.rows, starts, ends, |millis| millis / unit),
    };
    let (first, second) = (nulls(call.rows, starts), nulls(call.rows, ends));
    let nulls = NullBuffer::union(first.as_ref(), second.as_ref());
    let differences = Int64Array::try_new(differences.into(), nulls)?;
    Ok(Some(Arc::new(differences)))
}

type Timestamps<'a> = Values<'a, PrimitiveArray<TimestampMicrosecondType>>;

/// Returns the units of so many rows, of which `units` makes milliseconds. Those of a NULL mean
/// nothing.
fn counted(
    rows: usize,
    starts: &Timestamps<'_>,
    ends: &Timestamps<'_>,
    units: impl Fn(i64) -> i64,
) -> Vec<i64> {
    let millis = |times: &Timestamps<'_>, row: usize| {
        let micros = times
            .array
            .values()
            .get(if times.constant { 0 } else { row });
        micros.map_or(0, |micros| micros.div_euclid(MILLI))
    };
    let rows = (0..rows).map(|row| units(millis(ends, row) - millis(starts, row)));
    rows.collect()
}

fn nulls(rows: usize, times: &Timestamps<'_>) -> Option<NullBuffer> {
    match times.constant {
        true => times.get(0).is_none().then(|| NullBuffer::new_null(rows)),
        false => times.array.nulls().cloned(),
    }
}

/// Returns the whole units, negative if `to` is before `from`. Parts of milliseconds do not count.
fn difference(unit: Unit, from: Local, to: Local) -> i64 {
    let whole = |local: Local| Local {
        time: local.time - local.time % MILLI,
        ..local
    };
    let (from, to) = (whole(from), whole(to));
    let forward = |of: fn(Local, Local) -> i64| match to < from {
        true => -of(to, from),
        false => of(from, to),
    };
    match unit.length() {
        Length::Micros(length) => {
            let (days, micros) = (to.day - from.day, to.time - from.time);
            // Division of 128 bits is slow, and only few times are so far apart.
            match days
                .checked_mul(DAY)
                .and_then(|days| days.checked_add(micros))
            {
                Some(micros) => micros / length,
                None => {
                    let micros = i128::from(days) * i128::from(DAY) + i128::from(micros);
                    (micros / i128::from(length)) as i64
                }
            }
        }
        Length::Months(12) => forward(years),
        Length::Months(months) => forward(months_between) / months,
    }
}

/// Returns the whole months from a time to a later one, which has reached the end of a month if it
/// is its last day.
fn months_between(from: Local, to: Local) -> i64 {
    let (first_year, first_month, first_date) = date_of(from.day);
    let (last_year, last_month, last_date) = date_of(to.day);
    let months = (last_year - first_year) * 12 + last_month - first_month;
    let ends = last_date == days_in_month(last_year, last_month);
    let date = match ends {
        true => first_date.min(last_date),
        false => first_date,
    };
    months - i64::from((last_date, to.time) < (date, from.time))
}

/// Returns the whole years from a time to a later one. From the 29th of February to the 28th of a
/// year without a 29th is a whole year.
fn years(from: Local, to: Local) -> i64 {
    /// Days from the start of a year to its 60th day: the 29th of February or the 1st of March.
    const SIXTIETH: i64 = 59;
    let of_year = |local: Local| {
        let (year, ..) = date_of(local.day);
        (year, local.day - days_of(year, 1, 1))
    };
    let (first_year, mut first) = of_year(from);
    let (last_year, mut last) = of_year(to);
    match (is_leap(first_year), is_leap(last_year)) {
        (true, false) if first >= SIXTIETH => first -= 1,
        (false, true) if first >= SIXTIETH && last >= SIXTIETH => last -= 1,
        _ => {}
    }
    last_year - first_year - i64::from((last, to.time) < (first, from.time))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn whole_units_of_dates_are_counted() {
        for (unit, from, to, expected) in [
            ("day", "2024-02-28", "2024-03-01", "2"),
            ("day", "2024-03-01", "2024-02-28", "-2"),
            ("week", "2024-01-01", "2024-01-14", "1"),
            ("month", "2024-01-31", "2024-02-29", "1"),
            ("month", "2024-01-31", "2024-02-28", "0"),
            ("month", "2024-02-29", "2024-03-28", "0"),
            ("month", "2024-03-31", "2024-02-29", "-1"),
            ("month", "2024-03-30", "2024-02-29", "-1"),
            ("quarter", "2024-01-01", "2024-06-30", "1"),
            ("quarter", "2024-01-01", "2023-10-02", "0"),
            ("year", "2024-02-29", "2025-02-28", "1"),
            ("year", "2023-03-01", "2024-02-29", "0"),
            ("year", "2023-03-01", "2024-03-01", "1"),
            ("year", "2024-06-15", "2023-06-16", "0"),
            ("year", "0001-01-01", "9999-12-31", "9998"),
        ] {
            let call = format!("date_diff('{unit}', DATE '{from}', DATE '{to}')");
            assert_eq!(value(&call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn times_count_in_whole_milliseconds() {
        for (unit, from, to, expected) in [
            ("hour", "2024-01-01 00:59:00", "2024-01-01 02:58:59", "1"),
            ("day", "2024-01-01 12:00:00", "2024-01-02 11:59:59", "0"),
            ("day", "2024-01-02 11:59:59", "2024-01-01 12:00:00", "0"),
            ("month", "2024-01-15 12:00:00", "2024-02-15 11:00:00", "0"),
            ("month", "2024-02-15 11:00:00", "2024-01-15 12:00:00", "0"),
            (
                "millisecond",
                "1969-12-31 23:59:59.5",
                "1970-01-01 00:00:00",
                "500",
            ),
            (
                "second",
                "1969-12-31 00:00:00",
                "2024-01-01 00:00:00",
                "1704153600",
            ),
        ] {
            let call = format!("date_diff('{unit}', TIMESTAMP '{from}', TIMESTAMP '{to}')");
            assert_eq!(value(&call).await.unwrap(), expected, "{call}");
        }
        let times = "date_diff('minute', TIME '12:00:30', TIME '11:00:00')";
        assert_eq!(value(times).await.unwrap(), "-60");
    }

    #[tokio::test]
    async fn one_unit_of_all_rows_counts_as_a_unit_of_each() {
        let times = "(VALUES (TIMESTAMP '2024-01-01 00:00:00.0004', TIMESTAMP '2023-12-01 10:20:30.5'), \
             (TIMESTAMP '1969-12-31 23:59:59.999', TIMESTAMP '1970-01-01 00:00:00.001'), \
             (TIMESTAMP '2200-12-31 23:59:59.999999', TIMESTAMP '1700-01-01 00:00:00'), \
             (NULL, TIMESTAMP '2024-01-01 00:00:00'), (TIMESTAMP '2024-01-01 00:00:00', NULL)) t(x, y)";
        for unit in ["millisecond", "SECOND", "minute", "hour", "day", "week"] {
            for (from, to) in [("x", "y"), ("TIMESTAMP '2000-01-01 00:00:00'", "y")] {
                // A unit of each row: it is a column.
                let query = format!(
                    "SELECT date_diff(u, {from}, {to}) FROM (SELECT nullif('{unit}', CAST(y AS varchar)) AS u, x, y FROM {times}) s"
                );
                let each = rows(&query).await.unwrap();
                let query = format!("SELECT date_diff('{unit}', {from}, {to}) FROM {times}");
                assert_eq!(rows(&query).await.unwrap(), each, "{unit} {from}");
            }
        }
    }

    #[tokio::test]
    async fn days_are_those_of_the_first_clock() {
        let berlin = |time: &str| format!("with_timezone(TIMESTAMP '{time}', 'Europe/Berlin')");
        let (from, to) = (berlin("2024-03-30 12:00:00"), berlin("2024-03-31 12:00:00"));
        for (unit, expected) in [("day", "1"), ("hour", "23")] {
            let call = format!("date_diff('{unit}', {from}, {to})");
            assert_eq!(value(&call).await.unwrap(), expected, "{unit}");
        }
        let mixed = format!("date_diff('hour', TIMESTAMP '2024-03-30 11:00:00', {to})");
        assert_eq!(value(&mixed).await.unwrap(), "23");
    }

    #[tokio::test]
    async fn units_and_times_may_be_columns_and_null() {
        let query = "SELECT date_diff(u, a, b) FROM (VALUES \
            ('day', DATE '2024-01-01', DATE '2024-01-03'), ('year', DATE '2024-01-01', NULL), \
            (NULL, DATE '2024-01-01', DATE '2024-01-03')) t(u, a, b)";
        assert_eq!(rows(query).await.unwrap(), ["2", "NULL", "NULL"]);
        assert_eq!(value("date_diff('day', NULL, NULL)").await.unwrap(), "NULL");
        let hours = error("date_diff('hour', DATE '2024-01-01', DATE '2024-01-02')").await;
        assert!(hours.contains("'hour' is not a unit of a date"), "{hours}");
    }
}
