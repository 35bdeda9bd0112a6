//! Functions that operators, casts and calls with ranges are planned as.
//!
//! ```text
//! int4range(a, b), int4range(a, b, '[]')      constructors
//! $int4range_contains(r, s)                   and the like, of two ranges
//! $int4range_holds(r, x)                      of a range and a value
//! $int4range_lower(r), $int4range_upper(r)    bounds as texts; NULL if there is none
//! isempty(r), lower_inc(r) and the like       of ranges of any type
//! range_merge(r, s)                           becomes the function of a type when it is analysed
//! ```

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::ScalarUDF;
use lakegate_error::{Code, Error};

use super::conditions;
use super::kind::RangeType;
use super::point::{RangePoint, Reading};
use super::relations;
use super::value::{RangeBound, RangeValue};
use crate::postgres::{Cell, PgFunction};

/// What a function of a type does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres::functions) enum RangeOp {
    /// Makes a range of its bounds.
    Made,
    /// `@>` of two ranges.
    Contains,
    /// `@>` of a range and a value.
    Holds,
    /// `&&`.
    Overlaps,
    /// `<<`.
    Before,
    /// `&<`.
    EndsBy,
    /// `&>`.
    StartsFrom,
    /// `-|-`.
    Adjoins,
    /// `+`.
    Union,
    /// `*`.
    Intersection,
    /// `-`.
    Difference,
    Merged,
    Lower,
    Upper,
}

const OPS: [RangeOp; 14] = [
    RangeOp::Made,
    RangeOp::Contains,
    RangeOp::Holds,
    RangeOp::Overlaps,
    RangeOp::Before,
    RangeOp::EndsBy,
    RangeOp::StartsFrom,
    RangeOp::Adjoins,
    RangeOp::Union,
    RangeOp::Intersection,
    RangeOp::Difference,
    RangeOp::Merged,
    RangeOp::Lower,
    RangeOp::Upper,
];

/// Made once: calls of one function are equal only if they share it.
static FUNCTIONS: LazyLock<Vec<(RangeType, RangeOp, Arc<ScalarUDF>)>> = LazyLock::new(|| {
    let all = RangeType::ALL
        .into_iter()
        .flat_map(|of| OPS.map(|op| (of, op)));
    all.map(|(of, op)| (of, op, made(of, op).into_udf()))
        .collect()
});

static OF_ANY_TYPE: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let all = vec![
        tested("isempty", |text| text == "empty"),
        tested("lower_inc", |text| text.starts_with('[')),
        tested("upper_inc", |text| text.ends_with(']')),
        tested("lower_inf", |text| text.starts_with("(,")),
        tested("upper_inf", |text| text.ends_with(",)")),
        // Calls with a range have become calls of the function of its type.
        PgFunction::new("range_merge", 2..=2, DataType::Utf8, |_| {
            Err(no_function("range_merge(text, text)").into())
        })
        .marked_as_arguments(),
    ];
    all.into_iter().map(PgFunction::into_udf).collect()
});

/// Returns all of them, to be registered.
pub(in crate::postgres::functions) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let of_types = FUNCTIONS.iter().map(|(_, _, function)| function);
    of_types.chain(OF_ANY_TYPE.iter()).map(Arc::clone)
}

/// Returns the function of a type that does something.
pub(in crate::postgres::functions) fn function(of: RangeType, op: RangeOp) -> Arc<ScalarUDF> {
    let mut all = FUNCTIONS.iter();
    match all.find(|(known, does, _)| (*known, *does) == (of, op)) {
        Some((_, _, function)) => Arc::clone(function),
        None => made(of, op).into_udf(),
    }
}

fn no_function(call: &str) -> Error {
    let message = format!("function {call} does not exist");
    Error::new(Code::FunctionNotFound, message).with_hint("cast the argument to a type of ranges")
}

