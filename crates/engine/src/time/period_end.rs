//! The end of a period whose second element is its end or its length, as those of `OVERLAPS`. The
//! types of columns are not known where the operator is rewritten.
//!
//! ```text
//! $period_end(timestamp, interval)    timestamp + interval, by the clock of its zone
//! $period_end(date, interval)         the same of the day's first moment
//! $period_end(time, interval)         a time of day, beyond midnight one of the next day
//! $period_end(x, y)                   y
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Time64NanosecondArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::calendar::DAY;
use super::clock::Clock;
use super::cut::is_period;
use super::input::out_of_range;
use super::zoned::{intervals, shifted};
use super::zones::moved;
use crate::plans::expressions;

/// The end of a period, from its start and its second element.
pub const PERIOD_END: &str = "$period_end";

const TIME: DataType = DataType::Time64(TimeUnit::Nanosecond);

/// Nanoseconds per day.
const DAY_NANOS: i64 = DAY * 1000;

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let function = PeriodEnd {
        signature: Signature::any(2, Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PeriodEnd {
    signature: Signature,
}

/// Returns the type of the end of a period that starts at a value of a type and has a length.
fn type_of_end(start: &DataType) -> Result<DataType> {
    Ok(match start {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date32 | DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Time32(_) | DataType::Time64(_) => TIME,
        _ => {
            let message = "OVERLAPS takes periods of two times, or of a time and an interval";
            return Err(Error::new(Code::FunctionNotFound, message).into());
        }
    })
}

impl ScalarUDFImpl for PeriodEnd {
    fn name(&self) -> &str {
        PERIOD_END
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [start, length] if is_period(length) => type_of_end(start),
            [_, end] => Ok(end.clone()),
            _ => Err(incomplete()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [start, second] = args.args.as_slice() else {
            return Err(incomplete());
        };
        if !is_period(&second.data_type()) {
            return Ok(second.clone());
        }
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let (starts, lengths) = (start.to_array(rows)?, second.to_array(rows)?);
        let ends = ends(&starts, &lengths)?;
        expressions::made(ends, constant)
    }
}

fn incomplete() -> DataFusionError {
    DataFusionError::Internal(format!("{PERIOD_END} without a start and an end"))
}

fn ends(starts: &ArrayRef, lengths: &ArrayRef) -> Result<ArrayRef> {
    let of = type_of_end(starts.data_type())?;
    let lengths = intervals(lengths)?;
    if of == TIME {
        let starts = cast(starts, &TIME)?;
        let ends: Time64NanosecondArray = starts
            .as_primitive::<Time64NanosecondType>()
            .iter()
            .zip(lengths.iter())
            .map(|(start, length)| Some(time_later(start?, length?)))
            .collect();
        return Ok(Arc::new(ends));
    }
    let clock = match &of {
        DataType::Timestamp(_, zone) => Clock::of_type(zone.as_deref())?,
        _ => Clock::UTC,
    };
    let starts = moved(starts, &of)?;
    let ends = starts
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .zip(lengths.iter())
        .map(|pair| match pair {
            (Some(start), Some(length)) => shifted(clock, start, length, 1)
                .ok_or_else(out_of_range)
                .map(Some),
            _ => Ok(None),
        })
        .collect::<Result<TimestampMicrosecondArray, Error>>()?;
    Ok(Arc::new(ends.with_data_type(of)))
}

/// Returns a time of day so much later, without the days and months.
fn time_later(start: i64, length: IntervalMonthDayNano) -> i64 {
    (start + length.nanoseconds.rem_euclid(DAY_NANOS)).rem_euclid(DAY_NANOS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Date32Array, DurationMicrosecondArray, IntervalMonthDayNanoArray};

    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn lengths(of: Vec<Option<IntervalMonthDayNano>>) -> ArrayRef {
        Arc::new(IntervalMonthDayNanoArray::from(of))
    }

    #[test]
    fn a_period_of_dates_ends_at_a_moment() {
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), Some(31), None]));
        let by = IntervalMonthDayNano::new(1, 1, HOUR);
        let found = ends(&dates, &lengths(vec![Some(by), None, Some(by)])).unwrap();
        let found: Vec<_> = found
            .as_primitive::<TimestampMicrosecondType>()
            .iter()
            .collect();
        assert_eq!(found, [Some(32 * DAY + HOUR / 1000), None, None]);
    }

    #[test]
    fn a_time_of_day_ends_before_midnight() {
        let times: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![23 * HOUR, 0, 5]));
        let of = |days, hours| Some(IntervalMonthDayNano::new(0, days, hours * HOUR));
        let found = ends(&times, &lengths(vec![of(1, 26), of(0, -1), of(3, 0)])).unwrap();
        let found: Vec<_> = found
            .as_primitive::<Time64NanosecondType>()
            .iter()
            .collect();
        assert_eq!(found, [Some(HOUR), Some(23 * HOUR), Some(5)]);
    }

    #[test]
    fn the_difference_of_two_times_is_a_length() {
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![0]));
        let length: ArrayRef = Arc::new(DurationMicrosecondArray::from(vec![DAY + 7]));
        let found = ends(&dates, &length).unwrap();
        assert_eq!(
            found.as_primitive::<TimestampMicrosecondType>().value(0),
            DAY + 7
        );
        let texts: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["x"]));
        assert!(ends(&texts, &length).is_err());
    }
}
