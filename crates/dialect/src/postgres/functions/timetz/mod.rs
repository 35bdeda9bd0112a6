//! `time with time zone`, of which the engine has no type. Its values are texts in PostgreSQL's form,
//! such as `12:00:00+02`, in fields that are marked with the type.
//!
//! ```text
//! rule.rs      comparisons other than operators, CASE, extract, AT TIME ZONE, refusals
//! planner.rs   operators: comparisons, + and - of intervals
//! ```
//!
//! Texts do not compare as times do: comparisons, `ORDER BY`, groups and joins compare their keys.

mod planner;
mod rule;

use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano};
use chrono::Utc;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use lakegate_engine::time::{Clock, NoZonedTime, ZonedTime, interval_of_text};
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_engine::{as_written, bounded};
use lakegate_error::{Code, Error};

pub(in crate::postgres) use self::planner::planner;
use self::rule::are_timetz;
pub(in crate::postgres::functions) use self::rule::results_of;
pub(crate) use self::rule::rule;
use super::extract::{no_unit, unit_of};
use crate::postgres::Cell;
use crate::postgres::cell::{PG_TYPE, cells_of, hinted_field};
use crate::postgres::function::{column_of, each_row, of_any};

/// The mark of a field, and the type's name in messages.
const TIMETZ: &str = "timetz";
const NAME: &str = "time with time zone";

/// What offsets from UTC are less than, in seconds.
const MAX_OFFSET: i32 = 16 * 3600;

/// Functions whose arguments have the type of the result.
const OF_ONE_TYPE: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

/// The function that reads a value: `$timetz_in(text)`, or `$timetz_in(text, digits)`.
pub(in crate::postgres) const TIMETZ_IN: &str = "$timetz_in";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    In,
    /// What a value is compared by.
    Key,
    /// The keys of the items of an array.
    Keys,
    Greatest,
    Least,
    /// A time and an interval.
    Plus,
    Minus,
    /// A zone and a time: `AT TIME ZONE`.
    At,
    /// A unit and a time: `extract`.
    Part,
}

const ALL: [Kind; 9] = [
    Kind::In,
    Kind::Key,
    Kind::Keys,
    Kind::Greatest,
    Kind::Least,
    Kind::Plus,
    Kind::Minus,
    Kind::At,
    Kind::Part,
];

/// Made once: a session's functions are registered for each statement.
static FUNCTIONS: LazyLock<Vec<(Kind, Arc<ScalarUDF>)>> = LazyLock::new(|| {
    let made = ALL.into_iter().map(|kind| {
        let function = ScalarUDF::new_from_impl(TimetzFunction::new(kind));
        (kind, Arc::new(function))
    });
    made.collect()
});

/// Returns all of them.
pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    FUNCTIONS.iter().map(|(_, function)| Arc::clone(function))
}

/// Returns a call of a function.
fn call(kind: Kind, args: Vec<Expr>) -> Expr {
    let mut all = FUNCTIONS.iter();
    match all.find(|(known, _)| *known == kind) {
        Some((_, function)) => function.call(args),
        None => ScalarUDF::new_from_impl(TimetzFunction::new(kind)).call(args),
    }
}

/// Returns the function whose results compare as the values of a field do, if it is of the type.
pub(crate) fn key_of(field: &Field) -> Option<Arc<ScalarUDF>> {
    if !is_timetz(field) {
        return None;
    }
    let mut all = FUNCTIONS.iter();
    let (_, function) = all.find(|(kind, _)| *kind == Kind::Key)?;
    Some(Arc::clone(function))
}

/// Returns whether a field is of the type. Casts of it to other types may have its mark.
fn is_timetz(field: &Field) -> bool {
    let shown = field.metadata().get(PG_TYPE);
    shown.is_some_and(|name| name == TIMETZ) && field.data_type().is_string()
}

/// Returns whether an expression is of the type.
fn is_of_timetz(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        // Operators of the engine return other types; a chain of them can be long.
        Expr::BinaryExpr(_) | Expr::Literal(..) => false,
        // The engine takes over the mark of the operand.
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => is_timetz(field),
        // The rule, which gives these their type, runs after operators are planned.
        Expr::Case(case) => are_timetz(results_of(case), schema),
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            are_timetz(&call.args, schema)
        }
        _ => expr
            .to_field(schema)
            .is_ok_and(|(_, field)| is_timetz(&field)),
    }
}

