//! `date_trunc` and `date_add`: units of time, as Trino names them.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::datatypes::{
    DataType, Date32Type, Int64Type, Time64NanosecondType, TimestampMicrosecondType,
};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::{
    DAY, HOUR, Local, MILLI, MINUTE, SECOND, date_of, date32, days_of, months_later, out_of_range,
    weekday,
};
use super::function::{self, Asked, Timed};
use super::values::{Last, Times, numbers, shortened};
use super::zones;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

static TRUNC: Page = Page {
    name: "date_trunc",
    section: SECTION,
    syntax: "date_trunc(unit, x)",
    sentence: "Returns the start of the unit of time that contains a date or a time.",
    example: "date_trunc('month', DATE '2024-02-29')",
    result: "2024-02-01",
};

static ADD: Page = Page {
    name: "date_add",
    section: SECTION,
    syntax: "date_add(unit, number, x)",
    sentence: "Adds a number of units to a date or a time; a negative number subtracts.",
    example: "date_add('month', 1, TIMESTAMP '2024-01-31 12:00:00')",
    result: "2024-02-29 12:00:00.000",
};

pub(super) fn entries() -> Vec<Entry> {
    let trunc = Timed::new(
        &TRUNC,
        unit_and_time,
        |asked| Ok(asked.argument(1)),
        |call, _| truncated(call),
    );
    let add = Timed::new(
        &ADD,
        |types| {
            let [unit, number, of] = types else {
                return None;
            };
            let mut taken = unit_and_time(&[unit.clone(), of.clone()])?;
            taken.insert(1, function::number(number, DataType::Int64)?);
            Some(taken)
        },
        |asked: &Asked<'_>| Ok(asked.argument(2)),
        |call, _| added(call),
    );
    // PostgreSQL's date_trunc of a date is a timestamp, and it has more units.
    vec![trunc.entry().in_trino(), add.entry()]
}

fn unit_and_time(types: &[DataType]) -> Option<Vec<DataType>> {
    let [unit, of] = types else { return None };
    let of = function::time(of).or_else(|| function::time_of_day(of))?;
    Some(vec![function::text(unit)?, of])
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unit {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// Returns the unit of a name, if values of this type have it.
    ///
    /// # Errors
    ///
    /// There is no such unit, or the type does not have it.
    pub(super) fn named(name: &str, times: &Times<'_>) -> Result<Self> {
        static UNITS: [(&str, Unit); 9] = [
            ("millisecond", Unit::Millisecond),
            ("second", Unit::Second),
            ("minute", Unit::Minute),
            ("hour", Unit::Hour),
            ("day", Unit::Day),
            ("week", Unit::Week),
            ("month", Unit::Month),
            ("quarter", Unit::Quarter),
            ("year", Unit::Year),
        ];
        let (kind, known) = match times {
            Times::Dates(_) => ("a date", UNITS.get(4..)),
            Times::Daytimes(_) => ("a time", UNITS.get(..4)),
            _ => ("a timestamp", UNITS.get(..)),
        };
        let known = known.unwrap_or_default();
        let unit = known.iter().find(|unit| unit.0.eq_ignore_ascii_case(name));
        unit.map(|unit| unit.1).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|unit| unit.0).collect();
            Error::new(
                Code::InvalidParameter,
                format!("'{}' is not a unit of {kind}", shortened(name)),
            )
            .with_hint(format!("the units are {}", names.join(", ")))
            .into()
        })
    }

    /// The microseconds of a unit that always has as many, or the months of another one.
    pub(super) fn length(self) -> Length {
        match self {
            Self::Millisecond => Length::Micros(MILLI),
            Self::Second => Length::Micros(SECOND),
            Self::Minute => Length::Micros(MINUTE),
            Self::Hour => Length::Micros(HOUR),
            Self::Day => Length::Micros(DAY),
            Self::Week => Length::Micros(7 * DAY),
            Self::Month => Length::Months(1),
            Self::Quarter => Length::Months(3),
            Self::Year => Length::Months(12),
        }
    }

    /// Whether the unit is an elapsed time, whatever the clock shows.
    pub(super) fn is_elapsed(self) -> bool {
        self < Self::Day
    }

    fn truncated(self, local: Local) -> Local {
        let (year, month, date) = match self {
            Self::Month | Self::Quarter | Self::Year => date_of(local.day),
            _ => (0, 0, 0),
        };
        let day = match self {
            Self::Week => local.day - weekday(local.day) + 1,
            Self::Month => local.day - date + 1,
            Self::Quarter => days_of(year, (month - 1) / 3 * 3 + 1, 1),
            Self::Year => days_of(year, 1, 1),
            _ => local.day,
        };
        let time = match self.length() {
            Length::Micros(length) if self.is_elapsed() => local.time - local.time % length,
            _ => 0,
        };
        Local { day, time }
    }

    /// # Errors
    ///
    /// The result is out of range.
    fn added(self, local: Local, number: i64) -> Result<Local> {
        let many = |length: i64| number.checked_mul(length).ok_or_else(out_of_range);
        Ok(match self.length() {
            Length::Months(months) => Local {
                day: months_later(local.day, many(months)?)?,
                ..local
            },
            Length::Micros(length) if self.is_elapsed() => {
                let by = Local::of(many(length)?);
                let later = local.later(by.time);
                Local {
                    day: later.day + by.day,
                    ..later
                }
            }
            Length::Micros(length) => {
                let days = many(length / DAY)?;
                Local {
                    day: local.day.checked_add(days).ok_or_else(out_of_range)?,
                    ..local
                }
            }
        })
    }
}

