//! `date_part` of times, and Trino's `EXTRACT`, by the clock of their zone, with units that DataFusion
//! does not know, such as `century`, `timezone_hour` and `julian`. Seconds and milliseconds include
//! their fraction, and the year before 1 is -1, as in PostgreSQL. DataFusion's is NULL after the year
//! 262142.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, Float64Array, Int32Array, PrimitiveArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions::datetime::date_part;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use lakegate_error::Error;

use super::SECOND;
use super::calendar::{DAY, date_of, days_of, iso_week, split, weekday};
use super::clock::Clock;
use super::input::out_of_range;
use super::units::Unit;
use super::zones::is_utc;
use crate::plans::expressions;

/// The Julian day of 1970-01-01.
pub(super) const JULIAN: i64 = 2_440_588;

/// Replaces a call that is evaluated here; `None` for DataFusion's own.
pub(super) fn of_time(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let [Expr::Literal(name, _), time] = call.args.as_slice() else {
        return None;
    };
    if call.func.name() != "date_part" || call.func.inner().is::<FieldOfTime>() {
        return None;
    }
    let field = FieldName::named(name.try_as_str().flatten()?)?;
    let is_replaced = match time.get_type(schema).ok()? {
        DataType::Timestamp(TimeUnit::Microsecond, None) | DataType::Date32 => !field.is_of_zone(),
        DataType::Timestamp(_, zone) => zone.is_some(),
        // DataFusion drops the fraction.
        DataType::Time32(_) | DataType::Time64(_) => field.is_of_second(),
        _ => false,
    };
    if !is_replaced {
        return None;
    }
    let function = FieldOfTime {
        field,
        signature: Signature::any(2, Volatility::Immutable),
    };
    Some(expressions::call(function, call.args.clone()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum FieldName {
    Of(Unit),
    Epoch,
    WeekdayFromSunday,
    WeekdayFromMonday,
    DayOfYear,
    IsoYear,
    Julian,
    OffsetSeconds,
    OffsetHours,
    OffsetMinutes,
}

impl FieldName {
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(unit) = Unit::named(name) {
            return Some(Self::Of(unit));
        }
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "epoch" => Self::Epoch,
            "dow" => Self::WeekdayFromSunday,
            "isodow" => Self::WeekdayFromMonday,
            "doy" => Self::DayOfYear,
            "isoyear" => Self::IsoYear,
            "julian" => Self::Julian,
            "timezone" => Self::OffsetSeconds,
            "timezone_hour" | "timezone_h" => Self::OffsetHours,
            "timezone_minute" | "timezone_m" => Self::OffsetMinutes,
            _ => return None,
        })
    }

    fn is_of_zone(self) -> bool {
        matches!(
            self,
            Self::OffsetSeconds | Self::OffsetHours | Self::OffsetMinutes
        )
    }

    fn is_of_second(self) -> bool {
        matches!(self, Self::Of(Unit::Second | Unit::Millisecond))
    }

    fn has_fraction(self) -> bool {
        matches!(
            self,
            Self::Epoch | Self::Julian | Self::Of(Unit::Second | Unit::Millisecond)
        )
    }

    /// Returns the field of an instant. `shown` is what the clock shows at it.
    pub(super) fn value(self, instant: i64, shown: i64) -> f64 {
        let offset = (shown - instant) / SECOND;
        match self {
            Self::Epoch => instant as f64 / SECOND as f64,
            Self::OffsetSeconds => offset as f64,
            Self::OffsetHours => (offset / 3600) as f64,
            Self::OffsetMinutes => (offset / 60 % 60) as f64,
            field => {
                let (day, time) = split(shown);
                field.at(day, time)
            }
        }
    }

    /// Returns the field of a day since 1970-01-01 and a time of day in microseconds, in UTC.
    pub(super) fn at(self, day: i64, time: i64) -> f64 {
        let (year, month, date) = date_of(day);
        let of_minute = time % (60 * SECOND);
        // The year before 1 is -1.
        let counted = |year: i64| if year > 0 { year } else { year - 1 };
        let whole = match self {
            Self::Epoch => return day as f64 * 86_400.0 + time as f64 / SECOND as f64,
            Self::Julian => return (JULIAN + day) as f64 + time as f64 / DAY as f64,
            Self::Of(Unit::Second) => return of_minute as f64 / SECOND as f64,
            Self::Of(Unit::Millisecond) => return of_minute as f64 / 1000.0,
            Self::Of(Unit::Microsecond) => of_minute,
            Self::Of(Unit::Minute) => time / (60 * SECOND) % 60,
            Self::Of(Unit::Hour) => time / (3600 * SECOND),
            Self::Of(Unit::Day) => date,
            Self::Of(Unit::Week) => iso_week(day).1,
            Self::Of(Unit::Month) => month,
            Self::Of(Unit::Quarter) => (month - 1) / 3 + 1,
            Self::Of(Unit::Year) => counted(year),
            Self::Of(Unit::Decade) => year.div_euclid(10),
            Self::Of(Unit::Century) => century(year, 100),
            Self::Of(Unit::Millennium) => century(year, 1000),
            Self::WeekdayFromSunday => (weekday(day) + 1) % 7,
            Self::WeekdayFromMonday => weekday(day) + 1,
            Self::DayOfYear => day - days_of(year, 1, 1) + 1,
            Self::IsoYear => counted(iso_week(day).0),
            Self::OffsetSeconds | Self::OffsetHours | Self::OffsetMinutes => 0,
        };
        whole as f64
    }
}

