//! Seconds and nanoseconds since 1970: `from_unixtime`, `from_unixtime_nanos`, `to_unixtime`.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::{MILLI, out_of_range};
use super::function::{self, Asked, Timed, is_null};
use super::in_zones;
use super::values::{Times, numbers};
use super::zones;
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::Call;

static FROM: Page = Page {
    name: "from_unixtime",
    section: SECTION,
    syntax: "from_unixtime(seconds[, zone | hours, minutes])",
    sentence: "Returns the timestamp so many seconds after 1970 in UTC, to the millisecond.",
    example: "from_unixtime(1709219045.5)",
    result: "2024-02-29 15:04:05.500 +00:00",
};

static FROM_NANOS: Page = Page {
    name: "from_unixtime_nanos",
    section: SECTION,
    syntax: "from_unixtime_nanos(nanoseconds)",
    sentence: "Returns the timestamp so many nanoseconds after 1970 in UTC, rounded to the \
               microsecond.",
    example: "from_unixtime_nanos(1709219045678000000)",
    result: "2024-02-29 15:04:05.678 +00:00",
};

static TO: Page = Page {
    name: "to_unixtime",
    section: SECTION,
    syntax: "to_unixtime(timestamp)",
    sentence: "Returns the seconds from 1970 in UTC to a timestamp.",
    example: "to_unixtime(TIMESTAMP '2024-02-29 15:04:05.678')",
    result: "1709219045.678",
};

pub(super) fn entries() -> Vec<Entry> {
    let from = Timed::new(&FROM, takes, returns, |call, _| from(call));
    let from_nanos = Timed::new(
        &FROM_NANOS,
        |types| match types {
            [of] if of.is_decimal() => Some(vec![DataType::Decimal128(38, 0)]),
            [of] => Some(vec![function::number(of, DataType::Int64)?]),
            _ => None,
        },
        |asked: &Asked<'_>| Ok(asked.zoned()),
        |call, _| from_nanos(call),
    );
    let to = Timed::new(
        &TO,
        |types| match types {
            [of] => Some(vec![function::timestamp(of)?]),
            _ => None,
        },
        |_| Ok(DataType::Float64),
        |call, _| {
            let times = Times::of(&call.columns[0])?;
            numbers::<Float64Type>(call, |row| {
                let micros = match &times {
                    Times::Timestamps(micros) | Times::Zoned(micros, _) => micros.get(row),
                    _ => None,
                };
                Ok(micros.map(|micros| micros as f64 / 1e6))
            })
        },
    );
    // In PostgreSQL's dialect these two keep DataFusion's types: a timestamp without time zone, and
    // whole seconds.
    vec![
        from.entry().in_trino(),
        from_nanos.entry(),
        to.entry().in_trino(),
    ]
}

fn takes(types: &[DataType]) -> Option<Vec<DataType>> {
    let seconds = |of| function::number(of, DataType::Float64);
    let whole = |of: &DataType| match of {
        of if of.is_integer() || of.is_null() => Some(of.clone()),
        _ => None,
    };
    match types {
        [of] => Some(vec![seconds(of)?]),
        [of, zone] if !zone.is_integer() => Some(vec![seconds(of)?, function::constant(zone)?]),
        [of, hours, minutes] => Some(vec![seconds(of)?, whole(hours)?, whole(minutes)?]),
        _ => None,
    }
}

fn returns(asked: &Asked<'_>) -> Result<DataType> {
    match asked.fields.len() {
        0 | 1 => Ok(asked.zoned()),
        2 => in_zones::in_named_zone(asked, 1),
        _ => in_offset(asked),
    }
}

/// The type of a time in the zone that two constants give.
fn in_offset(asked: &Asked<'_>) -> Result<DataType> {
    if is_null(asked, 1) || is_null(asked, 2) {
        return Ok(asked.zoned());
    }
    let constant = |index: usize| match asked.constants.get(index).copied().flatten() {
        Some(value) => match value.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value,
            _ => None,
        },
        None => None,
    };
    let (Some(hours), Some(minutes)) = (constant(1), constant(2)) else {
        return Err(in_zones::not_constant("hours and minutes").into());
    };
    let minutes = hours
        .checked_mul(60)
        .and_then(|hours| hours.checked_add(minutes))
        .unwrap_or(i64::MAX);
    let zone = zones::id(zones::at_offset(minutes)?);
    Ok(DataType::Timestamp(
        TimeUnit::Microsecond,
        Some(Arc::clone(&zone)),
    ))
}

fn from(call: &Call<'_>) -> Result<ArrayRef> {
    let seconds = call.columns[0].primitives::<Float64Type>();
    let others = call.columns.get(1..).unwrap_or_default();
    numbers::<TimestampMicrosecondType>(call, |row| {
        let is_null = |column: &Column| column.array.data_type().is_null() || column.is_null(row);
        if others.iter().any(is_null) {
            return Ok(None);
        }
        seconds.get(row).map(from_seconds).transpose()
    })
}

