//! PostgreSQL's functions of two times, of intervals and of the parts of a time that DataFusion
//! does not have.
//!
//! ```text
//! age(timestamp, timestamp)                 years, months and days by the calendar
//! age(timestamp, xid)                       0
//! justify_days(i), justify_hours(i),        30 days are a month, 24 hours a day
//! justify_interval(i)
//! make_timestamp(y, m, d, h, m, s)          make_timestamptz: in the session's or a given zone
//! make_time(h, m, s)                        an error at the end of the day
//! isfinite(time)                            always true
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, IntervalMonthDayNanoArray,
    Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::SECOND;
use super::calendar::{DAY, at, date_of, days_in_month, days_of, split};
use super::clock::Clock;
use super::day_times::end_of_day;
use super::input::out_of_range;
use super::zoned::{INTERVAL, intervals};
use super::zones::moved;

/// `age` of two times, and of a time and a transaction's id: nothing is older than this one.
pub const AGE: &str = "age_between";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Age,
    JustifyDays,
    JustifyHours,
    JustifyInterval,
    IsFinite,
    MakeTime,
    MakeTimestamp,
    MakeTimestampTz,
}

const ALL: [Kind; 8] = [
    Kind::Age,
    Kind::JustifyDays,
    Kind::JustifyHours,
    Kind::JustifyInterval,
    Kind::IsFinite,
    Kind::MakeTime,
    Kind::MakeTimestamp,
    Kind::MakeTimestampTz,
];

pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let zone = state.config_options().execution.time_zone.clone();
    for kind in ALL {
        let function = OfTimes::new(kind, zone.as_deref());
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfTimes {
    kind: Kind,
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
}

impl OfTimes {
    fn new(kind: Kind, zone: Option<&str>) -> Self {
        Self {
            kind,
            zone: zone.unwrap_or("UTC").into(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn wrong(&self) -> DataFusionError {
        let takes = match self.kind {
            Kind::Age => "two times",
            Kind::JustifyDays | Kind::JustifyHours | Kind::JustifyInterval => "an interval",
            Kind::IsFinite => "a time or an interval",
            Kind::MakeTime => "hour, minute and seconds",
            Kind::MakeTimestamp => "year, month, day, hour, minute and seconds",
            Kind::MakeTimestampTz => "year, month, day, hour, minute and seconds, and a time zone",
        };
        Error::new(
            Code::FunctionNotFound,
            format!("{} takes {takes}", self.name()),
        )
        .into()
    }
}

/// Returns the zone of `make_timestamptz`. The sign of a number counts east, unlike that of
/// `AT TIME ZONE`.
fn zone_of(name: &str) -> Result<Clock, Error> {
    match name.as_bytes().first() {
        Some(b'0'..=b'9') => Err(Error::new(
            Code::InvalidParameter,
            format!("invalid input syntax for type numeric time zone: \"{name}\""),
        )
        .with_hint("Numeric time zones must have \"-\" or \"+\" as first character.")),
        Some(b'+' | b'-') => Clock::of(name),
        _ => Clock::by_name(name),
    }
}

impl ScalarUDFImpl for OfTimes {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Age => AGE,
            Kind::JustifyDays => "justify_days",
            Kind::JustifyHours => "justify_hours",
            Kind::JustifyInterval => "justify_interval",
            Kind::IsFinite => "isfinite",
            Kind::MakeTime => "make_time",
            Kind::MakeTimestamp => "make_timestamp",
            Kind::MakeTimestampTz => "make_timestamptz",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let micros = |zone| DataType::Timestamp(TimeUnit::Microsecond, zone);
        let is_text = |of: &DataType| of.is_string() || of.is_null();
        Ok(match (self.kind, types) {
            // The age of a transaction's id, since today.
            (Kind::Age, [DataType::Date32, id]) if id.is_integer() => {
                vec![DataType::Date32, id.clone()]
            }
            (Kind::Age, [left, right]) => {
                let of = |of: &DataType| match of {
                    DataType::Timestamp(_, zone) => Ok(micros(zone.clone())),
                    DataType::Date32 => Ok(micros(None)),
                    text if is_text(text) => Ok(micros(None)),
                    _ => Err(self.wrong()),
                };
                vec![of(left)?, of(right)?]
            }
            (Kind::JustifyDays | Kind::JustifyHours | Kind::JustifyInterval, [of]) => match of {
                DataType::Interval(_) | DataType::Duration(_) => vec![of.clone()],
                text if is_text(text) => vec![INTERVAL],
                _ => return Err(self.wrong()),
            },
            (Kind::IsFinite, [of]) if of.is_temporal() => vec![of.clone()],
            (Kind::MakeTime, [_, _, _]) => parts(2),
            (Kind::MakeTimestamp, [_, _, _, _, _, _])
            | (Kind::MakeTimestampTz, [_, _, _, _, _, _]) => parts(5),
            (Kind::MakeTimestampTz, [_, _, _, _, _, _, zone]) if is_text(zone) => {
                let mut parts = parts(5);
                parts.push(DataType::Utf8);
                parts
            }
            _ => return Err(self.wrong()),
        })
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Age if types.get(1).is_some_and(DataType::is_integer) => DataType::Int32,
            Kind::IsFinite => DataType::Boolean,
            Kind::MakeTime => DataType::Time64(TimeUnit::Nanosecond),
            Kind::MakeTimestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::MakeTimestampTz => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone)))
            }
            _ => INTERVAL,
        })
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref();
        Some(ScalarUDF::new_from_impl(Self::new(self.kind, zone)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let columns: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|arg| arg.to_array(rows))
            .collect::<Result<_>>()?;
        let values: ArrayRef = match (self.kind, columns.as_slice()) {
            (Kind::Age, [_, ids]) if ids.data_type().is_integer() => {
                let none: Int32Array = (0..ids.len())
                    .map(|row| ids.is_valid(row).then_some(0))
                    .collect();
                Arc::new(none)
            }
            (Kind::Age, [left, right]) => ages(left, right)?,
            (Kind::IsFinite, [times]) => {
                let finite: BooleanArray = (0..times.len())
                    .map(|row| times.is_valid(row).then_some(true))
                    .collect();
                Arc::new(finite)
            }
            (Kind::MakeTime, [hours, minutes, seconds]) => times(hours, minutes, seconds)?,
            (Kind::MakeTimestamp | Kind::MakeTimestampTz, columns) => self.made(columns)?,
            (_, [of]) => {
                let justified: IntervalMonthDayNanoArray = intervals(of)?.try_unary(|of| {
                    let justified = match self.kind {
                        Kind::JustifyDays => justified_days(of),
                        Kind::JustifyHours => justified_hours(of),
                        _ => justified(of),
                    };
                    justified.ok_or_else(|| {
                        Error::new(Code::DatetimeOutOfRange, "interval out of range")
                    })
                })?;
                Arc::new(justified)
            }
            _ => return Err(self.wrong()),
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
            false => ColumnarValue::Array(values),
        })
    }
}

/// Returns the types of so many whole parts of a time, and of its seconds.
fn parts(whole: usize) -> Vec<DataType> {
    let mut parts = vec![DataType::Int64; whole];
    parts.push(DataType::Float64);
    parts
}

impl OfTimes {
    fn made(&self, columns: &[ArrayRef]) -> Result<ArrayRef> {
        let session = match self.kind {
            Kind::MakeTimestampTz => Clock::of(&self.zone)?,
            _ => Clock::UTC,
        };
        let [year, month, day, hour, minute, second, zones @ ..] = columns else {
            return Err(self.wrong());
        };
        let whole = [year, month, day, hour, minute].map(|part| part.as_primitive::<Int64Type>());
        let seconds = second.as_primitive::<Float64Type>();
        let zones = zones.first().map(|zones| zones.as_string::<i32>());
        let made = (0..seconds.len())
            .map(|row| {
                let is_null = whole.iter().any(|part| part.is_null(row))
                    || seconds.is_null(row)
                    || zones.is_some_and(|zones| zones.is_null(row));
                if is_null {
                    return Ok(None);
                }
                let clock = match zones {
                    Some(zones) => zone_of(zones.value(row))?,
                    None => session,
                };
                let shown = moment(whole.map(|part| part.value(row)), seconds.value(row))?;
                clock.instant(shown).ok_or_else(out_of_range).map(Some)
            })
            .collect::<Result<TimestampMicrosecondArray, Error>>()?;
        Ok(Arc::new(made.with_data_type(self.return_type(&[])?)))
    }
}

