//! `date_part` of intervals, and Trino's `EXTRACT`, and of the time between two timestamps. That is a
//! duration in DataFusion, and an interval of days and a time of day in PostgreSQL and Athena:
//! `4 days 01:02:03.5` has 1 hour.
//!
//! For an interval, DataFusion returns nanoseconds as an `i32` if they fit, and whole seconds
//! otherwise (`arrow-arith`, `temporal.rs`, 59.3). It does not know centuries, and counts a year as
//! 360 days. For a duration it returns the whole duration in the unit, and wraps.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use lakegate_error::Error;

use super::SECOND;
use super::units::Unit;
use super::zoned::intervals;
use crate::plans::expressions;

pub(super) const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Replaces a call that is evaluated here; `None` for DataFusion's own.
pub(super) fn of_period(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let [Expr::Literal(name, _), value] = call.args.as_slice() else {
        return None;
    };
    if call.func.name() != "date_part" || call.func.inner().is::<PartOfPeriod>() {
        return None;
    }
    let part = Part::named(name.try_as_str().flatten()?)?;
    let is_period = matches!(
        value.get_type(schema).ok()?,
        DataType::Duration(_) | DataType::Interval(IntervalUnit::MonthDayNano)
    );
    if !is_period {
        return None;
    }
    let function = PartOfPeriod {
        part,
        signature: Signature::any(2, Volatility::Immutable),
    };
    Some(expressions::call(function, call.args.clone()))
}

/// A part by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Of(Unit),
    Nanosecond,
    Epoch,
}

impl Part {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "epoch" => Some(Self::Epoch),
            "nanosecond" | "nanoseconds" => Some(Self::Nanosecond),
            name => Unit::named(name).map(Self::Of),
        }
    }

    fn has_fraction(self) -> bool {
        matches!(
            self,
            Self::Epoch | Self::Of(Unit::Second | Unit::Millisecond)
        )
    }

    pub(super) fn value(self, of: IntervalMonthDayNano) -> f64 {
        let micros = of.nanoseconds / 1000;
        let (years, months) = (of.months / 12, of.months % 12);
        match self {
            // A year has 365.25 days, and a month 30.
            Self::Epoch => {
                let days =
                    f64::from(years) * 365.25 + f64::from(months) * 30.0 + f64::from(of.days);
                let micros = i128::from(micros) + (days * 86_400e6) as i128;
                micros as f64 / 1e6
            }
            Self::Nanosecond => (micros % MINUTE * 1000) as f64,
            Self::Of(unit) => match unit {
                Unit::Microsecond => (micros % MINUTE) as f64,
                Unit::Millisecond => (micros % MINUTE) as f64 / 1e3,
                Unit::Second => (micros % MINUTE) as f64 / 1e6,
                Unit::Minute => (micros % HOUR / MINUTE) as f64,
                Unit::Hour => (micros / HOUR) as f64,
                Unit::Day | Unit::Week => f64::from(of.days),
                Unit::Month => f64::from(months),
                Unit::Quarter => f64::from(months / 3 + 1),
                Unit::Year => f64::from(years),
                Unit::Decade => f64::from(years / 10),
                Unit::Century => f64::from(years / 100),
                Unit::Millennium => f64::from(years / 1000),
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct PartOfPeriod {
    part: Part,
    signature: Signature,
}

impl ScalarUDFImpl for PartOfPeriod {
    fn name(&self) -> &str {
        "date_part"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.part {
            part if part.has_fraction() => DataType::Float64,
            Part::Nanosecond => DataType::Int64,
            _ => DataType::Int32,
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

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.get(1), |values| parts(self.part, values))
    }
}

/// Returns the error for weeks of an interval.
pub(super) fn no_weeks() -> Error {
    Error::not_supported("an interval has no weeks").with_hint("divide its days by 7")
}

fn parts(part: Part, values: &ArrayRef) -> Result<ArrayRef> {
    if part == Part::Of(Unit::Week) {
        return Err(no_weeks().into());
    }
    let intervals = intervals(values)?;
    Ok(match part {
        part if part.has_fraction() => {
            let values: Float64Array = intervals.unary(|of| part.value(of));
            Arc::new(values)
        }
        Part::Nanosecond => {
            let values: Int64Array = intervals.unary(|of| part.value(of) as i64);
            Arc::new(values)
        }
        // 292 years of nanoseconds have fewer hours than 32 bits hold.
        _ => {
            let values: Int32Array = intervals.unary(|of| part.value(of) as i32);
            Arc::new(values)
        }
    })
}

/// Returns the part of this name of an interval; `None` if there is no such part.
pub(super) fn part_named(name: &str, of: IntervalMonthDayNano) -> Option<f64> {
    Part::named(name).map(|part| part.value(of))
}
