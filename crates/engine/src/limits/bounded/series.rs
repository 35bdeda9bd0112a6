//! The length of the lists of `generate_series(start, end[, step])` and `range`, over integers and
//! times.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use lakegate_error::{Code, Error};

use super::Estimate;
use crate::time::length_of;

/// Maximum elements that one call makes for all rows of a batch together.
const MAX_ELEMENTS: i128 = 10_000_000;

/// Nanoseconds of a day. A month counts as 28 days, so that the estimate is not too low.
const DAY: i128 = 86_400_000_000_000;

/// Returns the size of the lists that a call makes.
///
/// # Errors
///
/// Returns an error if the lists have more elements than a call may make, or if a time cannot be
/// cast.
pub(super) fn measure(args: &ScalarFunctionArgs) -> Result<Estimate> {
    let elements = elements(args)?;
    check(elements)?;
    Ok(Estimate {
        bytes: u64::try_from(elements).unwrap_or(0).saturating_mul(8),
        one_value: false,
    })
}

/// Checks how many elements a call makes.
///
/// # Errors
///
/// Returns an error if they are more than it may make.
pub(super) fn check(elements: i128) -> Result<()> {
    if elements <= MAX_ELEMENTS {
        return Ok(());
    }
    let error = Error::new(
        Code::ResultTooLarge,
        format!("a list of {elements} elements would be made; {MAX_ELEMENTS} are the most"),
    );
    Err(error
        .with_hint(
            "write it in FROM, where it makes rows: SELECT … FROM generate_series(start, end)",
        )
        .into())
}

/// Returns the maximum number of elements that a call makes.
fn elements(args: &ScalarFunctionArgs) -> Result<i128> {
    let arrays = ColumnarValue::values_to_arrays(&args.args)?;
    let (start, end, step) = match arrays.as_slice() {
        [end] => (None, end, None),
        [start, end] => (Some(start), end, None),
        [start, end, step, ..] => (Some(start), end, Some(step)),
        [] => return Ok(0),
    };
    let mut total = 0i128;
    for row in 0..end.len() {
        let Some(last) = position(end, row)? else {
            continue;
        };
        let first = match start {
            None => 0,
            Some(start) => match position(start, row)? {
                Some(first) => first,
                None => continue,
            },
        };
        let step = match step {
            Some(step) => match length(step, row)? {
                Some(step) => step,
                // A NULL step makes a NULL list.
                None => continue,
            },
            None if end.data_type().is_integer() => 1,
            None => DAY,
        };
        total = total.saturating_add((last - first).abs() / step.abs().max(1) + 1);
    }
    Ok(total)
}

/// Returns a start or an end: an integer, or a time in nanoseconds. `None` for NULL and for other
/// types.
fn position(array: &ArrayRef, row: usize) -> Result<Option<i128>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let single = array.slice(row, 1);
    if array.data_type().is_integer() {
        return Ok(Some(i128::from(
            cast(&single, &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .value(0),
        )));
    }
    if array.data_type().is_temporal() {
        // 64 bits of nanoseconds do not reach the years before 1677 and after 2262.
        let microseconds = DataType::Timestamp(TimeUnit::Microsecond, None);
        let time = cast(&single, &microseconds)?;
        return Ok((!time.is_null(0))
            .then(|| i128::from(time.as_primitive::<TimestampMicrosecondType>().value(0)) * 1000));
    }
    Ok(None)
}

/// Returns a step: an integer, or an interval in nanoseconds. `None` for NULL and for other types.
///
/// # Errors
///
/// The step is zero.
fn length(array: &ArrayRef, row: usize) -> Result<Option<i128>> {
    if matches!(array.data_type(), DataType::Interval(_)) && !array.is_null(row) {
        let interval = cast(
            &array.slice(row, 1),
            &DataType::Interval(IntervalUnit::MonthDayNano),
        )?;
        let value = interval.as_primitive::<IntervalMonthDayNanoType>().value(0);
        // A month less 30 days has no length.
        if length_of(value) == 0 {
            return Err(no_step());
        }
        let days = i128::from(value.months) * 28 + i128::from(value.days);
        return Ok(Some(days * DAY + i128::from(value.nanoseconds)));
    }
    match position(array, row)? {
        Some(0) if array.data_type().is_integer() => Err(no_step()),
        step => Ok(step),
    }
}

fn no_step() -> DataFusionError {
    Error::new(Code::InvalidParameter, "step size cannot equal zero").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn run(sql: &str) -> Result<usize> {
        let mut state = SessionContext::new().state();
        crate::limits::bounded::bound(&mut state, |_| false)?;
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await?.collect().await?;
        Ok(batches.iter().map(|batch| batch.num_rows()).sum())
    }

    #[tokio::test]
    async fn lists_of_claimed_lengths_are_not_built() {
        for sql in [
            "SELECT generate_series(1, 100000000000)",
            "SELECT range(0, 9223372036854775807)",
            "SELECT range(9223372036854775807)",
            "SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2020-01-01', INTERVAL '1' MICROSECOND)",
            "SELECT range(arrow_cast('9000-01-01', 'Timestamp(µs)'), arrow_cast('9999-01-01', 'Timestamp(µs)'), INTERVAL '1' SECOND)",
        ] {
            let error = run(sql).await.unwrap_err();
            assert!(error.to_string().contains("are the most"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_step_of_zero_is_an_error() {
        for sql in [
            "SELECT generate_series(1, 10, 0)",
            "SELECT range(1, 10, 0)",
            "SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2020-01-01', INTERVAL '0' DAY)",
            "SELECT generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2020-01-01', INTERVAL '1 month -30 days')",
        ] {
            let error = run(sql).await.unwrap_err();
            let said = "step size cannot equal zero";
            assert!(error.to_string().contains(said), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn lists_within_the_bound_are_built_as_before() {
        assert_eq!(
            run("SELECT unnest(generate_series(1, 5))").await.unwrap(),
            5
        );
        assert_eq!(run("SELECT unnest(range(0, 10, 2))").await.unwrap(), 5);
        let days = "SELECT unnest(generate_series(DATE '2024-01-01', DATE '2024-01-31', INTERVAL '1' DAY))";
        assert_eq!(run(days).await.unwrap(), 31);
        for sql in [
            "SELECT range(1, NULL, 1)",
            "SELECT range(DATE '1992-09-01', DATE '2993-03-01', CAST(NULL AS INTERVAL))",
            "SELECT range(TIMESTAMP '1992-09-01', TIMESTAMP '2193-03-01', CAST(NULL AS INTERVAL))",
        ] {
            assert_eq!(run(sql).await.unwrap(), 1, "{sql}");
        }
    }
}
