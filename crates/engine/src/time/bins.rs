//! `date_trunc` and `date_bin` in microseconds. DataFusion's go through nanoseconds, and return
//! NULL or an error for times that do not fit.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
    TimestampMicrosecondType,
};
use chrono::{DateTime, Datelike, Months, NaiveDateTime};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use lakegate_error::{Code, Error};

use super::at_zone::Zones;
use super::clock::Clock;
use super::input::out_of_range;
use super::units::Unit;
use super::{SECOND, trunc_at};

const DAY: i64 = 86_400 * SECOND;

/// Times that fit nanoseconds, with years to spare for the start of a bin.
const HELD: std::ops::Range<i64> = -9_000_000_000 * SECOND..9_000_000_000 * SECOND;

/// Returns whether DataFusion's functions are correct for all of these times, if they are in
/// microseconds.
fn held(times: &ColumnarValue) -> bool {
    match times {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(time, _)) => {
            time.is_none_or(|time| HELD.contains(&time))
        }
        ColumnarValue::Array(array) => match array.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => array
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .flatten()
                .all(|time| HELD.contains(&time)),
            _ => true,
        },
        ColumnarValue::Scalar(_) => true,
    }
}

fn each(
    times: &ColumnarValue,
    change: impl Fn(i64) -> Result<i64, Error>,
) -> Result<ColumnarValue> {
    Ok(match times {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(time, zone)) => {
            let time = time.map(change).transpose()?;
            ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(time, zone.clone()))
        }
        other => {
            let array: ArrayRef = other.to_array(1)?;
            let changed = array
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .map(|time| time.map(&change).transpose())
                .collect::<Result<TimestampMicrosecondArray, Error>>()?;
            ColumnarValue::Array(Arc::new(changed.with_data_type(array.data_type().clone())))
        }
    })
}

/// Truncates times to a unit. Returns `None` if DataFusion's own function is correct: it is for
/// times in UTC or without a zone that fit nanoseconds, in a constant unit that it knows.
///
/// # Errors
///
/// Returns an error if there is no such unit, or if a unit starts before the first time.
pub(super) fn date_trunc(
    unit: &ColumnarValue,
    times: &ColumnarValue,
) -> Result<Option<ColumnarValue>> {
    let data_type = times.data_type();
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = &data_type else {
        return Ok(None);
    };
    let unit = match unit {
        ColumnarValue::Scalar(unit) => unit,
        ColumnarValue::Array(names) => {
            let clock = Zones::One(Some(Clock::of_type(zone.as_deref())?));
            let units = trunc_at::units(names)?;
            let times = times.to_array(names.len())?;
            let starts = trunc_at::starts(&units, &times, &clock, &data_type)?;
            return Ok(Some(ColumnarValue::Array(starts)));
        }
    };
    if unit.is_null() {
        let null = ScalarValue::TimestampMicrosecond(None, zone.clone());
        return Ok(Some(ColumnarValue::Scalar(null)));
    }
    let Some(name) = unit.try_as_str().flatten() else {
        return Ok(None);
    };
    let clock = Clock::of_type(zone.as_deref())?;
    if clock.is_utc() && held(times) && Unit::is_of_engine(name) {
        return Ok(None);
    }
    let unit = trunc_at::unit(name)?;
    each(times, |time| {
        unit.truncated(clock, time).ok_or_else(out_of_range)
    })
    .map(Some)
}

/// Returns the start of the bin of each time. Returns `None` if DataFusion's own function does it
/// or reports the error. That function only accepts a constant origin in nanoseconds.
///
/// # Errors
///
/// Returns an error if the stride is not positive, if it mixes months with other units, or if a bin
/// starts before the first time.
pub(super) fn date_bin(
    rows: usize,
    stride: &ColumnarValue,
    times: &ColumnarValue,
    origin: Option<&ColumnarValue>,
) -> Result<Option<ColumnarValue>> {
    let data_type = times.data_type();
    if !matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return Ok(None);
    }
    let zone = match &data_type {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let args = [Some(stride), Some(times), origin];
    let constant = args
        .iter()
        .flatten()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { rows };
    let strides = cast(
        &stride.to_array(rows)?,
        &DataType::Interval(IntervalUnit::MonthDayNano),
    )?;
    let strides = strides.as_primitive::<IntervalMonthDayNanoType>();
    let origins = match origin {
        None => Arc::new(TimestampMicrosecondArray::from_value(0, rows)) as ArrayRef,
        Some(origin) => {
            let origins = origin.to_array(rows)?;
            let target = match origins.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => zone,
            };
            cast(
                &origins,
                &DataType::Timestamp(TimeUnit::Microsecond, target),
            )?
        }
    };
    let origins = origins.as_primitive::<TimestampMicrosecondType>();
    let times = times.to_array(rows)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let bins = strides
        .iter()
        .zip(times)
        .zip(origins)
        .map(|((stride, time), origin)| match (stride, time, origin) {
            (Some(stride), Some(time), Some(origin)) => bin(stride, time, origin).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<TimestampMicrosecondArray, Error>>()?;
    let bins: ArrayRef = Arc::new(bins.with_data_type(data_type));
    Ok(Some(match constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&bins, 0)?),
        false => ColumnarValue::Array(bins),
    }))
}

/// Returns the start of the bin that contains a time.
fn bin(stride: IntervalMonthDayNano, time: i64, origin: i64) -> Result<i64, Error> {
    let step = i128::from(stride.days) * i128::from(DAY) * 1000 + i128::from(stride.nanoseconds);
    match (stride.months, step) {
        (0, step) if step > 0 => {
            let since = (i128::from(time) - i128::from(origin)) * 1000;
            let start = i128::from(origin) * 1000 + since - since.rem_euclid(step);
            i64::try_from(start.div_euclid(1000)).map_err(|_| out_of_range())
        }
        (months, 0) if months > 0 => month_bin(time, origin, months),
        (0, _) => Err(Error::new(
            Code::DatetimeOutOfRange,
            "stride must be greater than zero",
        )),
        _ => Err(Error::new(
            Code::InvalidParameter,
            "the stride of date_bin mixes months with other units",
        )),
    }
}

/// Returns the last `origin + n * months` that is not after `time`.
fn month_bin(time: i64, origin: i64, months: i32) -> Result<i64, Error> {
    let date = |micros| {
        DateTime::from_timestamp_micros(micros)
            .map(|time| time.naive_utc())
            .ok_or_else(out_of_range)
    };
    let (time, origin) = (date(time)?, date(origin)?);
    let count = |time: &NaiveDateTime| time.year() * 12 + time.month0() as i32;
    let step = (count(&time) - count(&origin)).div_euclid(months) * months;
    let shifted = |by: i32| {
        match by < 0 {
            true => origin.checked_sub_months(Months::new(by.unsigned_abs())),
            false => origin.checked_add_months(Months::new(by.unsigned_abs())),
        }
        .ok_or_else(out_of_range)
    };
    let mut start = shifted(step)?;
    if start > time {
        start = shifted(step - months)?;
    }
    Ok(start.and_utc().timestamp_micros())
}