/// Returns the keys of values that are compared by an operator; `None` if none is of the type.
///
/// # Errors
///
/// One of them is of a type that does not compare with it.
fn keys<'e>(
    values: impl IntoIterator<Item = &'e Expr>,
    symbol: &str,
    schema: &DFSchema,
) -> Result<Option<std::vec::IntoIter<Expr>>> {
    let values: Vec<&Expr> = values.into_iter().collect();
    if !values.iter().any(|value| is_of_timetz(value, schema)) {
        return Ok(None);
    }
    let mut keys = Vec::with_capacity(values.len());
    for value in values {
        let value = written(value);
        if !is_of_timetz(value, schema) && !becomes_timetz(value, schema) {
            return Err(no_operator(symbol, value, schema).into());
        }
        keys.push(call(Kind::Key, vec![value.clone()]));
    }
    Ok(Some(keys.into_iter()))
}

/// Returns a literal instead of a call that gives it the type of a value beside it.
fn written(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == TYPED_TEXT => {
            call.args.first().unwrap_or(expr)
        }
        _ => expr,
    }
}

/// Returns whether a value takes the type of a time with a zone beside it: literals, parameters and
/// NULL, and times of day, which have the session's zone then.
fn becomes_timetz(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::Literal(value, _) if value.is_null() || value.try_as_str().is_some() => true,
        Expr::Placeholder(_) => true,
        _ => expr
            .get_type(schema)
            .is_ok_and(|of| matches!(of, DataType::Time32(_) | DataType::Time64(_))),
    }
}

fn no_operator(symbol: &str, other: &Expr, schema: &DFSchema) -> Error {
    let name = match other.get_type(schema) {
        Ok(of) if of.is_string() => "text",
        Ok(DataType::Timestamp(_, None)) => "timestamp without time zone",
        Ok(DataType::Timestamp(_, Some(_))) => "timestamp with time zone",
        Ok(DataType::Date32) => "date",
        Ok(DataType::Interval(_)) => "interval",
        _ => "another type",
    };
    Error::new(
        Code::FunctionNotFound,
        format!("operator does not exist: {NAME} {symbol} {name}"),
    )
    .with_hint("cast the other value: x::timetz")
}

/// One of the functions, evaluated row by row.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TimetzFunction {
    kind: Kind,
    signature: Signature,
}

impl TimetzFunction {
    fn new(kind: Kind) -> Self {
        // Texts without a zone have that of the session on the day of the query.
        let volatility = Volatility::Stable;
        let signature = match kind {
            Kind::In => of_any(1..=2, volatility),
            Kind::Key | Kind::Keys => Signature::any(1, volatility),
            Kind::Greatest | Kind::Least => Signature::variadic_any(volatility),
            Kind::Plus | Kind::Minus | Kind::At | Kind::Part => Signature::any(2, volatility),
        };
        Self { kind, signature }
    }

    fn cells(&self, array: ArrayRef) -> Result<Vec<Cell<'static>>> {
        match self.kind {
            Kind::Keys => cells_of(&array),
            _ => cells_of(&as_written(array)?),
        }
    }
}

