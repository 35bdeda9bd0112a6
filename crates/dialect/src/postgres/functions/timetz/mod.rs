//! `time with time zone`, of which the engine has no type. Its values are texts in PostgreSQL's form,
//! such as `12:00:00+02`, in fields that are marked with the type. See `keyed` for their comparisons.

use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalMonthDayNano};
use chrono::Utc;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::time::{Clock, NoZonedTime, ZonedTime, interval_of_text};
use lakegate_engine::{as_written, bounded};
use lakegate_error::{Code, Error};

use super::extract::{no_unit, unit_of};
use crate::postgres::Cell;
use crate::postgres::cell::{cells_of, hinted_field};
use crate::postgres::function::{column_of, each_row, of_any};

/// The mark of a field, and the type's name in messages.
const TIMETZ: &str = "timetz";
pub(super) const NAME: &str = "time with time zone";

/// What offsets from UTC are less than, in seconds.
const MAX_OFFSET: i32 = 16 * 3600;

/// The function that reads a value: `$timetz_in(text)`, or `$timetz_in(text, digits)`.
pub(in crate::postgres) const TIMETZ_IN: &str = "$timetz_in";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
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

/// Returns one of them.
pub(super) fn function(kind: Kind) -> Arc<ScalarUDF> {
    let mut all = FUNCTIONS.iter();
    match all.find(|(known, _)| *known == kind) {
        Some((_, function)) => Arc::clone(function),
        None => Arc::new(ScalarUDF::new_from_impl(TimetzFunction::new(kind))),
    }
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
                NoZonedTime::Zone => Error::new(
                    Code::ZoneOutOfRange,
                    format!("time zone displacement out of range: \"{shown}\""),
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
