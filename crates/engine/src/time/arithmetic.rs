//! Arithmetic with dates and intervals in which DataFusion differs from PostgreSQL, or which it
//! lacks.
//!
//! ```text
//! date + INTERVAL '1 hour'   CAST(date AS TIMESTAMP) + INTERVAL '1 hour'
//!                                DataFusion drops the hour
//! date + i                   CAST(date AS TIMESTAMP) + i in PostgreSQL's dialect; in others,
//!                            date + whole_days(i), which is an error if i has hours
//! i * x, x * i, i / x        interval_times(i, x), interval_divided(i, x)
//!                                DataFusion has neither
//! date + (t2 - t1)           CAST(date AS TIMESTAMP) + (t2 - t1)
//!                                DataFusion cannot add these to dates
//! (t2 - t1) * x              CAST(t2 - t1 AS INTERVAL) * x
//! ```
//!
//! Runs while a query is planned, because the result has another type and the expressions above are
//! not coerced yet.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, IntervalMonthDayNanoArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::{Code, Error};

use crate::plans::expressions;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Nanoseconds per day.
const DAY: i64 = 86_400_000_000_000;

/// Depth of operators within an operand that are searched for its type: the left side of one may be
/// a long chain.
const DEPTH: u8 = 8;

/// Plans arithmetic with intervals.
#[derive(Debug)]
pub(crate) struct IntervalArithmetic {
    /// Whether a date and an interval make a timestamp, as in PostgreSQL. In Trino they make a date;
    /// so they do here, unless a constant interval has hours.
    pub makes_timestamps: bool,
}

impl ExprPlanner for IntervalArithmetic {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let (is_date, is_interval, is_number) = (
            |expr: &Expr| kind(expr, schema, DEPTH) == Some(Kind::Date),
            |expr: &Expr| kind(expr, schema, DEPTH) == Some(Kind::Interval),
            |expr: &Expr| kind(expr, schema, DEPTH) == Some(Kind::Number),
        );
        let is_duration = |expr: &Expr| kind(expr, schema, DEPTH) == Some(Kind::Duration);
        let is_timestamp = |expr: &Expr| kind(expr, schema, DEPTH) == Some(Kind::Timestamp);
        let is_time_of_day =
            |expr: &Expr| matches!(expressions::type_of(expr, schema), Ok(DataType::Time64(_)));
        let planned = match &op {
            BinaryOperator::Plus | BinaryOperator::Minus
                if is_duration(&right) && is_date(&left) =>
            {
                binary(as_timestamp(left), operator(&op), right)
            }
            BinaryOperator::Plus if is_duration(&left) && is_date(&right) => {
                binary(left, Operator::Plus, as_timestamp(right))
            }
            BinaryOperator::Plus | BinaryOperator::Minus
                if is_duration(&right) && is_time_of_day(&left) =>
            {
                binary(left, operator(&op), as_interval(right))
            }
            BinaryOperator::Plus | BinaryOperator::Minus
                if self.makes_timestamps && is_timestamp(&left) && is_time_of_day(&right) =>
            {
                binary(left, operator(&op), as_interval(right))
            }
            BinaryOperator::Plus
                if self.makes_timestamps && is_timestamp(&right) && is_time_of_day(&left) =>
            {
                binary(as_interval(left), Operator::Plus, right)
            }
            BinaryOperator::Multiply if is_number(&right) && is_duration(&left) => {
                scaled(Scale::Times, as_interval(left), right)
            }
            BinaryOperator::Multiply if is_duration(&right) && is_number(&left) => {
                scaled(Scale::Times, as_interval(right), left)
            }
            BinaryOperator::Divide if is_number(&right) && is_duration(&left) => {
                scaled(Scale::Divided, as_interval(left), right)
            }
            BinaryOperator::Plus | BinaryOperator::Minus
                if is_interval(&right) && is_date(&left) =>
            {
                let op = operator(&op);
                let (date, interval) = self.date_and_interval(left, right);
                binary(date, op, interval)
            }
            BinaryOperator::Plus if is_date(&right) && is_interval(&left) => {
                let (date, interval) = self.date_and_interval(right, left);
                binary(interval, Operator::Plus, date)
            }
            BinaryOperator::Multiply if is_number(&right) && is_interval(&left) => {
                scaled(Scale::Times, left, right)
            }
            BinaryOperator::Multiply if is_interval(&right) && is_number(&left) => {
                scaled(Scale::Times, right, left)
            }
            BinaryOperator::Divide if is_number(&right) && is_interval(&left) => {
                scaled(Scale::Divided, left, right)
            }
            _ => return Ok(PlannerResult::Original(RawBinaryExpr { op, left, right })),
        };
        Ok(PlannerResult::Planned(planned))
    }
}

