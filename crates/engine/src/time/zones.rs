//! Casts between times with and without a zone follow the zone's clock, as in PostgreSQL and
//! Athena.
//!
//! DataFusion drops the zone and keeps the time in UTC (`arrow-cast`, 59.3). It moves a cast from a
//! column to a constant, where it means another time (`unwrap_cast` of `datafusion-optimizer`,
//! 55.2). It refuses times that a clock shows twice or never, and knows no daylight saving time
//! after 2099. It is correct in UTC, which is left unchanged. Delete this when DataFusion's casts
//! follow the clock.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::clock::Clock;
use super::input::out_of_range;
use crate::plans::expressions;

/// Returns a cast that follows a clock; `None` if DataFusion's own is correct.
pub(super) fn by_the_clock(expr: &Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
    let zone = match (from, to) {
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None)) => zone,
        (DataType::Timestamp(_, Some(zone)), DataType::Date32 | DataType::Time64(_)) => {
            let shown = match is_utc(zone) {
                true => return None,
                false => by_the_clock(expr, from, &naive)?,
            };
            return Some(Expr::Cast(Cast::new(Box::new(shown), to.clone())));
        }
        (DataType::Timestamp(_, None) | DataType::Date32, DataType::Timestamp(_, Some(zone))) => {
            zone
        }
        _ => return None,
    };
    if is_utc(zone) {
        return None;
    }
    let function = ByTheClock {
        to: to.clone(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    Some(expressions::call(function, vec![expr.clone()]))
}

/// Returns whether the zone's clock shows UTC.
pub(crate) fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "GMT") || Clock::of(zone).is_ok_and(Clock::is_utc)
}

/// Returns the value that such a cast is of, and the type that it is to; `None` for other calls.
pub(super) fn moved_argument(call: &ScalarFunction) -> Option<(&Expr, &DataType)> {
    let function = call.func.inner().downcast_ref::<ByTheClock>()?;
    Some((call.args.first()?, &function.to))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ByTheClock {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for ByTheClock {
    fn name(&self) -> &str {
        "by_the_clock"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| moved(values, &self.to))
    }
}

/// Converts times with a zone to what its clock shows, or the other way round.
///
/// # Errors
///
/// Returns an error if a time is out of range.
pub(crate) fn moved(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let micros = |zone| DataType::Timestamp(TimeUnit::Microsecond, zone);
    let moved: TimestampMicrosecondArray = match (values.data_type(), to) {
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None)) => {
            let clock = Clock::of(zone)?;
            let values = cast(values, &micros(Some(Arc::clone(zone))))?;
            each(&values, |instant| clock.shown(instant))?
        }
        (DataType::Timestamp(_, None) | DataType::Date32, DataType::Timestamp(_, Some(zone))) => {
            let clock = Clock::of(zone)?;
            let shown = cast(values, &micros(None))?;
            // The cast makes NULL of dates that are too far from 1970.
            if shown.null_count() > values.null_count() {
                return Err(out_of_range().into());
            }
            match clock.is_utc() {
                true => shown.as_primitive::<TimestampMicrosecondType>().clone(),
                false => each(&shown, |time| clock.instant(time))?,
            }
        }
        _ => return Ok(cast(values, to)?),
    };
    let moved: ArrayRef = Arc::new(match to {
        DataType::Timestamp(_, zone) => moved.with_timezone_opt(zone.clone()),
        _ => moved,
    });
    Ok(cast(&moved, to)?)
}

/// Maps the times of an array in microseconds. The result has no zone.
///
/// # Errors
///
/// Returns an error if a time is out of range.
pub(super) fn each(
    values: &ArrayRef,
    of: impl Fn(i64) -> Option<i64>,
) -> Result<TimestampMicrosecondArray> {
    let values = values.as_primitive::<TimestampMicrosecondType>();
    let values: TimestampMicrosecondArray =
        values.try_unary(|micros| of(micros).ok_or_else(out_of_range))?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Date32Array;
    use chrono::NaiveDateTime;

    use super::*;

    fn micros(text: &str) -> i64 {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        time.and_utc().timestamp_micros()
    }

    #[test]
    fn clocks_are_set_forward_and_back() {
        let zone: Arc<str> = Arc::from("America/New_York");
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some(zone));
        let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (clock, instant, again) in [
            (
                "2024-07-01 08:00:00",
                "2024-07-01 12:00:00",
                "2024-07-01 08:00:00",
            ),
            (
                "2024-01-01 08:00:00",
                "2024-01-01 13:00:00",
                "2024-01-01 08:00:00",
            ),
            (
                "2024-03-10 02:30:00",
                "2024-03-10 07:30:00",
                "2024-03-10 03:30:00",
            ),
            (
                "2024-11-03 01:30:00",
                "2024-11-03 06:30:00",
                "2024-11-03 01:30:00",
            ),
        ] {
            let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![
                Some(micros(clock)),
                None,
            ]));
            let moved_there = moved(&values, &zoned).unwrap();
            let there = moved_there.as_primitive::<TimestampMicrosecondType>();
            assert_eq!(
                (there.value(0), there.is_null(1)),
                (micros(instant), true),
                "{clock}"
            );
            let back = moved(&moved_there, &plain).unwrap();
            let back = back.as_primitive::<TimestampMicrosecondType>();
            assert_eq!(back.value(0), micros(again), "{clock}");
        }
        let far: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX]));
        assert!(moved(&far, &zoned).is_err());
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None]));
        let instants = moved(&dates, &utc).unwrap();
        let expected = TimestampMicrosecondArray::from(vec![Some(86_400_000_000), None]);
        let found = instants.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(*found, expected.with_timezone("UTC"));
        let far: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX]));
        for zone in [utc, zoned] {
            assert!(moved(&far, &zone).is_err(), "{zone}");
        }
    }
}