/// Returns the century or the millennium of a year. They count from the year 1; the one before ends
/// with the year 1 BC.
fn century(year: i64, length: i64) -> i64 {
    match year > 0 {
        true => (year + length - 1) / length,
        false => -((length - year) / length),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldOfTime {
    field: FieldName,
    signature: Signature,
}

impl ScalarUDFImpl for FieldOfTime {
    fn name(&self) -> &str {
        "date_part"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.field.has_fraction() {
            true => DataType::Float64,
            false => DataType::Int32,
        })
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args
            .arg_fields
            .get(1)
            .is_none_or(|field| field.is_nullable());
        let data_type = self.return_type(&[])?;
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    /// Returns the times of a year, which statistics and partitions are compared with.
    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        context: &SimplifyContext,
    ) -> Result<PreimageResult> {
        match literal {
            Expr::Literal(ScalarValue::Int32(Some(value)), _) => {
                times_of(self.field, args, *value, context)
            }
            _ => Ok(PreimageResult::None),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.get(1), |times| fields(self.field, times))
    }
}

/// Returns the times that have this value of a field, those of a year by UTC. A year before 1 is
/// another one to DataFusion.
///
/// # Errors
///
/// Returns an error if the times have no type.
pub(super) fn times_of(
    field: FieldName,
    args: &[Expr],
    value: i32,
    context: &SimplifyContext,
) -> Result<PreimageResult> {
    let [_, time] = args else {
        return Ok(PreimageResult::None);
    };
    let is_local = match context.get_data_type(time)? {
        DataType::Timestamp(_, Some(zone)) => !is_utc(&zone),
        _ => false,
    };
    match field == FieldName::Of(Unit::Year) && value >= 1 && !is_local {
        true => {
            let year = Expr::Literal(ScalarValue::Int32(Some(value)), None);
            date_part().preimage(args, &year, context)
        }
        false => Ok(PreimageResult::None),
    }
}

fn fields(field: FieldName, times: &ArrayRef) -> Result<ArrayRef> {
    let values: Float64Array = match times.data_type() {
        // Not all dates are timestamps.
        DataType::Date32 => {
            let days = times.as_primitive::<Date32Type>();
            days.unary(|day| field.at(i64::from(day), 0))
        }
        _ => of_instants(field, times)?,
    };
    Ok(match field.has_fraction() {
        true => Arc::new(values),
        false => {
            let whole: Int32Array = values.unary(|value| value as i32);
            Arc::new(whole)
        }
    })
}

fn of_instants(field: FieldName, times: &ArrayRef) -> Result<Float64Array> {
    each_instant(times, |instant, shown| field.value(instant, shown))
}

/// Returns a value for each time, of its microseconds since 1970 and of what the clock of its zone
/// shows then. A time of day is one on the first day.
///
/// # Errors
///
/// Returns an error if a time is out of the range of a clock.
pub(super) fn each_instant<T: ArrowPrimitiveType>(
    times: &ArrayRef,
    of: impl Fn(i64, i64) -> T::Native,
) -> Result<PrimitiveArray<T>> {
    let zone = match times.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let clock = Clock::of_type(zone.as_deref())?;
    let micros = DataType::Timestamp(TimeUnit::Microsecond, zone);
    let times = match times.data_type() {
        DataType::Time32(_) | DataType::Time64(_) => {
            let time = cast(times, &DataType::Time64(TimeUnit::Microsecond))?;
            cast(&cast(&time, &DataType::Int64)?, &micros)?
        }
        _ => cast(times, &micros)?,
    };
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let values = times.try_unary(|instant| {
        let shown = clock.shown(instant).ok_or_else(out_of_range)?;
        Ok::<T::Native, Error>(of(instant, shown))
    })?;
    Ok(values)
}

/// Returns the field of this name of an instant, at which the clock shows `shown`; `None` if there is
/// no such field.
pub(super) fn value_named(name: &str, instant: i64, shown: i64) -> Option<f64> {
    FieldName::named(name).map(|field| field.value(instant, shown))
}

/// Returns the field of this name of a day since 1970-01-01; `None` if there is no such field.
pub(super) fn day_named(name: &str, day: i64) -> Option<f64> {
    FieldName::named(name).map(|field| field.at(day, 0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Date32Array;
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn dates_beyond_all_timestamps_have_fields() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![
            Some(i32::MAX),
            None,
            Some(-735_160),
        ]));
        let years = fields(FieldName::Of(Unit::Year), &days).unwrap();
        let years: Vec<Option<i32>> = years.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(years, [Some(5_881_580), None, Some(-44)]);
    }

    #[test]
    fn years_before_the_first_are_counted_without_a_zero() {
        for (year, decade, centuries, millennia) in [
            (2024, 202, 21, 3),
            (2000, 200, 20, 2),
            (1, 0, 1, 1),
            (0, 0, -1, -1),
            (-99, -10, -1, -1),
            (-100, -10, -2, -1),
            (-1000, -100, -11, -2),
        ] {
            let time = days_of(year, 6, 1) * DAY;
            let value = |unit| FieldName::Of(unit).value(time, time) as i64;
            let counted = if year > 0 { year } else { year - 1 };
            assert_eq!(value(Unit::Year), counted, "{year}");
            assert_eq!(value(Unit::Decade), decade, "{year}");
            assert_eq!(value(Unit::Century), centuries, "{year}");
            assert_eq!(value(Unit::Millennium), millennia, "{year}");
        }
    }
}