impl IntervalArithmetic {
    fn date_and_interval(&self, date: Expr, interval: Expr) -> (Expr, Expr) {
        match self.makes_timestamps {
            true => (as_timestamp(date), interval),
            false => date_and_interval(date, interval),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    Timestamp,
    Interval,
    /// The time between two timestamps.
    Duration,
    Number,
}

/// Returns the kind of an expression; `None` for other kinds, or if it nests too deeply.
fn kind(expr: &Expr, schema: &DFSchema, depth: u8) -> Option<Kind> {
    if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr {
        let depth = depth.checked_sub(1)?;
        let right = kind(right, schema, depth)?;
        let left = kind(left, schema, depth)?;
        return match (left, op, right) {
            // A number counts days.
            (Kind::Date, Operator::Plus | Operator::Minus, Kind::Interval | Kind::Number)
            | (Kind::Interval | Kind::Number, Operator::Plus, Kind::Date) => Some(Kind::Date),
            (Kind::Timestamp, Operator::Minus, Kind::Timestamp | Kind::Date)
            | (Kind::Date, Operator::Minus, Kind::Timestamp) => Some(Kind::Duration),
            (
                Kind::Timestamp | Kind::Date,
                Operator::Plus | Operator::Minus,
                Kind::Interval | Kind::Duration,
            )
            | (Kind::Interval | Kind::Duration, Operator::Plus, Kind::Timestamp | Kind::Date) => {
                Some(Kind::Timestamp)
            }
            (Kind::Interval, Operator::Plus | Operator::Minus, Kind::Duration)
            | (Kind::Duration, Operator::Plus | Operator::Minus, Kind::Interval) => {
                Some(Kind::Interval)
            }
            (left, Operator::Plus | Operator::Minus, right) if left == right => {
                (!matches!(left, Kind::Date | Kind::Timestamp)).then_some(left)
            }
            (Kind::Number, _, Kind::Number) => Some(Kind::Number),
            _ => None,
        };
    }
    match expr.get_type(schema).ok()? {
        DataType::Date32 => Some(Kind::Date),
        DataType::Timestamp(..) => Some(Kind::Timestamp),
        DataType::Interval(_) => Some(Kind::Interval),
        DataType::Duration(_) => Some(Kind::Duration),
        number if number.is_numeric() => Some(Kind::Number),
        _ => None,
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn operator(op: &BinaryOperator) -> Operator {
    match op {
        BinaryOperator::Plus => Operator::Plus,
        _ => Operator::Minus,
    }
}

fn as_timestamp(date: Expr) -> Expr {
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    Expr::Cast(Cast::new(Box::new(date), timestamp))
}

fn as_interval(duration: Expr) -> Expr {
    Expr::Cast(Cast::new(Box::new(duration), INTERVAL))
}

/// Makes a date and an interval addable without losing a part of the interval.
fn date_and_interval(date: Expr, interval: Expr) -> (Expr, Expr) {
    let nanoseconds = match &interval {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(value), _) => {
            value.map_or(0, |value| value.nanoseconds)
        }
        Expr::Negative(inner) => match inner.as_ref() {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), _) => value.nanoseconds,
            _ => return (date, whole_days(interval)),
        },
        _ => return (date, whole_days(interval)),
    };
    match nanoseconds % DAY {
        0 => (date, interval),
        _ => (as_timestamp(date), interval),
    }
}

fn whole_days(interval: Expr) -> Expr {
    let function = WholeDays {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![interval])
}

/// Returns an interval that has no hours, and fails for others.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WholeDays {
    signature: Signature,
}

