//! `generate_series` and `range` of timestamps. DataFusion casts them to nanoseconds, and returns
//! NULL for years that do not fit.

use std::sync::Arc;

use arrow::array::builder::{ListBuilder, TimestampMicrosecondBuilder};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::common::types::{NativeType, logical_date, logical_interval_mdn, logical_string};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, TypeSignature, TypeSignatureClass,
};
use lakegate_error::{Code, Error};

use super::clock::Clock;
use super::input::out_of_range;
use super::zoned::shifted;
use crate::{limits::bounded, limits::stop};

/// Elements between two checks whether the query is still wanted.
const PIECE: usize = 100_000;

/// Returns the arguments of a call with a timestamp and a date or a text, which becomes a timestamp
/// too. DataFusion's two have one type.
pub(super) fn signatures() -> [TypeSignature; 2] {
    let timestamp = || Coercion::new_exact(TypeSignatureClass::Timestamp);
    let other = || {
        Coercion::new_implicit(
            TypeSignatureClass::Timestamp,
            vec![
                TypeSignatureClass::Native(logical_date()),
                TypeSignatureClass::Native(logical_string()),
            ],
            NativeType::Timestamp(TimeUnit::Microsecond, None),
        )
    };
    let step = || {
        Coercion::new_implicit(
            TypeSignatureClass::Native(logical_interval_mdn()),
            vec![TypeSignatureClass::Interval],
            NativeType::Interval(IntervalUnit::MonthDayNano),
        )
    };
    [
        TypeSignature::Coercible(vec![other(), timestamp(), step()]),
        TypeSignature::Coercible(vec![timestamp(), other(), step()]),
    ]
}

fn leads_nowhere(name: &str) -> DataFusionError {
    Error::new(
        Code::InvalidParameter,
        format!("the step of {name} does not lead from its start to its end"),
    )
    .with_hint("the step must be a microsecond or more, in one direction")
    .into()
}

/// Returns the lists from `start` to `end`, with `end` if `inclusive`; `None` if they are not of
/// timestamps.
///
/// # Errors
///
/// Returns an error if the step leads nowhere, if there are more elements than a list may have, or
/// if a time is out of range.
pub(super) fn of_times(
    name: &str,
    args: &ScalarFunctionArgs,
    start: &ColumnarValue,
    end: &ColumnarValue,
    step: &ColumnarValue,
    inclusive: bool,
) -> Result<Option<ColumnarValue>> {
    let (
        DataType::List(item),
        DataType::Timestamp(..),
        DataType::Timestamp(..),
        DataType::Interval(_),
    ) = (
        args.return_field.data_type(),
        start.data_type(),
        end.data_type(),
        step.data_type(),
    )
    else {
        return Ok(None);
    };
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = item.data_type() else {
        return Ok(None);
    };
    bounded::check_series(args)?;
    let constant = args
        .args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let times = |value: &ColumnarValue| -> Result<ArrayRef> {
        let DataType::Timestamp(_, zone) = value.data_type() else {
            return value.to_array(rows);
        };
        let target = DataType::Timestamp(TimeUnit::Microsecond, zone);
        Ok(cast(&value.to_array(rows)?, &target)?)
    };
    let (starts, ends) = (times(start)?, times(end)?);
    let steps = cast(
        &step.to_array(rows)?,
        &DataType::Interval(IntervalUnit::MonthDayNano),
    )?;
    let (starts, ends) = (
        starts.as_primitive::<TimestampMicrosecondType>(),
        ends.as_primitive::<TimestampMicrosecondType>(),
    );
    let steps = steps.as_primitive::<IntervalMonthDayNanoType>();
    let clock = Clock::of_type(zone.as_deref())?;
    let values = TimestampMicrosecondBuilder::new().with_data_type(item.data_type().clone());
    let mut lists = ListBuilder::new(values).with_field(Arc::clone(item));
    for row in 0..rows {
        if starts.is_null(row) || ends.is_null(row) || steps.is_null(row) {
            lists.append_null();
            continue;
        }
        let (first, end, step) = (starts.value(row), ends.value(row), steps.value(row));
        let next = |time: i64| shifted(clock, time, step, 1);
        let up = next(first).ok_or_else(out_of_range)?.cmp(&first);
        if up.is_eq() {
            return Err(leads_nowhere(name));
        }
        let mut time = first;
        let mut made = 0usize;
        while time.cmp(&end) == up.reverse() || (inclusive && time == end) {
            lists.values().append_value(time);
            made += 1;
            if made.is_multiple_of(PIECE) {
                stop::check()?;
            }
            match next(time) {
                Some(following) if following.cmp(&time) == up => time = following,
                // A step of a month less 30 days may go either way, or nowhere.
                Some(_) => return Err(leads_nowhere(name)),
                // The series ends with the last representable time.
                None => break,
            }
        }
        lists.append(true);
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    Ok(Some(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lists, 0)?),
        false => ColumnarValue::Array(lists),
    }))
}
