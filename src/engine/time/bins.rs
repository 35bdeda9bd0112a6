//! `date_trunc` and `date_bin` of microseconds. The engine's go through nanoseconds, and give NULL or an error for what these
//! do not hold.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

use super::SECOND;
use super::input::out_of_range;
use crate::error::{Code, Error};

const DAY: i64 = 86_400 * SECOND;

/// Times that nanoseconds hold, with years to spare for a bin's beginning.
const HELD: std::ops::Range<i64> = -9_000_000_000 * SECOND..9_000_000_000 * SECOND;

/// Whether all times of microseconds are such that the engine's functions are right.
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

fn offset_of(data_type: &DataType) -> Option<&str> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    }
}

/// `None`: the engine's own does it.
pub(super) fn date_trunc(
    unit: &ColumnarValue,
    times: &ColumnarValue,
) -> Result<Option<ColumnarValue>> {
    let ColumnarValue::Scalar(unit) = unit else {
        return Ok(None);
    };
    let Some(unit) = unit.try_as_str().flatten() else {
        return Ok(None);
    };
    if held(times) {
        return Ok(None);
    }
    let zone = match offset_of(&times.data_type()) {
        None => None,
        Some(zone) => Some(zone.parse::<arrow::array::timezone::Tz>()?),
    };
    let unit = unit.to_lowercase();
    each(times, |time| {
        let utc = DateTime::from_timestamp_micros(time)
            .ok_or_else(out_of_range)?
            .naive_utc();
        let offset = zone.map_or(0, |zone| offset_seconds(&zone, &utc)) * SECOND;
        let local = utc + chrono::TimeDelta::microseconds(offset);
        let truncated = truncated(&unit, &local)?;
        Ok(truncated.and_utc().timestamp_micros() - offset)
    })
    .map(Some)
}

fn offset_seconds(zone: &arrow::array::timezone::Tz, utc: &NaiveDateTime) -> i64 {
    use chrono::{Offset, TimeZone};
    zone.offset_from_utc_datetime(utc)
        .fix()
        .local_minus_utc()
        .into()
}

fn truncated(unit: &str, time: &NaiveDateTime) -> Result<NaiveDateTime, Error> {
    let date = time.date();
    let day = |date: Option<NaiveDate>| {
        date.and_then(|date| date.and_hms_opt(0, 0, 0))
            .ok_or_else(out_of_range)
    };
    let micros = |unit: i64| {
        let since = time.and_utc().timestamp_micros();
        DateTime::from_timestamp_micros(since - since.rem_euclid(unit))
            .map(|time| time.naive_utc())
            .ok_or_else(out_of_range)
    };
    match unit {
        "microsecond" => Ok(*time),
        "millisecond" => micros(1000),
        "second" => micros(SECOND),
        "minute" => micros(60 * SECOND),
        "hour" => micros(3600 * SECOND),
        "day" => day(Some(date)),
        "week" => day(date.checked_sub_days(chrono::Days::new(
            date.weekday().num_days_from_monday().into(),
        ))),
        "month" => day(date.with_day(1)),
        "quarter" => day(NaiveDate::from_ymd_opt(
            date.year(),
            (date.month() - 1) / 3 * 3 + 1,
            1,
        )),
        "year" => day(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
        other => Err(Error::new(
            Code::InvalidParameter,
            format!("date_trunc does not know the unit '{other}'"),
        )),
    }
}

/// `None`: the engine's own does it, or says what is wrong. It takes no origin but of nanoseconds.
pub(super) fn date_bin(
    stride: &ColumnarValue,
    times: &ColumnarValue,
    origin: Option<&ColumnarValue>,
) -> Result<Option<ColumnarValue>> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let ColumnarValue::Scalar(stride) = stride else {
        return Ok(None);
    };
    if !matches!(
        times.data_type(),
        DataType::Timestamp(TimeUnit::Microsecond, _)
    ) {
        return Ok(None);
    }
    let origin = match origin {
        None => Some(0),
        Some(ColumnarValue::Scalar(origin)) => match origin.cast_to(&micros)? {
            ScalarValue::TimestampMicrosecond(origin, _) => origin,
            _ => return Ok(None),
        },
        Some(ColumnarValue::Array(_)) => return Ok(None),
    };
    let stride = stride.to_array_of_size(1)?;
    let stride = cast(&stride, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let stride = stride.as_primitive::<arrow::datatypes::IntervalMonthDayNanoType>();
    let Some(origin) = origin.filter(|_| !stride.is_null(0)) else {
        let null = ScalarValue::try_from(&times.data_type())?;
        return Ok(Some(ColumnarValue::Scalar(null)));
    };
    let stride = stride.value(0);
    let step = i128::from(stride.days) * i128::from(DAY) * 1000 + i128::from(stride.nanoseconds);
    match (stride.months, step) {
        (0, step) if step > 0 => each(times, |time| {
            let since = (i128::from(time) - i128::from(origin)) * 1000;
            let start = i128::from(origin) * 1000 + since - since.rem_euclid(step);
            i64::try_from(start.div_euclid(1000)).map_err(|_| out_of_range())
        })
        .map(Some),
        (months, 0) if months > 0 => each(times, |time| month_bin(time, origin, months)).map(Some),
        _ => Ok(None),
    }
}

/// The last `origin + n * months` that is not after `time`.
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
