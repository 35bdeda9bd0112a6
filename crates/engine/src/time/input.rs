//! Parses text as PostgreSQL does: timestamps, dates, times of day and intervals. DataFusion
//! accepts fewer forms, and reads some differently: it reads `20240229` as a time of day, applies a
//! zone in the text to a timestamp without time zone, and refuses times that a clock shows twice.
//!
//! Fractions finer than a microsecond are rounded half up, as in Trino's casts, or half to even, as in
//! PostgreSQL's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::calendar::DAY;
use super::clock::Clock;
use super::date_order::DateOrder;
use super::day_times::end_of_day;
use super::interval_fields::LastField;
use super::moment::{Fault, Moment};
use super::period;
use crate::plans::expressions;

/// Maximum digits kept of a second's fraction.
pub(super) const MAX_DIGITS: u8 = 6;

/// `CAST(text AS TIMESTAMP(digits))`, and casts to other time types.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeOfText {
    to: DataType,
    /// At most [`MAX_DIGITS`].
    digits: u8,
    /// Whether text that is not such a time is an error. Otherwise it is NULL.
    strict: bool,
    /// Of day, month and year in dates of numbers.
    order: DateOrder,
    signature: Signature,
}

/// Returns whether text is parsed as this type here.
pub(super) fn is_read(to: &DataType) -> bool {
    matches!(
        to,
        DataType::Timestamp(TimeUnit::Microsecond, _)
            | DataType::Date32
            | DataType::Time64(TimeUnit::Nanosecond)
            | DataType::Interval(IntervalUnit::MonthDayNano)
    )
}

impl TimeOfText {
    /// Returns a call that parses `text`; `to` is a type that [`is_read`].
    pub(super) fn call(
        text: Expr,
        to: DataType,
        digits: u8,
        strict: bool,
        order: DateOrder,
    ) -> Expr {
        let function = Self {
            to,
            digits: digits.min(MAX_DIGITS),
            strict,
            order,
            signature: Signature::any(1, Volatility::Immutable),
        };
        expressions::call(function, vec![text])
    }

    /// Returns the same text as a timestamp with other digits, if `call` parses a timestamp.
    pub(super) fn with_digits(call: &ScalarFunction, digits: u8) -> Option<Expr> {
        let function = call.func.inner().downcast_ref::<Self>()?;
        let [text] = call.args.as_slice() else {
            return None;
        };
        let (to, strict, order) = (function.to.clone(), function.strict, function.order);
        let is_timestamp = matches!(to, DataType::Timestamp(..));
        is_timestamp.then(|| Self::call(text.clone(), to, digits, strict, order))
    }
}

impl ScalarUDFImpl for TimeOfText {
    fn name(&self) -> &str {
        name_of(&self.to)
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
        expressions::applied(args.args.first(), |texts| read(texts, self))
    }
}

/// Returns PostgreSQL's name of a type.
fn name_of(to: &DataType) -> &'static str {
    match to {
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Date32 => "date",
        DataType::Time64(_) => "time",
        DataType::Interval(_) => "interval",
        _ => "timestamp",
    }
}