impl ScalarUDFImpl for TimetzFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::In => TIMETZ_IN,
            Kind::Key => "$timetz_key",
            Kind::Keys => "$timetz_keys",
            Kind::Greatest => "$timetz_greatest",
            Kind::Least => "$timetz_least",
            Kind::Plus => "$timetz_plus",
            Kind::Minus => "$timetz_minus",
            Kind::At => "$timetz_at",
            Kind::Part => "$timetz_part",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::Key => DataType::Int64,
            Kind::Keys => DataType::new_list(DataType::Int64, true),
            Kind::Part => DataType::Float64,
            _ => DataType::Utf8,
        })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = self.return_type(&[])?;
        Ok(Arc::new(match data_type {
            DataType::Utf8 => hinted_field(self.name(), data_type, TIMETZ),
            data_type => Field::new(self.name(), data_type, true),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut values = args.args.iter();
        let constant = values.all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        // Each row copies each argument.
        bounded::check_arguments(self.name(), &args.args, rows)?;
        let zone = args.config_options.execution.time_zone.as_deref();
        let job = Job {
            clock: Clock::of_type(zone)?,
            now: Utc::now().timestamp_micros(),
            has_interval: args
                .arg_fields
                .first()
                .is_some_and(|field| matches!(field.data_type(), DataType::Interval(_))),
        };
        let columns = args.args.into_iter().map(|arg| match arg {
            ColumnarValue::Array(array) => self.cells(array),
            ColumnarValue::Scalar(scalar) => {
                let cell = self.cells(scalar.to_array()?)?.pop().unwrap_or(Cell::Null);
                Ok(vec![cell; rows])
            }
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let is_strict = !matches!(self.kind, Kind::Greatest | Kind::Least);
        let results = each_row(&columns, rows, |arguments| {
            match is_strict && arguments.iter().any(Cell::is_null) {
                true => Ok(Cell::Null),
                false => Ok(job.answer(self.kind, arguments)?),
            }
        })?;
        column_of(&self.return_type(&[])?, results, constant)
    }
}

/// A call of a function.
#[derive(Debug, Clone, Copy)]
struct Job {
    /// The session's.
    clock: Clock,
    /// Microseconds since 1970.
    now: i64,
    /// Whether the first argument is an interval.
    has_interval: bool,
}

impl Job {
    /// Returns the result for a row. A NULL is among the arguments only if the function is called for
    /// it.
    fn answer(self, kind: Kind, args: &[Cell<'static>]) -> Result<Cell<'static>, Error> {
        let shown = |time: ZonedTime| Cell::text(time.to_string());
        Ok(match (kind, args) {
            (Kind::In, [text]) => shown(self.read(text)?),
            (Kind::In, [text, digits]) => {
                let digits = digits.as_int().and_then(|digits| u8::try_from(digits).ok());
                shown(self.read(text)?.rounded(digits.unwrap_or(u8::MAX)))
            }
            (Kind::Key, [text]) => Cell::Int(self.read(text)?.key()),
            (Kind::Keys, [Cell::List(items)]) => {
                let keys = items.iter().map(|item| match item {
                    Cell::Null => Ok(Cell::Null),
                    item => self.read(item).map(|time| Cell::Int(time.key())),
                });
                Cell::List(keys.collect::<Result<_, Error>>()?)
            }
            (Kind::Greatest | Kind::Least, values) => {
                let present = values.iter().filter(|value| !value.is_null());
                let times = present.map(|value| self.read(value));
                let times = times.collect::<Result<Vec<_>, Error>>()?;
                let best = match kind {
                    Kind::Greatest => times.into_iter().max_by_key(|time| time.key()),
                    _ => times.into_iter().min_by_key(|time| time.key()),
                };
                best.map_or(Cell::Null, shown)
            }
            (Kind::Plus, [time, by]) => shown(self.read(time)?.later(interval(by)?, 1)),
            (Kind::Minus, [time, by]) => shown(self.read(time)?.later(interval(by)?, -1)),
            (Kind::At, [zone, time]) => {
                let offset = self.offset_of(zone)?;
                shown(self.read(time)?.at_offset(offset))
            }
            (Kind::Part, [unit, time]) => {
                let unit = unit_of(&unit.to_text().unwrap_or_default());
                let found = self.read(time)?.field(&unit);
                Cell::Float(found.ok_or_else(|| no_unit(&unit, NAME))?)
            }
            _ => Cell::Null,
        })
    }

    fn read(self, text: &Cell<'static>) -> Result<ZonedTime, Error> {
        let text = text.to_text().unwrap_or_default();
        ZonedTime::read(&text, self.clock, self.now).map_err(|fault| {
            let shown: String = text.chars().take(100).collect();
            match fault {
                NoZonedTime::Range => Error::new(
                    Code::DatetimeOutOfRange,
                    format!("date/time field value out of range: \"{shown}\""),
                ),
                NoZonedTime::Syntax => Error::new(
                    Code::InvalidDatetime,
                    format!("invalid input syntax for type {NAME}: \"{shown}\""),
                )
                .with_hint("write it as '12:34:56+02'"),
            }
        })
    }

    /// Returns the seconds east of UTC of a zone, which is a name or an interval: those of today.
    fn offset_of(self, zone: &Cell<'static>) -> Result<i32, Error> {
        if !self.has_interval {
            let zone = zone.to_text().unwrap_or_default();
            return Ok(Clock::by_name(&zone)?.offset_at(self.now));
        }
        let by = interval(zone)?;
        let seconds = i32::try_from(by.nanoseconds / 1_000_000_000).ok();
        seconds
            .filter(|seconds| (by.months, by.days) == (0, 0) && seconds.abs() < MAX_OFFSET)
            .ok_or_else(|| {
                Error::new(
                    Code::InvalidParameter,
                    "the interval of a time zone may only have hours, minutes and seconds, fewer than 16 hours",
                )
            })
    }
}

fn interval(text: &Cell<'static>) -> Result<IntervalMonthDayNano, Error> {
    let text = text.to_text().unwrap_or_default();
    interval_of_text(&text).ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        Error::new(
            Code::InvalidDatetime,
            format!("invalid input syntax for type interval: \"{shown}\""),
        )
    })
}