/// How long a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Micros(i64),
    Months(i64),
}

fn truncated(call: &Call<'_>) -> Result<ArrayRef> {
    let units = call.columns[0].texts();
    let times = Times::of(&call.columns[1])?;
    let mut last = Last::new();
    let mut unit = |row: usize| match units.get(row) {
        None => Ok(None),
        Some(name) => last
            .of(name, |name| Unit::named(name, &times))
            .map(|unit| Some(*unit)),
    };
    match &times {
        Times::Dates(_) => {
            numbers::<Date32Type>(call, |row| match (unit(row)?, times.local(row)) {
                (Some(unit), Some(local)) => date32(unit.truncated(local).day).map(Some),
                _ => Ok(None),
            })
        }
        Times::Daytimes(nanos) => numbers::<Time64NanosecondType>(call, |row| {
            Ok(match (unit(row)?, nanos.get(row)) {
                (Some(unit), Some(nanos)) => {
                    let length = match unit.length() {
                        Length::Micros(length) => length * 1000,
                        Length::Months(_) => 1,
                    };
                    Some(nanos - nanos.rem_euclid(length))
                }
                _ => None,
            })
        }),
        // The usual call: one unit for a column.
        Times::Timestamps(micros) if units.is_constant() && !micros.constant => {
            call.work
                .builds(call.rows.saturating_mul(size_of::<i64>()))?;
            let starts: TimestampMicrosecondArray = match unit(0)? {
                Some(unit) => micros
                    .array
                    .try_unary(|micros| unit.truncated(Local::of(micros)).micros())?,
                None => TimestampMicrosecondArray::new_null(call.rows),
            };
            Ok(Arc::new(starts.with_data_type(call.returns.clone())))
        }
        Times::Timestamps(micros) => {
            numbers::<TimestampMicrosecondType>(call, |row| match (unit(row)?, micros.get(row)) {
                (Some(unit), Some(micros)) => unit.truncated(Local::of(micros)).micros().map(Some),
                _ => Ok(None),
            })
        }
        Times::Zoned(instants, clock) => numbers::<TimestampMicrosecondType>(call, |row| {
            let (Some(unit), Some(instant)) = (unit(row)?, instants.get(row)) else {
                return Ok(None);
            };
            let offset = zones::offset(*clock, instant);
            let start = unit.truncated(Local::of(instant).later(offset));
            match unit.is_elapsed() {
                true => start.later(-offset).micros().map(Some),
                false => zones::instant_near(*clock, start, offset).map(Some),
            }
        }),
    }
}

