//! `CAST(x AS TIMESTAMP(p))`, and of times of day and intervals, for a precision below microseconds,
//! which DataFusion's types do not have. The value is rounded half up, as in Trino; an interval half
//! away from zero, as in PostgreSQL. In PostgreSQL's sessions, timestamps are rounded as
//! `AdjustTimestampForTypmod` of PostgreSQL does: half away from the year 2000, and texts are rounded
//! to microseconds first.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, IntervalMonthDayNanoArray, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::Error;

use super::SECOND;
use super::calendar::DAY;
use super::day_times::end_of_day;
use super::input::{MAX_DIGITS, TimeOfText, out_of_range};
use super::zoned::{INTERVAL, intervals};
use crate::plans::expressions;

/// Called as `f(value, digits)`, with a timestamp, a time of day or an interval.
pub const PRECISION_FUNCTION: &str = "timestamp_to_precision";

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToPrecision {
    /// Whether halves of timestamps are rounded away from the year 2000.
    from_2000: bool,
    signature: Signature,
}

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    put(state, false)
}

/// Registers the function of PostgreSQL's sessions.
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_precision(state: &mut SessionState) -> Result<()> {
    put(state, true)
}

fn put(state: &mut SessionState, from_2000: bool) -> Result<()> {
    let function = ToPrecision {
        from_2000,
        signature: Signature::any(2, Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

/// Rewrites a call whose argument is text, so that the parsed value is rounded only once. `None` in
/// PostgreSQL's sessions.
pub(super) fn of_text(call: &ScalarFunction) -> Option<Expr> {
    let function = call.func.inner().downcast_ref::<ToPrecision>()?;
    if function.from_2000 {
        return None;
    }
    let [Expr::ScalarFunction(text), Expr::Literal(digits, _)] = call.args.as_slice() else {
        return None;
    };
    TimeOfText::with_digits(text, digits_of(digits)?)
}

fn digits_of(value: &ScalarValue) -> Option<u8> {
    match value {
        ScalarValue::Int64(Some(digits)) => u8::try_from(*digits).ok(),
        _ => None,
    }
}

impl ScalarUDFImpl for ToPrecision {
    fn name(&self) -> &str {
        PRECISION_FUNCTION
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(DataType::Timestamp(_, zone)) => {
                Ok(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
            }
            Some(DataType::Time64(_)) => Ok(DataType::Time64(TimeUnit::Nanosecond)),
            Some(DataType::Interval(_) | DataType::Duration(_)) => Ok(INTERVAL),
            _ => Err(Error::invalid(format!("{PRECISION_FUNCTION} takes a time")).into()),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (Some(times), Some(ColumnarValue::Scalar(digits))) =
            (args.args.first(), args.args.get(1))
        else {
            return Err(DataFusionError::Internal(
                "a precision that is no constant".to_owned(),
            ));
        };
        let digits = digits_of(digits)
            .ok_or_else(|| Error::invalid("the precision of a timestamp is a number"))?;
        let unit = 10i64.pow(u32::from(MAX_DIGITS.saturating_sub(digits)));
        let to = args.return_field.data_type();
        let times = match to {
            DataType::Interval(_) => times.clone(),
            _ => times.cast_to(to, None)?,
        };
        expressions::applied(Some(&times), |times| {
            Ok(match to {
                DataType::Interval(_) => {
                    let rounded: IntervalMonthDayNanoArray =
                        intervals(times)?.unary(|period| rounded_period(period, unit));
                    Arc::new(rounded)
                }
                DataType::Time64(_) => {
                    let times = times.as_primitive::<Time64NanosecondType>();
                    let rounded: Time64NanosecondArray =
                        times.try_unary(|time| rounded_time(time, unit))?;
                    Arc::new(rounded)
                }
                _ if self.from_2000 => all_rounded(times, unit, rounded_from_2000)?,
                _ => all_rounded(times, unit, rounded)?,
            })
        })
    }
}

fn all_rounded(
    times: &ArrayRef,
    unit: i64,
    round: fn(i64, i64) -> Result<i64, Error>,
) -> Result<ArrayRef> {
    let rounded = times
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|time| time.map(|time| round(time, unit)).transpose())
        .collect::<Result<TimestampMicrosecondArray, Error>>()?;
    Ok(Arc::new(rounded.with_data_type(times.data_type().clone())))
}

/// Rounds a time of day in nanoseconds to a multiple of `unit` in microseconds, half up.
///
/// # Errors
///
/// The result is the end of the day.
fn rounded_time(time: i64, unit: i64) -> Result<i64, Error> {
    let micros = rounded(time.div_euclid(1000), unit)?;
    match micros < DAY {
        true => Ok(micros * 1000),
        false => Err(end_of_day()),
    }
}

/// Rounds the time of an interval to a multiple of `unit` in microseconds, half away from zero.
fn rounded_period(period: IntervalMonthDayNano, unit: i64) -> IntervalMonthDayNano {
    let micros = period.nanoseconds / 1000;
    let half = unit / 2 * micros.signum();
    // Intervals have 64 bits of nanoseconds, so the sum of microseconds fits, and the product may
    // not.
    let rounded = (micros + half) / unit * unit;
    IntervalMonthDayNano::new(period.months, period.days, rounded.saturating_mul(1000))
}

/// Rounds to a multiple of `unit`, half up.
fn rounded(time: i64, unit: i64) -> Result<i64, Error> {
    let rest = time.rem_euclid(unit);
    let down = time - rest;
    match rest * 2 >= unit && unit > 1 {
        true => down.checked_add(unit).ok_or_else(out_of_range),
        false => Ok(down),
    }
}

/// Midnight of 1 January 2000, in microseconds.
const YEAR_2000: i64 = 946_684_800 * SECOND;

/// Rounds to a multiple of `unit`, half away from the year 2000.
fn rounded_from_2000(time: i64, unit: i64) -> Result<i64, Error> {
    let since = time.checked_sub(YEAR_2000).ok_or_else(out_of_range)?;
    let distance = i64::try_from(since.unsigned_abs()).map_err(|_| out_of_range())?;
    let rounded = rounded(distance, unit)? * since.signum();
    YEAR_2000.checked_add(rounded).ok_or_else(out_of_range)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::Code;

    use super::*;

    #[test]
    fn intervals_are_rounded_away_from_zero() {
        for (micros, expected) in [
            (1_450_000, 1_500_000),
            (1_449_999, 1_400_000),
            (-1_450_000, -1_500_000),
            (-1_449_999, -1_400_000),
            (0, 0),
        ] {
            let period = IntervalMonthDayNano::new(-1, 2, micros * 1000);
            let expected = IntervalMonthDayNano::new(-1, 2, expected * 1000);
            assert_eq!(rounded_period(period, 100_000), expected);
        }
        for nanos in [i64::MAX, i64::MIN] {
            let period = IntervalMonthDayNano::new(0, 0, nanos);
            let _ = rounded_period(period, SECOND);
        }
    }

    #[test]
    fn a_time_of_day_does_not_become_that_of_the_next_day() {
        assert_eq!(rounded_time(1_499_999_999, SECOND).unwrap(), 1_000_000_000);
        let last = DAY * 1000 - 1000;
        assert_eq!(rounded_time(last, 1).unwrap(), last);
        let error = rounded_time(last, 10).unwrap_err();
        assert_eq!(error.code(), Code::DatetimeOutOfRange);
    }

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!(rounded(1_499_999, 1_000_000).unwrap(), 1_000_000);
        assert_eq!(rounded(1_500_000, 1_000_000).unwrap(), 2_000_000);
        assert_eq!(rounded(-1_500_000, 1_000_000).unwrap(), -1_000_000);
        assert_eq!(rounded(-1_500_001, 1_000_000).unwrap(), -2_000_000);
        assert_eq!(rounded(7, 1).unwrap(), 7);
        assert!(rounded(i64::MAX, 1_000_000).is_err());
    }

    #[test]
    fn halves_of_postgresql_are_rounded_away_from_the_year_2000() {
        let half = SECOND / 2;
        for (time, expected) in [
            (YEAR_2000 + half, YEAR_2000 + SECOND),
            (YEAR_2000 - half, YEAR_2000 - SECOND),
            (YEAR_2000 - half + 1, YEAR_2000),
            (-half, -SECOND),
            (half, 0),
            (half + 1, SECOND),
            (0, 0),
        ] {
            assert_eq!(rounded_from_2000(time, SECOND).unwrap(), expected, "{time}");
        }
        for time in [i64::MIN, i64::MAX] {
            assert!(rounded_from_2000(time, SECOND).is_err(), "{time}");
        }
    }
}
