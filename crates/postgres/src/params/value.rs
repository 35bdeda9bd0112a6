//! A parameter's value between the protocol and the plan: read as one type, fitted to another.

use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit, i256};
use datafusion::common::ScalarValue;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::time::end_of_day;

use super::super::types::unwrapped;
use super::{Input, invalid, out_of_range, text};
use crate::types::{self, arrow_of, oid};

const DAY_MICROS: i64 = 86_400_000_000;

/// Instants are microseconds since 1970; `Timestamp` is without zone, `Instant` is UTC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Int(i64),
    Float32(f32),
    Float64(f64),
    Numeric(Numeric),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    Timestamp(i64),
    Instant(i64),
    Interval {
        months: i32,
        days: i32,
        micros: i64,
    },
    Array {
        element: u32,
        values: Vec<Option<Value>>,
    },
}

/// `digits` (at least one, no leading zeros except for zero itself) with a point before the last
/// `scale` of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Numeric {
    pub negative: bool,
    pub digits: String,
    pub scale: usize,
}

/// The number of digits in Arrow's widest decimal.
pub(super) const MAX_DIGITS: usize = 76;

impl Numeric {
    /// Builds a number from digits with a point before the last `scale`; drops insignificant zeros
    /// at both ends.
    ///
    /// # Errors
    ///
    /// The number has more digits than a decimal can have.
    pub(super) fn new(negative: bool, digits: &str, scale: usize) -> Result<Self> {
        let fraction_zeros = digits.len() - digits.trim_end_matches('0').len();
        let dropped = fraction_zeros.min(scale);
        let kept = digits[..digits.len() - dropped].trim_start_matches('0');
        let scale = scale - dropped;
        if kept.len() > MAX_DIGITS || scale > MAX_DIGITS {
            return Err(Error::new(
                Code::NumericOutOfRange,
                format!("a numeric has at most {MAX_DIGITS} digits"),
            ));
        }
        let digits = if kept.is_empty() {
            "0".to_owned()
        } else {
            kept.to_owned()
        };
        Ok(Self {
            negative,
            digits,
            scale,
        })
    }

    /// Returns the unscaled digits at another scale, or `None` if digits would be lost or
    /// `precision` exceeded.
    fn at(&self, precision: u8, scale: i8) -> Option<String> {
        let scale = i32::from(scale);
        let more = scale - self.scale as i32;
        let digits = if more >= 0 {
            format!("{}{}", self.digits, "0".repeat(more as usize))
        } else {
            let cut = self
                .digits
                .len()
                .checked_sub(more.unsigned_abs() as usize)?;
            if self.digits != "0" && self.digits[cut..].bytes().any(|b| b != b'0') {
                return None;
            }
            self.digits[..cut].to_owned()
        };
        let digits = digits.trim_start_matches('0');
        (digits.len() <= usize::from(precision)).then(|| {
            if digits.is_empty() {
                "0".to_owned()
            } else {
                self.signed(digits)
            }
        })
    }

    /// Returns the unscaled digits at another scale, rounded half away from zero as PostgreSQL does;
    /// `None` if `precision` is exceeded.
    pub(crate) fn rounded(&self, precision: u8, scale: i8) -> Option<i128> {
        let bound = 10_i128.checked_pow(u32::from(precision))?;
        let more = i64::from(scale) - i64::try_from(self.scale).ok()?;
        let unscaled = if more >= 0 {
            let digits: i128 = self.digits.parse().ok()?;
            match digits {
                0 => 0,
                digits => digits.checked_mul(10_i128.checked_pow(u32::try_from(more).ok()?)?)?,
            }
        } else {
            let dropped = usize::try_from(more.unsigned_abs()).ok()?;
            match self.digits.len().checked_sub(dropped) {
                // All digits are behind the first that is dropped.
                None => 0,
                Some(kept) => {
                    let (kept, dropped) = self.digits.split_at_checked(kept)?;
                    let kept: i128 = if kept.is_empty() {
                        0
                    } else {
                        kept.parse().ok()?
                    };
                    kept.checked_add(i128::from(dropped.as_bytes().first() >= Some(&b'5')))?
                }
            }
        };
        (unscaled < bound).then_some(if self.negative { -unscaled } else { unscaled })
    }

    fn signed(&self, digits: &str) -> String {
        if self.negative {
            format!("-{digits}")
        } else {
            digits.to_owned()
        }
    }

    /// Returns a decimal of its own type: Arrow's widest, with the scale that the number needs.
    fn natural(&self) -> Result<ScalarValue> {
        let scale = i8::try_from(self.scale).map_err(|_| out_of_range("numeric"))?;
        let unscaled = self.signed(&self.digits);
        if self.digits.len().max(self.scale) <= 38 {
            let value = unscaled.parse().map_err(|_| out_of_range("numeric"))?;
            return Ok(ScalarValue::Decimal128(Some(value), 38, scale));
        }
        let value = i256::from_string(&unscaled).ok_or_else(|| out_of_range("numeric"))?;
        Ok(ScalarValue::Decimal256(Some(value), 76, scale))
    }