fn text_at(args: &[Cell<'static>], place: usize) -> String {
    args.get(place).and_then(Cell::to_text).unwrap_or_default()
}

/// # Errors
///
/// The argument is not a range of the type.
fn range_at(of: RangeType, args: &[Cell<'static>], place: usize) -> Result<RangeValue, Error> {
    RangeValue::read(of, &text_at(args, place))
}

/// Builds a function of the texts of ranges of any type.
fn tested(name: &'static str, holds: fn(&str) -> bool) -> PgFunction {
    PgFunction::new(name, 1..=1, DataType::Boolean, move |args| {
        let text = text_at(args, 0);
        let is_range =
            text == "empty" || (text.starts_with(['[', '(']) && text.ends_with([']', ')']));
        match is_range {
            true => Ok(Cell::Bool(holds(&text))),
            false => Err(no_function(&format!("{name}(text)")).into()),
        }
    })
    .immutable()
}

/// Builds a function of two ranges that is true or false.
fn related(of: RangeType, name: &str, holds: fn(&RangeValue, &RangeValue) -> bool) -> PgFunction {
    PgFunction::new(name, 2..=2, DataType::Boolean, move |args| {
        let (one, other) = (range_at(of, args, 0)?, range_at(of, args, 1)?);
        Ok(Cell::Bool(holds(&one, &other)))
    })
    .immutable()
}

/// Builds a function of two ranges that makes another one.
fn combined(
    of: RangeType,
    name: &str,
    combine: fn(RangeType, &RangeValue, &RangeValue) -> Result<RangeValue, Error>,
) -> PgFunction {
    let function = PgFunction::in_session(name, 2..=2, DataType::Utf8, move |options, args| {
        let range = combine(of, &range_at(of, args, 0)?, &range_at(of, args, 1)?)?;
        Ok(Cell::text(range.text_with(of, Reading::of(options)?)?))
    });
    function.shown_as(of.name())
}

/// Builds a function that returns a bound of a range as a text.
fn bound_of(of: RangeType, name: &str, is_lower: bool) -> PgFunction {
    PgFunction::in_session(name, 1..=1, DataType::Utf8, move |options, args| {
        let bound = match range_at(of, args, 0)? {
            RangeValue::Empty => None,
            RangeValue::Span { lower, .. } if is_lower => lower,
            RangeValue::Span { upper, .. } => upper,
        };
        Ok(match bound {
            Some(bound) => Cell::text(bound.point.text(of, Reading::of(options)?)?),
            None => Cell::Null,
        })
    })
}

/// Builds the function that makes a range of two bounds, which may be NULL, and of what it includes.
fn constructor(of: RangeType) -> PgFunction {
    let function =
        PgFunction::in_session(of.name(), 2..=3, DataType::Utf8, move |options, args| {
            Ok(Cell::text(constructed(of, options, args)?))
        });
    function.of_texts().called_on_null().shown_as(of.name())
}

/// # Errors
///
/// An argument is not a bound of the type, or the last one does not say what the range includes.
fn constructed(
    of: RangeType,
    options: &ConfigOptions,
    args: &[Cell<'static>],
) -> Result<String, Error> {
    let flags = match args.get(2) {
        Some(flags) => flags.to_text().ok_or_else(|| {
            let message = "range constructor flags argument must not be null";
            Error::new(Code::DataException, message)
        })?,
        None => "[)".to_owned(),
    };
    let (has_lower, has_upper) = match flags.as_str() {
        "[]" => (true, true),
        "[)" => (true, false),
        "(]" => (false, true),
        "()" => (false, false),
        _ => {
            let error = Error::new(Code::SyntaxError, "invalid range bound flags");
            return Err(error.with_hint("Valid values are \"[]\", \"[)\", \"(]\", and \"()\"."));
        }
    };
    let reading = Reading::of(options)?;
    let bound = |place: usize, is_inclusive: bool| match args.get(place).and_then(Cell::to_text) {
        Some(text) => {
            let point = RangePoint::read(of, &text, reading)?;
            Ok::<_, Error>(Some(RangeBound {
                point,
                is_inclusive,
            }))
        }
        None => Ok(None),
    };
    RangeValue::new(of, bound(0, has_lower)?, bound(1, has_upper)?)?.text_with(of, reading)
}

/// Builds the function of a range and a value. Integers of any width are values of ranges of integers.
fn holder(of: RangeType, name: &str) -> PgFunction {
    let of_value = match of {
        RangeType::Int4 => RangeType::Int8,
        of => of,
    };
    PgFunction::new(name, 2..=2, DataType::Boolean, move |args| {
        let value = RangePoint::read(of_value, &text_at(args, 1), Reading::WRITTEN)?;
        Ok(Cell::Bool(relations::holds(
            &range_at(of, args, 0)?,
            &value,
        )))
    })
    .of_texts()
    .immutable()
    .simplified(move |args, schema| conditions::of_constant(of, args, schema))
}

fn made(of: RangeType, op: RangeOp) -> PgFunction {
    let name = |does: &str| format!("${}_{does}", of.name());
    let function = match op {
        RangeOp::Made => constructor(of),
        RangeOp::Contains => related(of, &name("contains"), relations::contains),
        RangeOp::Holds => holder(of, &name("holds")),
        RangeOp::Overlaps => related(of, &name("overlaps"), relations::overlaps),
        RangeOp::Before => related(of, &name("before"), relations::is_before),
        RangeOp::EndsBy => related(of, &name("ends_by"), relations::ends_by),
        RangeOp::StartsFrom => related(of, &name("starts_from"), relations::starts_from),
        RangeOp::Adjoins => related(of, &name("adjoins"), relations::adjoins),
        RangeOp::Union => combined(of, &name("union"), relations::union),
        RangeOp::Intersection => combined(of, &name("intersection"), relations::intersection),
        RangeOp::Difference => combined(of, &name("difference"), relations::difference),
        RangeOp::Merged => combined(of, &name("merged"), relations::merged),
        RangeOp::Lower => bound_of(of, &name("lower"), true),
        RangeOp::Upper => bound_of(of, &name("upper"), false),
    };
    match of.is_of_times() {
        // Settings of the session decide how times are read and written.
        true => function,
        false => function.immutable(),
    }
}
