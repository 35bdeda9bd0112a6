//! `date_trunc` of intervals, and of the time between two timestamps, as in PostgreSQL: what is
//! smaller than the unit is cut off, towards zero. DataFusion's takes times only.

use std::sync::Arc;

use arrow::array::{ArrayRef, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::ScalarValue;
use datafusion::common::types::logical_string;
use datafusion::error::Result;
use datafusion::logical_expr::{Coercion, ColumnarValue, TypeSignature, TypeSignatureClass};
use lakegate_error::{Code, Error};

use super::SECOND;
use super::units::Unit;
use super::zoned::{INTERVAL, intervals};
use crate::plans::expressions;

/// Nanoseconds per microsecond.
const MICROSECOND: i64 = 1000;

/// Returns the arguments of such a call.
pub(super) fn signatures() -> [TypeSignature; 2] {
    [TypeSignatureClass::Interval, TypeSignatureClass::Duration].map(|period| {
        TypeSignature::Coercible(vec![
            Coercion::new_exact(TypeSignatureClass::Native(logical_string())),
            Coercion::new_exact(period),
        ])
    })
}

/// Returns whether values of a type are cut off here.
pub(super) fn is_period(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// Cuts off intervals or durations.
///
/// # Errors
///
/// The unit is not a constant, or intervals do not have it.
pub(super) fn date_trunc(unit: &ColumnarValue, periods: &ColumnarValue) -> Result<ColumnarValue> {
    let ColumnarValue::Scalar(unit) = unit else {
        return Err(Error::not_supported("the unit of date_trunc must be a constant").into());
    };
    let Some(name) = unit.try_as_str().flatten() else {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&INTERVAL)?));
    };
    let unit = named(name)?;
    expressions::applied(Some(periods), |values| {
        let values: IntervalMonthDayNanoArray = intervals(values)?.unary(|of| cut(unit, of));
        Ok(Arc::new(values) as ArrayRef)
    })
}

fn named(name: &str) -> Result<Unit, Error> {
    let shown: String = name.to_lowercase().chars().take(100).collect();
    match Unit::named(name) {
        Some(Unit::Week) => {
            let message = format!("unit \"{shown}\" not supported for type interval");
            Err(Error::not_supported(message).with_detail("months usually have fractional weeks"))
        }
        Some(unit) => Ok(unit),
        None => Err(Error::new(
            Code::InvalidParameter,
            format!("unit \"{shown}\" not recognized for type interval"),
        )
        .with_hint("units are microseconds to millennium, such as 'day' and 'month'")),
    }
}

fn cut(unit: Unit, of: IntervalMonthDayNano) -> IntervalMonthDayNano {
    let months = |count: i32| IntervalMonthDayNano::new(of.months / count * count, 0, 0);
    let nanos = |length: i64| {
        let nanos = of.nanoseconds / length * length;
        IntervalMonthDayNano::new(of.months, of.days, nanos)
    };
    match unit {
        Unit::Microsecond => nanos(MICROSECOND),
        Unit::Millisecond => nanos(SECOND / 1000 * MICROSECOND),
        Unit::Second => nanos(SECOND * MICROSECOND),
        Unit::Minute => nanos(60 * SECOND * MICROSECOND),
        Unit::Hour => nanos(3600 * SECOND * MICROSECOND),
        Unit::Day | Unit::Week => IntervalMonthDayNano::new(of.months, of.days, 0),
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn units_are_cut_off_towards_zero() {
        const HOUR: i64 = 3_600_000_000_000;
        let of = IntervalMonthDayNano::new;
        for (unit, given, expected) in [
            ("hour", of(0, 1, HOUR + 5), of(0, 1, HOUR)),
            ("hours", of(14, 1, -HOUR - 5), of(14, 1, -HOUR)),
            ("ms", of(0, 0, 1_999_999), of(0, 0, 1_000_000)),
            ("day", of(14, 40, 30 * HOUR), of(14, 40, 0)),
            ("month", of(14, 40, HOUR), of(14, 0, 0)),
            ("quarter", of(-5, 0, 0), of(-3, 0, 0)),
            ("year", of(-17, 0, 0), of(-12, 0, 0)),
            ("decade", of(-300, 0, 0), of(-240, 0, 0)),
            ("century", of(3003, 0, 0), of(2400, 0, 0)),
            ("millennium", of(30_000, 0, 0), of(24_000, 0, 0)),
        ] {
            assert_eq!(cut(named(unit).unwrap(), given), expected, "{unit}");
        }
        assert_eq!(named("week").unwrap_err().code(), Code::NotSupported);
        assert_eq!(named("x").unwrap_err().code(), Code::InvalidParameter);
    }
}
