//! Casts between times of day and intervals, as in PostgreSQL. An interval becomes the time of day
//! of its hours and smaller units: `1 day 25:02:03` is `01:02:03`. DataFusion has no such casts.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, IntervalMonthDayNanoArray, Time64NanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::calendar::DAY;
use super::zoned::{INTERVAL, intervals};
use crate::plans::expressions;

const TIME: DataType = DataType::Time64(TimeUnit::Nanosecond);

/// Returns the error of 24:00:00, a time of day in PostgreSQL. Arrow's times of day end before it
/// (`Time` in its `Schema.fbs`), so that its kernels and its clients may fail or read another time.
pub fn end_of_day() -> Error {
    let message = "the time of day 24:00:00 is not supported";
    Error::new(Code::DatetimeOutOfRange, message)
        .with_hint("times of day end before midnight: use 00:00:00 of the next day")
}

/// Returns a cast between a time of day and an interval; `None` for other types.
pub(super) fn casted(expr: &Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    let is_cast = match from {
        DataType::Time32(_) | DataType::Time64(_) => *to == INTERVAL,
        DataType::Interval(_) | DataType::Duration(_) => *to == TIME,
        _ => false,
    };
    is_cast.then(|| {
        let function = DayTime {
            to: to.clone(),
            signature: Signature::any(1, Volatility::Immutable),
        };
        expressions::call(function, vec![expr.clone()])
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DayTime {
    /// [`TIME`] or [`INTERVAL`].
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for DayTime {
    fn name(&self) -> &str {
        match self.to == TIME {
            true => "time_of_interval",
            false => "interval_of_time",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| match self.to == TIME {
            true => times(values),
            false => periods(values),
        })
    }
}

fn times(values: &ArrayRef) -> Result<ArrayRef> {
    let times: Time64NanosecondArray =
        intervals(values)?.unary(|of| of.nanoseconds.rem_euclid(DAY * 1000));
    Ok(Arc::new(times))
}

/// Returns the intervals since midnight.
///
/// # Errors
///
/// The values are not times of day.
pub(super) fn periods(values: &ArrayRef) -> Result<ArrayRef> {
    let nanos = cast(&cast(values, &TIME)?, &DataType::Int64)?;
    let periods: IntervalMonthDayNanoArray = nanos
        .as_primitive::<Int64Type>()
        .unary(|nanos| IntervalMonthDayNano::new(0, 0, nanos));
    Ok(Arc::new(periods))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{IntervalMonthDayNanoType, Time64NanosecondType};

    use super::*;

    #[test]
    fn times_of_day_and_intervals_become_each_other() {
        const HOUR: i64 = 3_600_000_000_000;
        let given: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
            Some(IntervalMonthDayNano::new(1, 2, 25 * HOUR + 5)),
            Some(IntervalMonthDayNano::new(0, 3, -HOUR)),
            None,
        ]));
        let found = times(&given).unwrap();
        let found: Vec<_> = found
            .as_primitive::<Time64NanosecondType>()
            .iter()
            .collect();
        assert_eq!(found, [Some(HOUR + 5), Some(23 * HOUR), None]);
        let given: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![Some(HOUR), None]));
        let found = periods(&given).unwrap();
        let found: Vec<_> = found
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .collect();
        assert_eq!(found, [Some(IntervalMonthDayNano::new(0, 0, HOUR)), None]);
    }
}
