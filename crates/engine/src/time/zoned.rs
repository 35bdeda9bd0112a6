//! Times with a zone plus intervals: months and days follow the zone's clock, hours are elapsed
//! time, as in PostgreSQL.
//!
//! DataFusion is correct except for times that a clock shows twice or never, for years after 2099,
//! and for differences of two times, whose days it adds as hours. It is always correct in UTC,
//! which is left unchanged.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_error::{Code, Error};

use super::calendar::{DAY, at, months_later, split};
use super::clock::Clock;
use super::input::out_of_range;
use super::zones::is_utc;
use crate::plans::expressions;

pub(super) const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Returns a time with a zone plus or minus an interval; `None` for anything else, and in UTC.
pub(super) fn arithmetic(binary: &BinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let sign = match binary.op {
        Operator::Plus => 1,
        Operator::Minus => -1,
        _ => return None,
    };
    let of = |expr: &Expr| expressions::type_of(expr, schema).ok();
    let is_zoned = |of: &DataType| match of {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => !is_utc(zone),
        _ => false,
    };
    let is_period = |of: &DataType| matches!(of, DataType::Interval(_) | DataType::Duration(_));
    // The left side may be a long chain.
    let right = of(&binary.right).filter(|of| is_zoned(of) || is_period(of))?;
    let left = of(&binary.left)?;
    let (time, zone, interval) = match (&left, &right) {
        (zoned, period) if is_zoned(zoned) && is_period(period) => {
            (&binary.left, zoned, &binary.right)
        }
        (period, zoned) if sign == 1 && is_zoned(zoned) && is_period(period) => {
            (&binary.right, zoned, &binary.left)
        }
        _ => return None,
    };
    let function = Shifted {
        sign,
        to: zone.clone(),
        signature: Signature::any(2, Volatility::Immutable),
    };
    let args = vec![time.as_ref().clone(), interval.as_ref().clone()];
    Some(expressions::call(function, args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Shifted {
    sign: i64,
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Shifted {
    fn name(&self) -> &str {
        match self.sign {
            1 => "time_plus",
            _ => "time_minus",
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
                "a time and no interval".to_owned(),
            ));
        };
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let DataType::Timestamp(_, zone) = &self.to else {
            return Err(DataFusionError::Internal(
                "a time without a unit".to_owned(),
            ));
        };
        let clock = Clock::of_type(zone.as_deref())?;
        let times = cast(&time.to_array(rows)?, &self.to)?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let intervals = intervals(&interval.to_array(rows)?)?;
        let shifted = times
            .iter()
            .zip(intervals.iter())
            .map(|pair| match pair {
                (Some(time), Some(by)) => shifted(clock, time, by, self.sign)
                    .ok_or_else(out_of_range)
                    .map(Some),
                _ => Ok(None),
            })
            .collect::<Result<TimestampMicrosecondArray, Error>>()?;
        let shifted: ArrayRef = Arc::new(shifted.with_data_type(self.to.clone()));
        expressions::made(shifted, constant)
    }
}

/// Returns the time `sign` times an interval later; `None` after the last time.
pub(super) fn shifted(clock: Clock, time: i64, by: IntervalMonthDayNano, sign: i64) -> Option<i64> {
    let mut time = time;
    if by.months != 0 {
        let (day, rest) = split(clock.shown(time)?);
        let day = months_later(day, sign * i64::from(by.months));
        time = clock.instant(at(day, rest)?)?;
    }
    if by.days != 0 {
        let (day, rest) = split(clock.shown(time)?);
        time = clock.instant(at(day + sign * i64::from(by.days), rest)?)?;
    }
    time.checked_add(sign * (by.nanoseconds / 1000))
}

/// Returns the intervals as they are; the differences of two times as in PostgreSQL, in days and
/// the rest in hours.
///
/// # Errors
///
/// Returns an error for other types, or if there are more days than an interval holds.
pub fn intervals(values: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    let DataType::Duration(_) = values.data_type() else {
        let intervals = cast(values, &INTERVAL)?;
        return Ok(intervals.as_primitive::<IntervalMonthDayNanoType>().clone());
    };
    let too_long = || Error::new(Code::DatetimeOutOfRange, "interval out of range");
    let micros = cast(values, &DataType::Duration(TimeUnit::Microsecond))?;
    // The cast makes NULL of more than it holds.
    if micros.null_count() > values.null_count() {
        return Err(too_long().into());
    }
    let micros = micros.as_primitive::<DurationMicrosecondType>();
    let intervals: IntervalMonthDayNanoArray = micros.try_unary(|micros| {
        let days = i32::try_from(micros / DAY).map_err(|_| too_long())?;
        Ok::<_, Error>(IntervalMonthDayNano::new(0, days, micros % DAY * 1000))
    })?;
    Ok(intervals)
}

/// Casts the difference of two times to an interval. DataFusion turns its days into hours.
pub(super) fn of_duration(duration: Expr) -> Expr {
    let function = OfDuration {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![duration])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfDuration {
    signature: Signature,
}

impl ScalarUDFImpl for OfDuration {
    fn name(&self) -> &str {
        "interval_of_duration"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(INTERVAL)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| Ok(Arc::new(intervals(values)?)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::DurationSecondArray;
    use chrono::NaiveDateTime;

    use super::*;

    #[test]
    fn durations_beyond_intervals_are_errors() {
        let seconds = |seconds| -> ArrayRef { Arc::new(DurationSecondArray::from(vec![seconds])) };
        let day = intervals(&seconds(Some(86_400))).unwrap();
        assert_eq!(day.value(0), IntervalMonthDayNano::new(0, 1, 0));
        assert!(intervals(&seconds(None)).unwrap().is_null(0));
        for many in [i64::MAX, 86_400 * i64::from(i32::MAX)] {
            assert!(intervals(&seconds(Some(many))).is_err(), "{many}");
        }
    }

    #[test]
    fn days_go_by_the_clock_and_hours_by_time() {
        let berlin = Clock::of("Europe/Berlin").unwrap();
        let micros = |text: &str| {
            let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
            time.and_utc().timestamp_micros()
        };
        let hour = 3_600_000_000_000;
        for (from, (months, days, hours), sign, to) in [
            ("2024-03-30 12:00:00", (0, 1, 0), 1, "2024-03-31 12:00:00"),
            ("2024-03-30 12:00:00", (0, 0, 24), 1, "2024-03-31 13:00:00"),
            ("2024-03-30 02:30:00", (0, 1, 0), 1, "2024-03-31 03:30:00"),
            ("2024-10-26 02:30:00", (0, 1, 1), 1, "2024-10-27 03:30:00"),
            ("2024-03-31 00:00:00", (1, 0, 0), -1, "2024-02-29 00:00:00"),
            ("2500-03-27 12:00:00", (0, 1, 24), 1, "2500-03-29 12:00:00"),
        ] {
            let by = IntervalMonthDayNano::new(months, days, hours * hour);
            let start = berlin.instant(micros(from)).unwrap();
            let end = shifted(berlin, start, by, sign).unwrap();
            assert_eq!(berlin.shown(end), Some(micros(to)), "{from}");
        }
        let far = IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX);
        assert_eq!(shifted(berlin, i64::MAX - 1, far, 1), None);
        assert_eq!(shifted(berlin, i64::MIN, far, -1), None);
    }
}