fn added(call: &Call<'_>) -> Result<ArrayRef> {
    let units = call.columns[0].texts();
    let amounts = call.columns[1].primitives::<Int64Type>();
    let times = Times::of(&call.columns[2])?;
    let mut last = Last::new();
    let mut many = |row: usize| match (units.get(row), amounts.get(row)) {
        (Some(name), Some(number)) => last
            .of(name, |name| Unit::named(name, &times))
            .map(|unit| Some((*unit, number))),
        _ => Ok(None),
    };
    match &times {
        Times::Dates(_) => {
            numbers::<Date32Type>(call, |row| match (many(row)?, times.local(row)) {
                (Some((unit, number)), Some(local)) => {
                    date32(unit.added(local, number)?.day).map(Some)
                }
                _ => Ok(None),
            })
        }
        Times::Daytimes(nanos) => numbers::<Time64NanosecondType>(call, |row| {
            let (Some((unit, number)), Some(nanos)) = (many(row)?, nanos.get(row)) else {
                return Ok(None);
            };
            let Length::Micros(length) = unit.length() else {
                return Ok(None);
            };
            // The clock goes round.
            let by = number % (DAY / length) * length * 1000;
            Ok(Some((nanos + by).rem_euclid(DAY * 1000)))
        }),
        Times::Timestamps(micros) => {
            numbers::<TimestampMicrosecondType>(call, |row| match (many(row)?, micros.get(row)) {
                (Some((unit, number)), Some(micros)) => {
                    unit.added(Local::of(micros), number)?.micros().map(Some)
                }
                _ => Ok(None),
            })
        }
        Times::Zoned(instants, clock) => numbers::<TimestampMicrosecondType>(call, |row| {
            let (Some((unit, number)), Some(instant)) = (many(row)?, instants.get(row)) else {
                return Ok(None);
            };
            if unit.is_elapsed() {
                return unit.added(Local::of(instant), number)?.micros().map(Some);
            }
            let offset = zones::offset(*clock, instant);
            let later = unit.added(Local::of(instant).later(offset), number)?;
            zones::instant_near(*clock, later, offset).map(Some)
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn dates_and_times_are_truncated_to_every_unit() {
        for (unit, expected) in [
            ("millisecond", "2024-08-15 13:45:59.123"),
            ("second", "2024-08-15 13:45:59.000"),
            ("minute", "2024-08-15 13:45:00.000"),
            ("HOUR", "2024-08-15 13:00:00.000"),
            ("day", "2024-08-15 00:00:00.000"),
            ("week", "2024-08-12 00:00:00.000"),
            ("month", "2024-08-01 00:00:00.000"),
            ("quarter", "2024-07-01 00:00:00.000"),
            ("year", "2024-01-01 00:00:00.000"),
        ] {
            let call = format!("date_trunc('{unit}', TIMESTAMP '2024-08-15 13:45:59.123456')");
            assert_eq!(value(&call).await.unwrap(), expected, "{unit}");
        }
        let query = "SELECT date_trunc(u, x) FROM (VALUES ('week', DATE '1969-12-31'), \
                     ('year', DATE '2024-02-29'), (NULL, DATE '2024-02-29'), ('day', NULL)) t(u, x)";
        let expected = ["1969-12-29", "2024-01-01", "NULL", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        let time = value("date_trunc('minute', TIME '12:34:56')")
            .await
            .unwrap();
        assert_eq!(time, "12:34:00");
    }

    #[tokio::test]
    async fn units_of_other_types_are_errors() {
        for call in [
            "date_trunc('hour', DATE '2024-01-01')",
            "date_trunc('days', TIMESTAMP '2024-01-01 00:00:00')",
            "date_trunc('day', TIME '12:00:00')",
            "date_add('hour', 1, DATE '2024-01-01')",
            "date_add('', 1, DATE '2024-01-01')",
        ] {
            assert!(error(call).await.contains("is not a unit of"), "{call}");
        }
        assert!(
            error("date_trunc('day', '2024-01-01')")
                .await
                .contains("does not take")
        );
    }

    #[tokio::test]
    async fn numbers_of_units_are_added() {
        for (call, expected) in [
            ("date_add('day', -1, DATE '2024-03-01')", "2024-02-29"),
            ("date_add('year', 1, DATE '2024-02-29')", "2025-02-28"),
            ("date_add('quarter', 1, DATE '2023-11-30')", "2024-02-29"),
            (
                "date_add('hour', 30, TIMESTAMP '2024-02-28 20:00:00.5')",
                "2024-03-01 02:00:00.500",
            ),
            (
                "date_add('millisecond', -1, TIMESTAMP '1970-01-01 00:00:00')",
                "1969-12-31 23:59:59.999",
            ),
            ("date_add('hour', 30, TIME '20:00:00')", "02:00:00"),
            ("date_add('day', NULL, DATE '2024-03-01')", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn results_out_of_range_are_errors() {
        for call in [
            "date_add('year', 9223372036854775807, DATE '2024-01-01')",
            "date_add('day', 9223372036854775807, DATE '2024-01-01')",
            "date_add('week', -9223372036854775807, TIMESTAMP '2024-01-01 00:00:00')",
            "date_add('millisecond', 9223372036854775807, TIMESTAMP '2024-01-01 00:00:00')",
            "date_add('year', 9000000, DATE '2024-01-01')",
            "date_add('year', 500000, TIMESTAMP '2024-01-01 00:00:00')",
        ] {
            assert!(error(call).await.contains("out of range"), "{call}");
        }
    }

    #[tokio::test]
    async fn days_follow_the_clock_and_hours_do_not() {
        let berlin = |time: &str| format!("with_timezone(TIMESTAMP '{time}', 'Europe/Berlin')");
        for (call, expected) in [
            (
                format!("date_add('day', 1, {})", berlin("2024-03-30 12:00:00")),
                "2024-03-31 12:00:00.000",
            ),
            (
                format!("date_add('hour', 24, {})", berlin("2024-03-30 12:00:00")),
                "2024-03-31 13:00:00.000",
            ),
            (
                format!("date_add('day', 1, {})", berlin("2024-03-30 02:30:00")),
                "2024-03-31 03:30:00.000",
            ),
            (
                format!("date_trunc('day', {})", berlin("2024-03-31 12:00:00")),
                "2024-03-31 00:00:00.000",
            ),
            (
                format!("date_trunc('month', {})", berlin("2024-07-31 12:00:00")),
                "2024-07-01 00:00:00.000",
            ),
        ] {
            let shown = format!("format_datetime({call}, 'yyyy-MM-dd HH:mm:ss.SSS')");
            let shown = value(&shown).await.unwrap();
            assert_eq!(shown, expected, "{call}");
        }
    }
}