/// Returns microseconds, rounded to milliseconds.
fn from_seconds(seconds: f64) -> Result<i64> {
    let millis = (seconds * 1000.0 + 0.5).floor();
    const MOST: f64 = 9_007_199_254_740_992.0;
    // A number that is none is not within the range.
    if !(-MOST..=MOST).contains(&millis) {
        return Err(Error::new(
            Code::NumericOutOfRange,
            format!("{seconds} seconds after 1970 are out of range of timestamps"),
        )
        .into());
    }
    let micros = (millis as i64).checked_mul(MILLI);
    micros.ok_or_else(|| out_of_range().into())
}

fn from_nanos(call: &Call<'_>) -> Result<ArrayRef> {
    use arrow::datatypes::Decimal128Type;

    let rounded = |nanos: i128| -> Result<i64> {
        let micros = nanos.div_euclid(1000) + i128::from(nanos.rem_euclid(1000) >= 500);
        i64::try_from(micros).map_err(|_| out_of_range().into())
    };
    let column = &call.columns[0];
    match column.array.data_type() {
        DataType::Decimal128(..) => {
            let nanos = column.primitives::<Decimal128Type>();
            numbers::<TimestampMicrosecondType>(call, |row| nanos.get(row).map(rounded).transpose())
        }
        _ => {
            let nanos = column.primitives::<Int64Type>();
            numbers::<TimestampMicrosecondType>(call, |row| {
                let nanos = nanos.get(row).map(i128::from);
                nanos.map(rounded).transpose()
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn seconds_are_timestamps_of_a_zone() {
        for (call, expected) in [
            ("from_unixtime(0)", "1970-01-01 00:00:00.000 +00:00"),
            ("from_unixtime(-1.5)", "1969-12-31 23:59:58.500 +00:00"),
            ("from_unixtime(1.0006)", "1970-01-01 00:00:01.001 +00:00"),
            (
                "to_iso8601(from_unixtime(0, 'Asia/Tokyo'))",
                "1970-01-01T09:00:00.000+09:00",
            ),
            (
                "to_iso8601(from_unixtime(0, -5, -30))",
                "1969-12-31T18:30:00.000-05:30",
            ),
            (
                "to_iso8601(from_unixtime(0, 0, 0))",
                "1970-01-01T00:00:00.000Z",
            ),
            ("from_unixtime(NULL)", "NULL"),
            ("from_unixtime(0, NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let query = "SELECT from_unixtime(x) FROM (VALUES (1709219045), (NULL)) t(x)";
        assert_eq!(
            rows(query).await.unwrap(),
            ["2024-02-29 15:04:05.000 +00:00", "NULL"]
        );
    }

    #[tokio::test]
    async fn what_is_no_time_or_zone_is_an_error() {
        for (call, part) in [
            ("from_unixtime(CAST('NaN' AS DOUBLE))", "out of range"),
            ("from_unixtime(1e300)", "out of range"),
            ("from_unixtime(0, 'Nowhere')", "is not a time zone"),
            ("from_unixtime(0, 15, 0)", "at most 14 hours"),
            ("from_unixtime(0, 9223372036854775807, 0)", "offset"),
            ("from_unixtime('0')", "does not take"),
        ] {
            let message = format!("{:?}", crate::testing::value(call).await.unwrap_err());
            assert!(message.contains(part), "{call}: {message}");
        }
        let zones = "(SELECT max(from_unixtime(0, z)) FROM (VALUES ('UTC'), ('CET')) t(z))";
        assert!(error(zones).await.contains("must be"));
    }

    #[tokio::test]
    async fn nanoseconds_are_rounded_to_microseconds() {
        for (call, expected) in [
            (
                "to_iso8601(from_unixtime_nanos(1500))",
                "1970-01-01T00:00:00.000002Z",
            ),
            (
                "to_iso8601(from_unixtime_nanos(-1500))",
                "1969-12-31T23:59:59.999999Z",
            ),
            (
                "from_unixtime_nanos(9223372036854775807)",
                "2262-04-11 23:47:16.854 +00:00",
            ),
            (
                "from_unixtime_nanos(CAST(1e18 AS DECIMAL(20, 0)))",
                "2001-09-09 01:46:40.000 +00:00",
            ),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }

    #[tokio::test]
    async fn timestamps_are_seconds() {
        for (call, expected) in [
            ("to_unixtime(DATE '1970-01-02')", "86400.0"),
            ("to_unixtime(TIMESTAMP '1969-12-31 23:59:59.5')", "-0.5"),
            ("to_unixtime(from_unixtime(12.25, 'Asia/Tokyo'))", "12.25"),
            ("to_unixtime(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
    }
}
