//! `date_part` and `EXTRACT` of intervals, in milliseconds and microseconds: the engine's own are of an `i32` of nanoseconds where it
//! fits, and of whole seconds where not (`arrow-arith`, `temporal.rs`, 59.3).
//!
//! And of the time between two timestamps, which is a duration to the engine and an interval of days and times
//! of day to PostgreSQL and Athena: `4 days 01:02:03.5` has 1 hour. The engine gives whole durations, in parts that wrap.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, DurationNanosecondType, Field, FieldRef,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};

use super::SECOND;
use crate::engine::expressions;

const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A call that is done here; `None` for the engine's own.
pub(super) fn of_period(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let [part, value] = call.args.as_slice() else {
        return None;
    };
    if call.func.name() != "date_part" || call.func.inner().is::<PartOfPeriod>() {
        return None;
    }
    let Expr::Literal(name, _) = part else {
        return None;
    };
    let part = Part::named(name.try_as_str().flatten()?)?;
    let is_here = match value.get_type(schema).ok()? {
        DataType::Duration(_) => true,
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            matches!(part, Part::Millisecond | Part::Microsecond)
        }
        _ => false,
    };
    if !is_here {
        return None;
    }
    let function = PartOfPeriod {
        part,
        signature: Signature::any(2, Volatility::Immutable),
    };
    Some(expressions::call(function, call.args.clone()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// Those that a duration does not have are 0.
    None,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        Some(match name.as_str() {
            "year" | "years" | "month" | "months" | "quarter" | "qtr" => Self::None,
            "day" | "days" => Self::Day,
            "hour" | "hours" => Self::Hour,
            "minute" | "minutes" => Self::Minute,
            "second" | "seconds" => Self::Second,
            "millisecond" | "milliseconds" => Self::Millisecond,
            "microsecond" | "microseconds" => Self::Microsecond,
            "nanosecond" | "nanoseconds" => Self::Nanosecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }

    /// Of microseconds. Every part but that of days is less than 60,000,000.
    fn of(self, micros: i64) -> i64 {
        match self {
            Self::None => 0,
            Self::Day => micros / DAY,
            Self::Hour => micros % DAY / HOUR,
            Self::Minute => micros % HOUR / MINUTE,
            Self::Second => micros % MINUTE / SECOND,
            Self::Millisecond => micros % MINUTE / 1000,
            Self::Microsecond | Self::Epoch => micros % MINUTE,
            Self::Nanosecond => micros % MINUTE * 1000,
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
        // As of the engine's own.
        Ok(match self.part {
            Part::Epoch => DataType::Float64,
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

fn parts(part: Part, values: &ArrayRef) -> Result<ArrayRef> {
    // The engine's casts to finer units are NULL where they overflow; coarser ones never do.
    let micros: Int64Array = match values.data_type() {
        DataType::Duration(TimeUnit::Nanosecond) => values
            .as_primitive::<DurationNanosecondType>()
            .unary(|nanos| nanos / 1000),
        DataType::Interval(_) => values
            .as_primitive::<IntervalMonthDayNanoType>()
            .unary(|interval| interval.nanoseconds / 1000),
        _ => cast(values, &DataType::Duration(TimeUnit::Microsecond))?
            .as_primitive::<DurationMicrosecondType>()
            .unary(|micros| micros),
    };
    Ok(match part {
        Part::Epoch => {
            let seconds: Float64Array = micros.unary(|micros| micros as f64 / SECOND as f64);
            Arc::new(seconds)
        }
        Part::Nanosecond => {
            let parts: Int64Array = micros.unary(|micros| part.of(micros));
            Arc::new(parts)
        }
        // 106,751,991 days are what 64 bits hold of microseconds.
        _ => {
            let parts: Int32Array =
                micros.unary(|micros| i32::try_from(part.of(micros)).unwrap_or(i32::MAX));
            Arc::new(parts)
        }
    })
}