    /// Returns the number in plain notation.
    fn text(&self) -> String {
        let padded = format!("{:0>width$}", self.digits, width = self.scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.scale);
        let point = if fraction.is_empty() { "" } else { "." };
        self.signed(&format!("{whole}{point}{fraction}"))
    }

    fn fit(&self, target: &DataType) -> Result<ScalarValue> {
        let exact = match target {
            DataType::Decimal32(p, s) => self
                .at(*p, *s)
                .and_then(|d| Some(ScalarValue::Decimal32(Some(d.parse().ok()?), *p, *s))),
            DataType::Decimal64(p, s) => self
                .at(*p, *s)
                .and_then(|d| Some(ScalarValue::Decimal64(Some(d.parse().ok()?), *p, *s))),
            DataType::Decimal128(p, s) => self
                .at(*p, *s)
                .and_then(|d| Some(ScalarValue::Decimal128(Some(d.parse().ok()?), *p, *s))),
            DataType::Decimal256(p, s) => self.at(*p, *s).and_then(|d| {
                Some(ScalarValue::Decimal256(
                    Some(i256::from_string(&d)?),
                    *p,
                    *s,
                ))
            }),
            DataType::Float64 | DataType::Float32 => {
                let value: f64 = self.text().parse().map_err(|_| out_of_range("float8"))?;
                Some(cast(ScalarValue::Float64(Some(value)), target)?)
            }
            DataType::UInt64 if self.scale == 0 => self
                .signed(&self.digits)
                .parse()
                .ok()
                .map(|v| ScalarValue::UInt64(Some(v))),
            target if target.is_integer() && self.scale == 0 => {
                match self.signed(&self.digits).parse() {
                    Ok(value) => cast(ScalarValue::Int64(Some(value)), target).ok(),
                    Err(_) => None,
                }
            }
            _ => None,
        };
        exact.map_or_else(|| self.natural(), Ok)
    }
}

fn cast(scalar: ScalarValue, target: &DataType) -> Result<ScalarValue> {
    scalar.cast_to(target).map_err(|_| out_of_range(target))
}

/// Returns microseconds as a timestamp of `unit`, if it represents them exactly.
fn timestamp(
    micros: i64,
    unit: TimeUnit,
    zone: Option<std::sync::Arc<str>>,
) -> Result<ScalarValue> {
    let exactly = |divisor: i64| (micros % divisor == 0).then_some(micros / divisor);
    Ok(match unit {
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(
            Some(
                micros
                    .checked_mul(1000)
                    .ok_or_else(|| out_of_range("timestamp"))?,
            ),
            zone,
        ),
        TimeUnit::Millisecond if exactly(1000).is_some() => {
            ScalarValue::TimestampMillisecond(exactly(1000), zone)
        }
        TimeUnit::Second if exactly(1_000_000).is_some() => {
            ScalarValue::TimestampSecond(exactly(1_000_000), zone)
        }
        _ => ScalarValue::TimestampMicrosecond(Some(micros), zone),
    })
}

fn shifted(micros: i64, seconds: i32) -> Result<i64> {
    micros
        .checked_add(i64::from(seconds) * 1_000_000)
        .ok_or_else(|| out_of_range("timestamp"))
}

impl Value {
    /// Returns a time of day. `micros`: since midnight, at most a whole day.
    ///
    /// # Errors
    ///
    /// It is the end of the day.
    pub(super) fn time_of_day(micros: i64) -> Result<Self> {
        match micros < DAY_MICROS {
            true => Ok(Value::Time(micros)),
            false => Err(end_of_day()),
        }
    }

