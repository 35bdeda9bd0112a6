//! `date_part` of a field that is not a constant, but a parameter or a value of the row. DataFusion needs
//! a constant, because the type of the result depends on it; this is always of double precision.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::clock::Clock;
use super::fields::{day_named, value_named};
use super::input::out_of_range;
use super::parts::part_named;
use super::units::Unit;
use super::zoned::intervals;
use crate::{limits::stop, plans::expressions};

/// The function that a call of `date_part` becomes, of the field and the time.
pub const ASKED_FIELD: &str = "$date_part";

/// Registers [`ASKED_FIELD`].
///
/// # Errors
///
/// Returns an error if the function cannot be registered.
pub(crate) fn register_asked_fields(state: &mut SessionState) -> Result<()> {
    let function = AskedField {
        signature: Signature::any(2, Volatility::Immutable),
    };
    state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    Ok(())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AskedField {
    signature: Signature,
}

impl ScalarUDFImpl for AskedField {
    fn name(&self) -> &str {
        ASKED_FIELD
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let [names, times] = args.args.as_slice() else {
            return Err(Error::internal("date_part without two arguments").into());
        };
        let names = cast(&names.to_array(rows)?, &DataType::Utf8)?;
        let values = fields(names.as_string::<i32>(), &times.to_array(rows)?)?;
        expressions::made(Arc::new(values), constant)
    }
}

/// Returns the field of each time that is named beside it.
fn fields(names: &StringArray, times: &ArrayRef) -> Result<Float64Array> {
    let of_type = times.data_type();
    let unknown = |name: &str| {
        let message = format!(
            "unit \"{name}\" not recognized for type {}",
            type_name(of_type)
        );
        Error::new(Code::InvalidParameter, message)
    };
    match of_type {
        DataType::Null => Ok(Float64Array::new_null(times.len())),
        DataType::Date32 => {
            let days = times.as_primitive::<Date32Type>();
            each(names, times, |name, row| {
                refuse_offset(name, of_type)?;
                day_named(name, i64::from(days.value(row))).ok_or_else(|| unknown(name))
            })
        }
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let instants = cast(times, &micros)?;
            let instants = instants.as_primitive::<TimestampMicrosecondType>();
            let clock = Clock::of_type(zone.as_deref())?;
            each(names, times, |name, row| {
                if zone.is_none() {
                    refuse_offset(name, of_type)?;
                }
                let instant = instants.value(row);
                let shown = clock.shown(instant).ok_or_else(out_of_range)?;
                value_named(name, instant, shown).ok_or_else(|| unknown(name))
            })
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let of_day = cast(times, &DataType::Time64(TimeUnit::Microsecond))?;
            let of_day = of_day.as_primitive::<Time64MicrosecondType>();
            each(names, times, |name, row| {
                let time = of_day.value(row);
                let value = value_named(name, time, time).ok_or_else(|| unknown(name))?;
                match is_of_time(name) {
                    true => Ok(value),
                    false => Err(not_of(name, of_type)),
                }
            })
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            let periods = intervals(times)?;
            each(names, times, |name, row| {
                if Unit::named(name) == Some(Unit::Week) {
                    return Err(not_of(name, of_type));
                }
                part_named(name, periods.value(row)).ok_or_else(|| unknown(name))
            })
        }
        _ => {
            let message = format!(
                "date_part of a field that is no constant takes a date, a time or an interval, not {of_type}"
            );
            Err(Error::not_supported(message)
                .with_hint("write the field: date_part('hour', x)")
                .into())
        }
    }
}

/// Returns a value for each row without a NULL.
fn each(
    names: &StringArray,
    times: &ArrayRef,
    of: impl Fn(&str, usize) -> Result<f64, Error>,
) -> Result<Float64Array> {
    let mut values = Vec::with_capacity(times.len());
    for (row, name) in names.iter().enumerate() {
        stop::check()?;
        values.push(match name {
            Some(name) if times.is_valid(row) => Some(of(name, row)?),
            _ => None,
        });
    }
    Ok(values.into())
}

/// Refuses fields of the zone of a time without one.
///
/// # Errors
///
/// Returns an error if the field is one of them.
fn refuse_offset(name: &str, of_type: &DataType) -> Result<(), Error> {
    match name.trim().to_ascii_lowercase().starts_with("timezone") {
        true => Err(not_of(name, of_type)),
        false => Ok(()),
    }
}

/// Returns whether a time of day has the field.
fn is_of_time(name: &str) -> bool {
    let of_time = matches!(
        Unit::named(name),
        Some(Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond | Unit::Microsecond)
    );
    of_time || name.trim().eq_ignore_ascii_case("epoch")
}

fn not_of(name: &str, of_type: &DataType) -> Error {
    let message = format!(
        "unit \"{name}\" not supported for type {}",
        type_name(of_type)
    );
    Error::new(Code::NotSupported, message)
}

/// Returns PostgreSQL's name of a type of times.
fn type_name(of_type: &DataType) -> &'static str {
    match of_type {
        DataType::Date32 => "date",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        _ => "interval",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{
        Date32Array, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    /// 2024-02-29 12:30:45.5 in UTC.
    const INSTANT: i64 = 1_709_209_845_500_000;

    fn of(names: &[Option<&str>], times: ArrayRef) -> Result<Vec<Option<f64>>> {
        let names = StringArray::from(names.to_vec());
        Ok(fields(&names, &times)?.iter().collect())
    }

    #[test]
    fn each_row_has_a_field_of_its_own() {
        let names = [Some("month"), Some("SECOND"), None, Some("year")];
        let times = vec![Some(INSTANT), Some(INSTANT), Some(INSTANT), None];
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times));
        assert_eq!(
            of(&names, times).unwrap(),
            [Some(2.0), Some(45.5), None, None]
        );
        let days: ArrayRef = Arc::new(Date32Array::from(vec![19_782, 19_782]));
        let names = [Some("doy"), Some("isodow")];
        assert_eq!(of(&names, days).unwrap(), [Some(60.0), Some(4.0)]);
        let times = TimestampMicrosecondArray::from(vec![INSTANT, INSTANT]);
        let zoned: ArrayRef = Arc::new(times.with_timezone("Asia/Kolkata"));
        let names = [Some("hour"), Some("timezone_minute")];
        assert_eq!(of(&names, zoned).unwrap(), [Some(18.0), Some(30.0)]);
        let period = IntervalMonthDayNano::new(14, 3, 0);
        let periods: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![period; 2]));
        let names = [Some("month"), Some("day")];
        assert_eq!(of(&names, periods).unwrap(), [Some(2.0), Some(3.0)]);
        let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![45_296_500_000; 3]));
        let names = [Some("hour"), Some("second"), Some("EPOCH")];
        assert_eq!(
            of(&names, times).unwrap(),
            [Some(12.0), Some(56.5), Some(45_296.5)]
        );
    }

    #[test]
    fn other_fields_are_refused() {
        let time: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![INSTANT]));
        for (name, expected) in [
            ("foo", "unit \"foo\" not recognized"),
            ("timezone", "unit \"timezone\" not supported"),
        ] {
            let error = of(&[Some(name)], Arc::clone(&time)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1]));
        for (name, expected) in [
            ("foo", "unit \"foo\" not recognized for type time without"),
            ("day", "unit \"day\" not supported for type time without"),
            ("timezone", "not supported for type time without"),
        ] {
            let error = of(&[Some(name)], Arc::clone(&times)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