fn times(hours: &ArrayRef, minutes: &ArrayRef, seconds: &ArrayRef) -> Result<ArrayRef> {
    let minutes = minutes.as_primitive::<Int64Type>().iter();
    let seconds = seconds.as_primitive::<Float64Type>().iter();
    let times = hours
        .as_primitive::<Int64Type>()
        .iter()
        .zip(minutes)
        .zip(seconds)
        .map(|((hour, minute), seconds)| match (hour, minute, seconds) {
            (Some(hour), Some(minute), Some(seconds)) => {
                time_of_day(hour, minute, seconds).map(|micros| Some(micros * 1000))
            }
            _ => Ok(None),
        })
        .collect::<Result<Time64NanosecondArray, Error>>()?;
    Ok(Arc::new(times))
}

/// Returns the time of day with these parts, in microseconds since midnight.
///
/// # Errors
///
/// A part is out of range, or the time is the end of the day.
fn time_of_day(hour: i64, minute: i64, seconds: f64) -> Result<i64, Error> {
    let micros = (seconds * SECOND as f64).round_ties_even();
    let is_time = (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..=(60 * SECOND) as f64).contains(&micros);
    let time = is_time.then(|| (hour * 60 + minute) * 60 * SECOND + micros as i64);
    match time {
        Some(time) if time < DAY => Ok(time),
        Some(DAY) => Err(end_of_day()),
        _ => Err(Error::new(
            Code::DatetimeOutOfRange,
            format!("time field value out of range: {hour}:{minute:02}:{seconds:02}"),
        )),
    }
}

/// Returns the time with these parts.
fn moment(parts: [i64; 5], seconds: f64) -> Result<i64, Error> {
    let [year, month, day, hour, minute] = parts;
    let wrong = || {
        Error::new(
            Code::DatetimeOutOfRange,
            format!(
                "date/time field value out of range: {year}-{month:02}-{day:02} {hour:02}:{minute:02}:{seconds:02}"
            ),
        )
    };
    // Years BC are negative, and there is no year 0.
    let counted = match year {
        0 => return Err(wrong()),
        ..0 => year + 1,
        _ => year,
    };
    let is_date = (-300_000..300_000).contains(&counted)
        && (1..=12).contains(&month)
        && (1..=days_in_month(counted, month)).contains(&day);
    let is_time =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&seconds)
            || (hour == 24 && minute == 0 && seconds == 0.0);
    if !is_date || !is_time {
        return Err(wrong());
    }
    let micros = (seconds * SECOND as f64).round_ties_even() as i64;
    let time = (hour * 60 + minute) * 60 * SECOND + micros;
    at(days_of(counted, month, day), time).ok_or_else(wrong)
}

fn ages(left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
    let (left, right) = (moved(left, &naive)?, moved(right, &naive)?);
    let left = left.as_primitive::<TimestampMicrosecondType>().iter();
    let right = right.as_primitive::<TimestampMicrosecondType>();
    let ages: IntervalMonthDayNanoArray = left
        .zip(right)
        .map(|(left, right)| Some(age(left?, right?)))
        .collect();
    Ok(Arc::new(ages))
}