/// Parses texts as timestamps.
///
/// # Errors
///
/// Returns an error for text that is not a timestamp, if `strict`.
pub(super) fn timestamps(
    texts: &ArrayRef,
    zone: Option<Arc<str>>,
    digits: u8,
    strict: bool,
) -> Result<ArrayRef> {
    let function = TimeOfText {
        to: DataType::Timestamp(TimeUnit::Microsecond, zone),
        digits,
        strict,
        order: DateOrder::default(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    read(texts, &function)
}

fn read(texts: &ArrayRef, by: &TimeOfText) -> Result<ArrayRef> {
    let (to, strict) = (&by.to, by.strict);
    let moment = |text: &str| Moment::read(text, by.digits, by.order);
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let values: ArrayRef = match to {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let values: TimestampMicrosecondArray =
                each(texts, to, strict, |text| moment(text)?.timestamp())?;
            Arc::new(values)
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            let clock = Clock::of(zone)?;
            let values = each::<TimestampMicrosecondType>(texts, to, strict, |text| {
                moment(text)?.instant(clock)
            })?;
            Arc::new(values.with_timezone(Arc::clone(zone)))
        }
        DataType::Date32 => Arc::new(each::<Date32Type>(texts, to, strict, |text| {
            moment(text)?.date()
        })?),
        DataType::Time64(TimeUnit::Nanosecond) => {
            Arc::new(each::<Time64NanosecondType>(texts, to, strict, |text| {
                let micros = moment(text)?.time_of_day()?;
                match micros < DAY {
                    true => Ok(micros * 1000),
                    false => Err(Fault::EndOfDay),
                }
            })?)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => Arc::new(
            each::<IntervalMonthDayNanoType>(texts, to, strict, period::read)?,
        ),
        other => {
            return Err(DataFusionError::Internal(format!(
                "texts are not read as {other}"
            )));
        }
    };
    Ok(values)
}

fn each<T: ArrowPrimitiveType>(
    texts: &StringArray,
    to: &DataType,
    strict: bool,
    read: impl Fn(&str) -> Result<T::Native, Fault>,
) -> Result<PrimitiveArray<T>> {
    let values = texts
        .iter()
        .map(|text| match text.map(|text| (text, read(text))) {
            None => Ok(None),
            Some((_, Ok(value))) => Ok(Some(value)),
            Some((_, Err(_))) if !strict => Ok(None),
            Some((text, Err(fault))) => Err(error(text, to, fault)),
        });
    Ok(values.collect::<Result<PrimitiveArray<T>, Error>>()?)
}

fn error(text: &str, to: &DataType, fault: Fault) -> Error {
    let shown: String = text.chars().take(100).collect();
    let name = name_of(to);
    match fault {
        Fault::EndOfDay => end_of_day(),
        Fault::Range if matches!(to, DataType::Interval(_)) => Error::new(
            Code::IntervalOutOfRange,
            format!("interval field value out of range: \"{shown}\""),
        ),
        Fault::Range => Error::new(
            Code::DatetimeOutOfRange,
            format!("date/time field value out of range: \"{shown}\""),
        ),
        Fault::Zone => Error::new(
            Code::ZoneOutOfRange,
            format!("time zone displacement out of range: \"{shown}\""),
        ),
        Fault::Syntax if has_infinity(to) && is_infinite(text) => {
            Error::not_supported(format!("infinite values of type {name} are not supported"))
                .with_hint("use NULL, or a bound such as '9999-12-31'")
        }
        Fault::Syntax => {
            let error = Error::new(
                Code::InvalidDatetime,
                format!("invalid input syntax for type {name}: \"{shown}\""),
            );
            let hint = match (to, text.trim().to_ascii_lowercase().as_str()) {
                (_, "now" | "today" | "tomorrow" | "yesterday") => {
                    "now() and current_date are functions here"
                }
                (DataType::Interval(_), _) => "write it as '1 month 2 days 03:04:05'",
                (DataType::Time64(_), _) => "write it as '12:34:56'",
                (DataType::Date32, _) => "write it as '2024-02-29'",
                _ => "write it as '2024-02-29 12:34:56'",
            };
            error.with_hint(hint)
        }
    }
}

/// Returns whether PostgreSQL has a first and a last value of a type, before and after all others.
fn has_infinity(of: &DataType) -> bool {
    matches!(of, DataType::Timestamp(..) | DataType::Date32)
}

/// Returns whether a text is such a value.
pub(crate) fn is_infinite(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix('-').unwrap_or(text);
    text.eq_ignore_ascii_case("infinity")
}

/// Rewrites the text of an interval so that DataFusion reads it as PostgreSQL reads the original.
///
/// # Errors
///
/// Returns an error if the text is not an interval.
pub fn interval_in_words(text: &str) -> Result<String, Error> {
    rounded_interval_in_words(text, None, u64::from(MAX_DIGITS))
}

/// The same of a type with fields, if there are any, with its seconds rounded to so many digits, halves
/// away from zero.
///
/// # Errors
///
/// Returns an error if the text is not an interval.
pub fn rounded_interval_in_words(
    text: &str,
    last: Option<LastField>,
    digits: u64,
) -> Result<String, Error> {
    let to = DataType::Interval(IntervalUnit::MonthDayNano);
    let interval = period::read_to(text, last).map_err(|fault| error(text, &to, fault))?;
    let micros = interval.nanoseconds / 1000;
    let dropped = u64::from(MAX_DIGITS).saturating_sub(digits);
    let unit = u32::try_from(dropped).map_or(1, |dropped| 10u64.pow(dropped));
    let rounded = (micros.unsigned_abs() + unit / 2) / unit * unit;
    let sign = if micros < 0 { "-" } else { "" };
    let (seconds, rest) = (rounded / 1_000_000, rounded % 1_000_000);
    let (months, days) = (interval.months, interval.days);
    Ok(format!(
        "{months} months {days} days {sign}{seconds}.{rest:06} seconds"
    ))
}

/// Parses days since 1970. `order`: of day, month and year in dates of numbers.
///
/// # Errors
///
/// The text is not a date (`InvalidDatetime`), or a field of it is out of range
/// (`DatetimeOutOfRange`).
pub fn date_of_text(text: &str, order: DateOrder) -> Result<i32, Error> {
    Moment::read(text, MAX_DIGITS, order)
        .and_then(Moment::date)
        .map_err(|fault| error(text, &DataType::Date32, fault))
}

/// Parses microseconds since midnight, at most a whole day.
///
/// # Errors
///
/// As of [`date_of_text`].
pub fn time_of_text(text: &str) -> Result<i64, Error> {
    let to = DataType::Time64(TimeUnit::Microsecond);
    Moment::read(text, MAX_DIGITS, DateOrder::Mdy)
        .and_then(Moment::time_of_day)
        .map_err(|fault| error(text, &to, fault))
}

/// Parses microseconds since 1970, ignoring any zone.
///
/// # Errors
///
/// As of [`date_of_text`].
pub fn timestamp_of_text(text: &str, order: DateOrder) -> Result<i64, Error> {
    let to = DataType::Timestamp(TimeUnit::Microsecond, None);
    Moment::read(text, MAX_DIGITS, order)
        .and_then(Moment::timestamp)
        .map_err(|fault| error(text, &to, fault))
}

/// Parses microseconds since 1970 in UTC, by the zone in the text or else by `clock`.
///
/// # Errors
///
/// As of [`date_of_text`].
pub fn instant_of_text(text: &str, clock: Clock, order: DateOrder) -> Result<i64, Error> {
    let to = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Moment::read(text, MAX_DIGITS, order)
        .and_then(|moment| moment.instant(clock))
        .map_err(|fault| error(text, &to, fault))
}

/// Parses an interval; `None` if the text is not one.
pub fn interval_of_text(text: &str) -> Option<IntervalMonthDayNano> {
    period::read(text).ok()
}

pub(super) fn out_of_range() -> Error {
    Error::new(Code::DatetimeOutOfRange, "timestamp out of range")
}