impl ScalarUDFImpl for WholeDays {
    fn name(&self) -> &str {
        "whole_days"
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
        expressions::applied(args.args.first(), |intervals| {
            let intervals = cast(intervals, &INTERVAL)?;
            let hours = intervals
                .as_primitive::<IntervalMonthDayNanoType>()
                .iter()
                .flatten()
                .any(|value| value.nanoseconds % DAY != 0);
            if hours {
                return Err(Error::new(
                    Code::InvalidParameter,
                    "an interval with hours is added to a date, which has none",
                )
                .with_hint("cast the date: CAST(d AS TIMESTAMP) + …")
                .into());
            }
            Ok(intervals)
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scale {
    Times,
    Divided,
}

impl Scale {
    fn value(self, interval: IntervalMonthDayNano, by: f64) -> Result<IntervalMonthDayNano, Error> {
        let scaled = |value: f64| match self {
            Scale::Times => value * by,
            Scale::Divided => value / by,
        };
        if self == Scale::Divided && by == 0.0 {
            return Err(Error::new(Code::DivisionByZero, "division by zero"));
        }
        // Like PostgreSQL's interval_mul and interval_div: rounded to a microsecond, with months of
        // 30 days.
        let exact = |value: f64| (value * 1e6).round_ties_even() / 1e6;
        let months = scaled(f64::from(interval.months));
        let days = scaled(f64::from(interval.days));
        let days_of_months = exact((months - months.trunc()) * 30.0);
        let mut seconds =
            exact((days - days.trunc() + days_of_months - days_of_months.trunc()) * 86_400.0);
        let mut whole_days = days.trunc() + days_of_months.trunc();
        if seconds.abs() >= 86_400.0 {
            let carried = (seconds / 86_400.0).trunc();
            whole_days += carried;
            seconds -= carried * 86_400.0;
        }
        let micros = scaled(interval.nanoseconds as f64 / 1000.0) + seconds * 1e6;
        let micros = micros.round_ties_even();
        let within = |value: f64, bound: f64| value.abs() < bound;
        // As integers: a double has no place for all nanoseconds of more than 104 days.
        let nanoseconds = match within(micros, 2f64.powi(63)) {
            true => (micros as i64).checked_mul(1000),
            false => None,
        };
        let held = within(months, 2f64.powi(31)) && within(whole_days, 2f64.powi(31));
        match nanoseconds.filter(|_| held) {
            // The others are integers within the bounds.
            Some(nanoseconds) => Ok(IntervalMonthDayNano::new(
                months.trunc() as i32,
                whole_days as i32,
                nanoseconds,
            )),
            None => Err(Error::new(
                Code::DatetimeOutOfRange,
                "interval out of range",
            )),
        }
    }
}

/// Returns a part of an interval, as `interval / number` does.
///
/// # Errors
///
/// The number is 0, or the part is out of range.
pub(crate) fn divided(
    interval: IntervalMonthDayNano,
    by: f64,
) -> Result<IntervalMonthDayNano, Error> {
    Scale::Divided.value(interval, by)
}

/// Returns the interval at a part of the way from `low` to `high`, like PostgreSQL's
/// `interval_lerp`: months, days and microseconds go their ways.
///
/// # Errors
///
/// It is out of range.
pub fn between(
    low: IntervalMonthDayNano,
    high: IntervalMonthDayNano,
    part: f64,
) -> Result<IntervalMonthDayNano, Error> {
    let out_of_range = || Error::new(Code::DatetimeOutOfRange, "interval out of range");
    let way = high.checked_sub(low).ok_or_else(out_of_range)?;
    let way = Scale::Times.value(way, part)?;
    low.checked_add(way).ok_or_else(out_of_range)
}

fn scaled(scale: Scale, interval: Expr, number: Expr) -> Expr {
    let function = Scaled {
        scale,
        signature: Signature::any(2, Volatility::Immutable),
    };
    expressions::call(function, vec![interval, number])
}

/// Multiplies or divides an interval by a number. A fraction of a month or a day goes into the next
/// smaller unit.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Scaled {
    scale: Scale,
    signature: Signature,
}

impl ScalarUDFImpl for Scaled {
    fn name(&self) -> &str {
        match self.scale {
            Scale::Times => "interval_times",
            Scale::Divided => "interval_divided",
        }
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
        let [interval, number] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(
                "an interval is scaled by nothing".to_owned(),
            ));
        };
        let scalar = matches!(
            (interval, number),
            (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_))
        );
        let rows = if scalar { 1 } else { args.number_rows };
        let intervals = cast(&interval.to_array(rows)?, &INTERVAL)?;
        let numbers = cast(&number.to_array(rows)?, &DataType::Float64)?;
        let numbers: &Float64Array = numbers.as_primitive::<Float64Type>();
        let values = intervals
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .zip(numbers)
            .map(|pair| match pair {
                (Some(interval), Some(by)) => self.scale.value(interval, by).map(Some),
                _ => Ok(None),
            })
            .collect::<Result<IntervalMonthDayNanoArray, Error>>()?;
        let values: ArrayRef = Arc::new(values);
        Ok(match scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?),
            false => ColumnarValue::Array(values),
        })
    }
}
