//! PostgreSQL's `extract`, whose values are decimals; those of `date_part` are floating-point
//! numbers.
//!
//! ```text
//! extract(year FROM day)                2024
//! extract(second FROM time)             5.678000
//! extract(epoch FROM time)              1704164645.678000, and 1704153600 of a day
//! extract(julian FROM time)             2460312.12784349537037037037, and 2460312 of a day
//! extract(milliseconds FROM interval)   2500.000
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, new_null_array};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use lakegate_error::Error;

use super::SECOND;
use super::calendar::{DAY, split};
use super::fields::{FieldName, JULIAN, each_instant, times_of};
use super::parts::{MINUTE, Part, no_weeks};
use super::units::Unit;
use super::zoned::intervals;

/// The fractional digits of a Julian day, which are those of most quotients in PostgreSQL.
const JULIAN_DIGITS: i8 = 20;
const JULIAN_UNIT: i128 = 10_i128.pow(20);

fn field_named(unit: &str) -> Option<FieldName> {
    FieldName::named(unit.trim_matches(['\'', '"']))
}

/// Returns the type of a unit's values, for times of a type.
pub fn extracted_type(unit: &str, of: &DataType) -> DataType {
    let is_day = *of == DataType::Date32;
    let (precision, scale) = match field_named(unit) {
        Some(FieldName::Of(Unit::Second)) => (8, 6),
        Some(FieldName::Of(Unit::Millisecond)) => (8, 3),
        Some(FieldName::Epoch) if is_day => (20, 0),
        Some(FieldName::Epoch) => (24, 6),
        Some(FieldName::Julian) if !is_day => (29, JULIAN_DIGITS),
        _ => (10, 0),
    };
    DataType::Decimal128(precision, scale)
}

/// Returns a unit of dates, timestamps, times of day, intervals or durations, as a column of the type
/// [`extracted_type`].
///
/// # Errors
///
/// The type has no such unit, or a time is out of the range of its zone's clock.
pub fn extracted(unit: &str, times: &ArrayRef) -> Result<ArrayRef> {
    let returns = extracted_type(unit, times.data_type());
    let no_unit = || Error::not_supported(format!("there is no unit \"{unit}\" of these values"));
    let values: Decimal128Array = match times.data_type() {
        DataType::Null => return Ok(new_null_array(&returns, times.len())),
        DataType::Duration(_) | DataType::Interval(IntervalUnit::MonthDayNano) => {
            let part = match Part::named(unit.trim_matches(['\'', '"'])) {
                Some(Part::Of(Unit::Week)) => return Err(no_weeks().into()),
                Some(Part::Nanosecond) | None => return Err(no_unit().into()),
                Some(part) => part,
            };
            intervals(times)?.unary(|of| of_interval(part, of))
        }
        DataType::Date32 => {
            let field = field_named(unit).ok_or_else(no_unit)?;
            let days = times.as_primitive::<Date32Type>();
            days.unary(|day| of_day(field, i64::from(day)))
        }
        DataType::Timestamp(..) | DataType::Time32(_) | DataType::Time64(_) => {
            let field = field_named(unit).ok_or_else(no_unit)?;
            each_instant::<Decimal128Type>(times, |instant, shown| {
                of_instant(field, instant, shown)
            })?
        }
        _ => return Err(no_unit().into()),
    };
    Ok(Arc::new(values.with_data_type(returns)))
}

/// Returns the field of a day since 1970-01-01.
fn of_day(field: FieldName, day: i64) -> i128 {
    match field {
        FieldName::Epoch => i128::from(day * (DAY / SECOND)),
        FieldName::Julian => i128::from(JULIAN + day),
        field => field.at(day, 0) as i128,
    }
}

/// Returns the field of an instant in the unit of its last digit. `shown` is what the clock shows at
/// it; both are microseconds since 1970.
fn of_instant(field: FieldName, instant: i64, shown: i64) -> i128 {
    match field {
        FieldName::Epoch => i128::from(instant),
        FieldName::Of(Unit::Second | Unit::Millisecond) => i128::from(shown.rem_euclid(MINUTE)),
        FieldName::Julian => {
            let (day, time) = split(shown);
            let of_day = i128::from(time) * JULIAN_UNIT;
            let length = i128::from(DAY);
            i128::from(JULIAN + day) * JULIAN_UNIT + (of_day + length / 2) / length
        }
        field => field.value(instant, shown) as i128,
    }
}

