//! `generate_series` and `range` of timestamps in microseconds. The engine's go through nanoseconds, and give NULL for what these do
//! not hold.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, PrimitiveArray, TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

use crate::error::{Code, Error};

/// `None`: the engine's own does it. `inclusive`: whether the end is an element.
pub(super) fn series(
    name: &str,
    args: &ScalarFunctionArgs,
    inclusive: bool,
) -> Result<Option<ColumnarValue>> {
    let is_time = |arg: &ColumnarValue| matches!(arg.data_type(), DataType::Timestamp(..));
    let [start, end, step] = args.args.as_slice() else {
        return Ok(None);
    };
    if !is_time(start) || !is_time(end) || step.data_type().is_null() {
        return Ok(None);
    }
    let scalar = args
        .args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let arrays = ColumnarValue::values_to_arrays(&args.args)?;
    let [start, end, step] = arrays.as_slice() else {
        return Ok(None);
    };
    let lists = lists(name, start, end, step, inclusive)?;
    let lists = match lists.data_type() == args.return_field.data_type() {
        true => lists,
        false => cast(&lists, args.return_field.data_type())?,
    };
    Ok(Some(match scalar {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?),
        false => ColumnarValue::Array(lists),
    }))
}

fn micros(array: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    let zone = match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
    Ok(array.as_primitive::<TimestampMicrosecondType>().clone())
}

fn lists(
    name: &str,
    start: &ArrayRef,
    end: &ArrayRef,
    step: &ArrayRef,
    inclusive: bool,
) -> Result<ArrayRef> {
    let (starts, ends) = (micros(start)?, micros(end)?);
    let steps = cast(step, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let steps = steps.as_primitive::<IntervalMonthDayNanoType>();
    let zone: Tz = starts.timezone().unwrap_or("+00:00").parse()?;
    let values = TimestampMicrosecondBuilder::new().with_data_type(starts.data_type().clone());
    let mut lists = ListBuilder::new(values);
    for row in 0..starts.len() {
        if starts.is_null(row) || ends.is_null(row) || steps.is_null(row) {
            lists.append_null();
            continue;
        }
        let (end, step) = (ends.value(row), steps.value(row));
        // `None`: beyond the calendar, and so beyond any end.
        let next = |time: i64| TimestampMicrosecondType::add_month_day_nano(time, step, zone);
        let mut time = starts.value(row);
        let forwards = next(time).is_none_or(|second| second > time);
        loop {
            let within = match (forwards, inclusive) {
                (true, true) => time <= end,
                (true, false) => time < end,
                (false, true) => time >= end,
                (false, false) => time > end,
            };
            if !within {
                break;
            }
            lists.values().append_value(time);
            match next(time) {
                None => break,
                // A month less 30 days may go either way, or nowhere.
                Some(later) if later == time || (later > time) != forwards => {
                    return Err(Error::new(
                        Code::InvalidParameter,
                        format!("the step of {name} does not lead from its start to its end"),
                    )
                    .with_hint("steps of a microsecond and more go, in one direction")
                    .into());
                }
                Some(later) => time = later,
            }
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}