    /// Returns a scalar of `target` if that represents the value exactly, else of the value's own
    /// type. Text is parsed as the target type.
    ///
    /// # Errors
    ///
    /// The value is out of the range of its own type, or is text that is not valid for the target
    /// type.
    pub(crate) fn fit(self, target: &DataType, input: Input) -> Result<ScalarValue> {
        let target = unwrapped(target);
        Ok(match (self, target) {
            (Value::Bool(value), _) => ScalarValue::Boolean(Some(value)),
            (Value::Int(value), t) if t.is_integer() || t.is_floating() => {
                cast(ScalarValue::Int64(Some(value)), t)?
            }
            (Value::Int(value), t) if t.is_decimal() => {
                Numeric::new(value < 0, &value.unsigned_abs().to_string(), 0)?.fit(t)?
            }
            (Value::Int(value), _) => ScalarValue::Int64(Some(value)),
            (Value::Numeric(value), _) => value.fit(target)?,
            (Value::Float32(value), DataType::Float64) => {
                ScalarValue::Float64(Some(f64::from(value)))
            }
            (Value::Float32(value), _) => ScalarValue::Float32(Some(value)),
            (Value::Float64(value), DataType::Float32)
                if f64::from(value as f32).to_bits() == value.to_bits() =>
            {
                ScalarValue::Float32(Some(value as f32))
            }
            (Value::Float64(value), _) => ScalarValue::Float64(Some(value)),
            (Value::Text(value), DataType::LargeUtf8) => ScalarValue::LargeUtf8(Some(value)),
            (Value::Text(value), DataType::Utf8View) => ScalarValue::Utf8View(Some(value)),
            (Value::Text(value), DataType::Utf8 | DataType::Null) => ScalarValue::Utf8(Some(value)),
            (Value::Text(value), _) => Self::from_text(&value, target, input)?,
            (Value::Bytes(value), DataType::LargeBinary) => ScalarValue::LargeBinary(Some(value)),
            (Value::Bytes(value), DataType::BinaryView) => ScalarValue::BinaryView(Some(value)),
            (Value::Bytes(value), DataType::FixedSizeBinary(size))
                if usize::try_from(*size) == Ok(value.len()) =>
            {
                ScalarValue::FixedSizeBinary(*size, Some(value))
            }
            (Value::Bytes(value), _) => ScalarValue::Binary(Some(value)),
            (Value::Date(days), DataType::Date64) => {
                ScalarValue::Date64(Some(i64::from(days) * 86_400_000))
            }
            (Value::Date(days), DataType::Timestamp(unit, None)) => {
                let micros = i64::from(days).checked_mul(DAY_MICROS);
                timestamp(
                    micros.ok_or_else(|| out_of_range("timestamp"))?,
                    *unit,
                    None,
                )?
            }
            (Value::Date(days), _) => ScalarValue::Date32(Some(days)),
            (Value::Time(micros), DataType::Time64(TimeUnit::Nanosecond)) => {
                ScalarValue::Time64Nanosecond(Some(micros * 1000))
            }
            (Value::Time(micros), _) => ScalarValue::Time64Microsecond(Some(micros)),
            (Value::Timestamp(micros), DataType::Timestamp(unit, Some(of))) => {
                let utc = shifted(micros, -input.zone.offset_at_local(micros))?;
                timestamp(utc, *unit, Some(of.clone()))?
            }
            (Value::Timestamp(micros), DataType::Timestamp(unit, None)) => {
                timestamp(micros, *unit, None)?
            }
            (Value::Timestamp(micros), _) => ScalarValue::TimestampMicrosecond(Some(micros), None),
            (Value::Instant(micros), DataType::Timestamp(unit, Some(of))) => {
                timestamp(micros, *unit, Some(of.clone()))?
            }
            (Value::Instant(micros), DataType::Timestamp(unit, None)) => {
                timestamp(shifted(micros, input.zone.offset_at(micros))?, *unit, None)?
            }
            (Value::Instant(micros), _) => {
                ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into()))
            }
            (
                Value::Interval {
                    months,
                    days,
                    micros,
                },
                _,
            ) => {
                let nanoseconds = micros
                    .checked_mul(1000)
                    .ok_or_else(|| out_of_range("interval"))?;
                ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano {
                    months,
                    days,
                    nanoseconds,
                }))
            }
            (Value::Array { element, values }, _) => Self::list(element, values, target, input)?,
        })
    }

    /// Parses text that was declared as text, or not declared, for a parameter of another type.
    fn from_text(value: &str, target: &DataType, input: Input) -> Result<ScalarValue> {
        let wanted = types::of_data_type(target).oid;
        match text::read(wanted, value, input)? {
            // JSON, and other types that are text on the wire only.
            Value::Text(value) => ScalarValue::Utf8(Some(value.clone()))
                .cast_to(target)
                .map_err(|_| invalid(wanted, &value)),
            other => other.fit(target, input),
        }
    }

    fn list(
        element: u32,
        values: Vec<Option<Value>>,
        target: &DataType,
        input: Input,
    ) -> Result<ScalarValue> {
        let inner = match target {
            DataType::List(f)
            | DataType::LargeList(f)
            | DataType::FixedSizeList(f, _)
            | DataType::ListView(f)
            | DataType::LargeListView(f) => f.data_type().clone(),
            _ => arrow_of(element).unwrap_or(DataType::Utf8),
        };
        let mut scalars = Vec::with_capacity(values.len());
        for value in values {
            let scalar = match value {
                Some(value) => value.fit(&inner, input)?,
                None => {
                    ScalarValue::try_new_null(&inner).map_err(|_| invalid(oid::TEXT, "NULL"))?
                }
            };
            scalars.push(scalar);
        }
        // An array has one type: an element that did not fit exactly determines it for all.
        let odd = scalars
            .iter()
            .map(ScalarValue::data_type)
            .find(|t| *t != inner);
        let inner = match odd {
            Some(other) => {
                for scalar in &mut scalars {
                    *scalar = cast(scalar.clone(), &other)?;
                }
                other
            }
            None => inner,
        };
        let list = ScalarValue::List(ScalarValue::new_list_nullable(&scalars, &inner));
        match target {
            DataType::List(field) if *field.data_type() == inner && field.name() == "item" => {
                Ok(list)
            }
            DataType::List(field) | DataType::LargeList(field) if *field.data_type() == inner => {
                cast(list, target)
            }
            _ => Ok(list),
        }
    }
}