/// Returns the part of an interval in the unit of its last digit.
fn of_interval(part: Part, of: IntervalMonthDayNano) -> i128 {
    let micros = of.nanoseconds / 1000;
    match part {
        Part::Epoch => {
            let (years, months) = (i128::from(of.months / 12), i128::from(of.months % 12));
            // A year has 365.25 days, and a month 30.
            let quarters = 1461 * years + 120 * months + 4 * i128::from(of.days);
            quarters * i128::from(DAY / 4) + i128::from(micros)
        }
        Part::Of(Unit::Second | Unit::Millisecond) => i128::from(micros % MINUTE),
        part => part.value(of) as i128,
    }
}

/// Returns the times that have a value of a unit: `extract(year FROM x) = 2024` are those from
/// 2024-01-01 to 2024-12-31. Statistics and partitions are compared with them.
///
/// # Errors
///
/// Returns an error if the times have no type.
pub fn times_of_extracted(
    args: &[Expr],
    literal: &Expr,
    context: &SimplifyContext,
) -> Result<PreimageResult> {
    let (
        Some(Expr::Literal(unit, _)),
        Expr::Literal(ScalarValue::Decimal128(Some(value), _, 0), _),
    ) = (args.first(), literal)
    else {
        return Ok(PreimageResult::None);
    };
    let field = unit.try_as_str().flatten().and_then(field_named);
    match (field, i32::try_from(*value)) {
        (Some(field), Ok(value)) => times_of(field, args, value, context),
        _ => Ok(PreimageResult::None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{
        Date32Array, IntervalMonthDayNanoArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    };
    use arrow::util::display::array_value_to_string;

    use super::*;

    /// Returns the values as they are shown.
    fn shown(unit: &str, times: &ArrayRef) -> Vec<String> {
        let values = extracted(unit, times).unwrap();
        assert_eq!(values.data_type(), &extracted_type(unit, times.data_type()));
        (0..values.len())
            .map(|row| array_value_to_string(&values, row).unwrap())
            .collect()
    }

    // PostgreSQL 15, but for the zeros of a Julian day.
    #[test]
    fn timestamps_have_the_digits_of_their_units() {
        let times =
            TimestampMicrosecondArray::from(vec![Some(1_704_164_645_678_000), None, Some(-1)]);
        let times: ArrayRef = Arc::new(times);
        for (unit, first, last) in [
            ("SECOND", "5.678000", "59.999999"),
            ("milliseconds", "5678.000", "59999.999"),
            ("microseconds", "5678000", "59999999"),
            ("epoch", "1704164645.678000", "-0.000001"),
            (
                "julian",
                "2460312.12784349537037037037",
                "2440587.99999999998842592593",
            ),
            ("year", "2024", "1969"),
            ("'isodow'", "2", "3"),
            ("century", "21", "20"),
        ] {
            assert_eq!(shown(unit, &times), [first, "", last], "{unit}");
        }
    }

    #[test]
    fn zones_move_all_but_the_epoch() {
        let times = TimestampMicrosecondArray::from(vec![0]).with_timezone("+05:30");
        let times: ArrayRef = Arc::new(times);
        for (unit, expected) in [
            ("hour", "5"),
            ("epoch", "0.000000"),
            ("timezone", "19800"),
            ("timezone_minute", "30"),
            ("julian", "2440588.22916666666666666667"),
        ] {
            assert_eq!(shown(unit, &times), [expected], "{unit}");
        }
    }

    #[test]
    fn days_have_whole_values() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![19_724, i32::MAX, -735_160]));
        for (unit, expected) in [
            ("epoch", ["1704153600", "185542587100800", "-63517824000"]),
            ("julian", ["2460312", "2149924235", "1705428"]),
            ("year", ["2024", "5881580", "-44"]),
        ] {
            assert_eq!(shown(unit, &days), expected, "{unit}");
        }
    }

    #[test]
    fn times_of_day_and_intervals_have_them_too() {
        let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![11_045_678_000]));
        assert_eq!(shown("epoch", &times), ["11045.678000"]);
        assert_eq!(shown("second", &times), ["5.678000"]);
        assert_eq!(shown("hour", &times), ["3"]);
        let interval = IntervalMonthDayNano::new(-25, 3, 93_784_500_000_000);
        let intervals: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![interval]));
        for (unit, expected) in [
            ("year", "-2"),
            ("month", "-1"),
            ("day", "3"),
            ("hour", "26"),
            ("second", "4.500000"),
            ("ms", "4500.000"),
            ("epoch", "-65354215.500000"),
        ] {
            assert_eq!(shown(unit, &intervals), [expected], "{unit}");
        }
        assert!(extracted("week", &intervals).is_err());
        assert!(extracted("dow", &intervals).is_err());
    }
}