/// Returns `to - from` in months, days and the rest. Days are borrowed from the month of the
/// earlier time.
fn age(to: i64, from: i64) -> IntervalMonthDayNano {
    if to < from {
        let age = age(from, to);
        return IntervalMonthDayNano::new(-age.months, -age.days, -age.nanoseconds);
    }
    let ((to_day, to_time), (from_day, from_time)) = (split(to), split(from));
    let ((to_year, to_month, to_date), (year, month, date)) = (date_of(to_day), date_of(from_day));
    let mut micros = to_time - from_time;
    let mut days = to_date - date;
    let mut months = (to_year - year) * 12 + to_month - month;
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        days += days_in_month(year, month);
        months -= 1;
    }
    // Both times have 64 bits, so there are fewer than 2^31 months.
    IntervalMonthDayNano::new(
        i32::try_from(months).unwrap_or(i32::MAX),
        i32::try_from(days).unwrap_or(i32::MAX),
        micros * 1000,
    )
}

/// Nanoseconds per day.
const DAY_NANOS: i64 = DAY * 1000;

fn justified_hours(of: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let mut days = of
        .days
        .checked_add(i32::try_from(of.nanoseconds / DAY_NANOS).ok()?)?;
    let mut nanos = of.nanoseconds % DAY_NANOS;
    if days > 0 && nanos < 0 {
        (days, nanos) = (days - 1, nanos + DAY_NANOS);
    } else if days < 0 && nanos > 0 {
        (days, nanos) = (days + 1, nanos - DAY_NANOS);
    }
    Some(IntervalMonthDayNano::new(of.months, days, nanos))
}

fn justified_days(of: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let mut months = of.months.checked_add(of.days / 30)?;
    let mut days = of.days % 30;
    if months > 0 && days < 0 {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && days > 0 {
        (months, days) = (months + 1, days - 30);
    }
    Some(IntervalMonthDayNano::new(months, days, of.nanoseconds))
}

fn justified(of: IntervalMonthDayNano) -> Option<IntervalMonthDayNano> {
    let nanos = of.nanoseconds;
    let mut days = of
        .days
        .checked_add(i32::try_from(nanos / DAY_NANOS).ok()?)?;
    let mut nanos = nanos % DAY_NANOS;
    let mut months = of.months.checked_add(days / 30)?;
    days %= 30;
    if months > 0 && (days < 0 || (days == 0 && nanos < 0)) {
        (months, days) = (months - 1, days + 30);
    } else if months < 0 && (days > 0 || (days == 0 && nanos > 0)) {
        (months, days) = (months + 1, days - 30);
    }
    if days > 0 && nanos < 0 {
        (days, nanos) = (days - 1, nanos + DAY_NANOS);
    } else if days < 0 && nanos > 0 {
        (days, nanos) = (days + 1, nanos - DAY_NANOS);
    }
    Some(IntervalMonthDayNano::new(months, days, nanos))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // PostgreSQL 15, but for the end of the day.
    #[test]
    fn times_of_day_are_made_of_their_parts() {
        assert_eq!(time_of_day(0, 0, 0.0).unwrap(), 0);
        assert_eq!(time_of_day(10, 59, 60.0).unwrap(), 11 * 3600 * SECOND);
        assert_eq!(time_of_day(1, 2, 3.000_000_4).unwrap(), 3723 * SECOND);
        assert_eq!(time_of_day(1, 2, -1e-7).unwrap(), 3720 * SECOND);
        for (hour, minute, seconds) in [(24, 0, 0.0), (23, 59, 60.0), (23, 59, 59.999_999_9)] {
            let error = time_of_day(hour, minute, seconds).unwrap_err();
            assert_eq!(error.message(), end_of_day().message(), "{hour} {minute}");
        }
        for (hour, minute, seconds) in [
            (24, 0, 0.5),
            (24, 1, 0.0),
            (25, 0, 0.0),
            (-1, 0, 0.0),
            (1, 60, 0.0),
            (1, 0, 60.1),
            (1, 0, -1.0),
            (1, 0, f64::NAN),
            (i64::MAX, i64::MIN, f64::INFINITY),
        ] {
            let error = time_of_day(hour, minute, seconds).unwrap_err();
            assert_eq!(
                error.code(),
                Code::DatetimeOutOfRange,
                "{hour} {minute} {seconds}"
            );
        }
    }
}
