//! Times of day plus and minus intervals: the hours and smaller units of an interval count, its days
//! and months do not, and the clock goes round, as in PostgreSQL.
//!
//! DataFusion adds them with the operators `+` and `-`, whose bounds it calculates while it plans.
//! That calculation panics for times of day (`interval_arithmetic.rs` of `datafusion-expr-common`,
//! 55.2), so that no plan contains these operators: this function, whose bounds are unknown, replaces
//! them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Time64NanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Time64NanosecondType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};

use super::calendar::DAY;
use super::zoned::intervals;
use crate::plans::expressions;

const TIME: DataType = DataType::Time64(TimeUnit::Nanosecond);

/// Nanoseconds per day.
const DAY_NANOS: i64 = DAY * 1000;

/// Returns a time of day plus or minus an interval; `None` for anything else.
pub(super) fn arithmetic(binary: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let is_minus = match binary.op {
        Operator::Plus => false,
        Operator::Minus => true,
        _ => return None,
    };
    let of = |expr: &Expr| expressions::type_of(expr, schema).ok();
    let is_time = |of: &DataType| matches!(of, DataType::Time32(_) | DataType::Time64(_));
    let is_period = |of: &DataType| matches!(of, DataType::Interval(_) | DataType::Duration(_));
    // The left side may be a long chain.
    let right = of(&binary.right).filter(|of| is_time(of) || is_period(of))?;
    let left = of(&binary.left)?;
    let (time, to, interval) = match (left, right) {
        (left, right) if is_time(&left) && is_period(&right) => (&binary.left, left, &binary.right),
        (left, right) if !is_minus && is_period(&left) && is_time(&right) => {
            (&binary.right, right, &binary.left)
        }
        _ => return None,
    };
    let function = ShiftedDayTime {
        is_minus,
        to,
        signature: Signature::any(2, Volatility::Immutable),
    };
    let args = vec![time.as_ref().clone(), interval.as_ref().clone()];
    Some(expressions::call(function, args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ShiftedDayTime {
    is_minus: bool,
    /// The type of the time of day.
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for ShiftedDayTime {
    fn name(&self) -> &str {
        match self.is_minus {
            false => "day_time_plus",
            true => "day_time_minus",
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
        let [time, interval] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(
                "a time of day and no interval".to_owned(),
            ));
        };
        let constants = expressions::are_constants(&args.args);
        let rows = if constants { 1 } else { args.number_rows };
        let times = shifted(
            &time.to_array(rows)?,
            &interval.to_array(rows)?,
            self.is_minus,
        )?;
        expressions::made(cast(&times, &self.to)?, constants)
    }
}

/// `times` and `periods` have the same length. The result is in nanoseconds.
fn shifted(times: &ArrayRef, periods: &ArrayRef, is_minus: bool) -> Result<ArrayRef> {
    let times = cast(times, &TIME)?;
    let times = times.as_primitive::<Time64NanosecondType>();
    let periods = intervals(periods)?;
    let shifted: Time64NanosecondArray = times
        .iter()
        .zip(periods.iter())
        .map(|pair| {
            let (time, by) = (pair.0?, pair.1?.nanoseconds.rem_euclid(DAY_NANOS));
            let moved = if is_minus { time - by } else { time + by };
            Some(moved.rem_euclid(DAY_NANOS))
        })
        .collect();
    Ok(Arc::new(shifted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::IntervalMonthDayNanoArray;
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn the_clock_goes_round_and_days_do_not_count() {
        let times: ArrayRef = Arc::new(Time64NanosecondArray::from(vec![
            Some(23 * HOUR),
            Some(HOUR),
            Some(HOUR),
            None,
            Some(HOUR),
        ]));
        let periods: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
            Some(IntervalMonthDayNano::new(1, 1, 2 * HOUR)),
            Some(IntervalMonthDayNano::new(0, 0, -26 * HOUR)),
            None,
            Some(IntervalMonthDayNano::new(0, 0, HOUR)),
            Some(IntervalMonthDayNano::new(i32::MAX, i32::MIN, i64::MAX)),
        ]));
        let found = |is_minus| {
            let found = shifted(&times, &periods, is_minus).unwrap();
            let found = found.as_primitive::<Time64NanosecondType>();
            found.iter().collect::<Vec<_>>()
        };
        let far = i64::MAX.rem_euclid(DAY_NANOS);
        let expected = [Some(HOUR), Some(23 * HOUR), None, None];
        assert_eq!(found(false)[..4], expected);
        assert_eq!(found(false)[4], Some((HOUR + far) % DAY_NANOS));
        let expected = [Some(21 * HOUR), Some(3 * HOUR), None, None];
        assert_eq!(found(true)[..4], expected);
        assert_eq!(found(true)[4], Some((HOUR - far).rem_euclid(DAY_NANOS)));
    }
}
