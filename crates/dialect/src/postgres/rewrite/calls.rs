//! Functions and operators of PostgreSQL that the engine has under another name, or that are made
//! of others. In Trino's dialects, the names have other meanings or none.
//!
//! ```text
//! ceiling(x), |/ x, ||/ x, @ x      ceil(x), sqrt((x)::double precision), cbrt(x), abs(x)
//! ~x                                (x) # -1::smallint
//! div(x, y)                         (((x) - (x) % (y)) / (y))::numeric(38,0)
//! width_bucket(x, a, b, n)          $width_bucket(x, a, b, n)::integer
//! width_bucket(x, bounds)           $threshold_bucket(x, bounds)::integer
//! round(1.005, 2), sqrt(2.0)        round('1.005'::numeric(4,3), 2), sqrt('2.0'::numeric(2,1))
//! bit_count(bytes)                  $bit_count(bytes)
//! scale(x)                          char_length(split_part(x::text, '.', 2))
//! date_part('day', x)               date_part('day', x)::double precision
//! date_part($1, x)                  $date_part($1, x)
//! date_trunc('day', x, zone)        $date_trunc_at('day', x::timestamptz, zone)
//! to_number(x, '9.99')              to_number(x, '9.99')::numeric(38,2)
//! float8(x), text(x)                (x)::double precision, (x)::text
//! timestamptz(x), jsonb(x)          x::timestamptz, x::jsonb
//! pg_table_size('t')                pg_table_size('t'::regclass)
//! numrange(1.50, x)                 numrange('1.50', x)
//! pg_lsn(x)                         $pg_lsn_in((x)::text)
//! is_normalized(x, 'NFD')           ((x) = normalize(x, 'NFD'))
//! bit_length(x)                     $bit_length(x)
//! length(x, 'LATIN1')               char_length(convert_from(x, 'LATIN1'))
//! convert(x, 'LATIN1', 'UTF8')      convert_to(convert_from(x, 'LATIN1'), 'UTF8')
//! encode('\x01', 'hex')             encode('\x01'::bytea, 'hex')
//! generate_series(a, b, '1 day')    generate_series(a, b, INTERVAL '1 day')
//! generate_series(0, 1, 0.1)        generate_series(0, 1, '0.1'::numeric(1,1))
//! x LIKE ANY (ARRAY[p, q])          (x LIKE p) OR (x LIKE q)
//! x @> '{a,b}'                      x @> ARRAY['a', 'b']
//! array_fill(x, ARRAY[3, 2])        array_fill(array_fill(x, ARRAY[2]), ARRAY[3])
//! ```
//!
//! `arithmetic.rs`, `arrays.rs`, `texts.rs` and `objects.rs` have the functions of a subject,
//! `patterns.rs` LIKE with several patterns, `literals.rs` the types of literals beside operands,
//! `type_names.rs` types that are called.

mod arithmetic;
mod arrays;
mod literals;
mod objects;
mod patterns;
mod texts;
mod type_names;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, TimezoneInfo, UnaryOperator, Value,
};
use lakegate_engine::time::{ASKED_FIELD, DATE_TRUNC_AT, interval_in_words};
use lakegate_error::Error;

pub(super) use self::literals::{is_interval, type_arrays, type_literals, typed};
pub(super) use self::patterns::patterns;
use super::build::{self, binary, cast, nested};
use super::{casts, numbers};
use crate::postgres::functions::LSN_IN;

/// Returns the replacement of a call; `None` if it stays unchanged.
///
/// # Errors
///
/// The function is not supported, or a literal is not of its type.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    for of_subject in [arithmetic::call, arrays::call, texts::call, objects::call] {
        if let Some(replacement) = of_subject(name, args)? {
            return Ok(Some(replacement));
        }
    }
    Ok(match (name, args) {
        ("gen_random_uuid", []) => {
            let random = build::call("uuid", vec![]);
            Some(build::call("$uuid_in", vec![random]))
        }
        ("date_part", [field, time]) if text_of(field).is_none() => {
            Some(build::call(ASKED_FIELD, vec![field.clone(), time.clone()]))
        }
        ("date_part", [_, _]) => Some(cast(
            build::call(name, args.to_vec()),
            DataType::DoublePrecision,
        )),
        ("date_trunc", [unit, time, zone]) => {
            let instant = cast(time.clone(), DataType::Timestamp(None, TimezoneInfo::Tz));
            let args = vec![unit.clone(), instant, zone.clone()];
            Some(build::call(DATE_TRUNC_AT, args))
        }
        (
            "json_populate_record"
            | "json_populate_recordset"
            | "jsonb_populate_record"
            | "jsonb_populate_recordset",
            _,
        ) => {
            return Err(Error::not_supported(format!("{name} is not supported"))
                .with_hint("name the columns: jsonb_to_recordset(x) AS t (a int, b text)"));
        }
        // Numbers keep the digits that they are written with.
        ("numrange", [lower, upper, flags @ ..]) => {
            let bound = |arg: &Expr| match casts::number_text(arg) {
                Some(number) => build::text(number),
                None => arg.clone(),
            };
            let mut args = vec![bound(lower), bound(upper)];
            args.extend(flags.iter().cloned());
            Some(build::call(name, args))
        }
        ("pg_lsn", [x]) => {
            let text = cast(nested(x.clone()), DataType::Text);
            Some(build::call(LSN_IN, vec![text]))
        }
        (name, [x]) => match (named_cast(name), type_names::read(name)) {
            (Some(data_type), _) => Some(cast(nested(x.clone()), data_type)),
            (None, Some(data_type)) => {
                let mut value = cast(x.clone(), data_type);
                casts::rewrite(&mut value)?;
                Some(value)
            }
            (None, None) => None,
        },
        _ => None,
    })
}

/// Returns the type whose casts may be written as calls of its name.
fn named_cast(name: &str) -> Option<DataType> {
    Some(match name {
        "bool" => DataType::Boolean,
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Integer(None),
        "int8" => DataType::BigInt(None),
        "float4" => DataType::Real,
        "float8" => DataType::DoublePrecision,
        "text" => DataType::Text,
        _ => return None,
    })
}

/// Rewrites an operator with one operand.
pub(super) fn unary(op: UnaryOperator, operand: &Expr) -> Option<Expr> {
    let function = match op {
        UnaryOperator::PGSquareRoot => "sqrt",
        UnaryOperator::PGCubeRoot => "cbrt",
        UnaryOperator::PGAbs => "abs",
        UnaryOperator::BitwiseNot => {
            return Some(nested(binary(
                nested(operand.clone()),
                BinaryOperator::PGBitwiseXor,
                // The result is as wide as the operand.
                cast(build::integer(-1), DataType::SmallInt(None)),
            )));
        }
        _ => return None,
    };
    let operand = match op {
        // Of double precision only.
        UnaryOperator::PGSquareRoot => cast(nested(operand.clone()), DataType::DoublePrecision),
        UnaryOperator::PGAbs => numbers::exact(operand).unwrap_or_else(|| operand.clone()),
        _ => operand.clone(),
    };
    Some(build::call(function, vec![operand]))
}

/// Returns a text literal.
pub(super) fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => text_of(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Gives the literals among the arguments of `generate_series` their types: a number with a point is a
/// decimal, the step of a series of times is an interval, and an end has the type of the other one.
///
/// # Errors
///
/// The step is not an interval.
pub(super) fn series(mut args: Vec<Expr>) -> Result<Vec<Expr>, Error> {
    for arg in &mut args {
        if let Some(exact) = numbers::exact(arg) {
            *arg = exact;
        }
    }
    if let [_, _, step] = args.as_mut_slice()
        && let Some(text) = text_of(step)
    {
        *step = build::interval(&interval_in_words(text)?)?;
    }
    if let [first, last, ..] = args.as_mut_slice() {
        if let Some(data_type) = type_of(first) {
            *last = typed(last, data_type);
        } else if let Some(data_type) = type_of(last) {
            *first = typed(first, data_type);
        }
    }
    Ok(args)
}

/// Returns the list of the numbers that `generate_subscripts` returns, of its arguments: an array, a
/// dimension, and whether the last number comes first.
///
/// # Errors
///
/// What says whether the last number comes first is not constant.
pub(super) fn subscripts(
    array: &Expr,
    dimension: &Expr,
    reverse: Option<&Expr>,
) -> Result<Expr, Error> {
    let length = build::call("array_length", vec![array.clone(), dimension.clone()]);
    let length = build::cast(length, DataType::Integer(None));
    let is_reverse = match reverse.map(unnested) {
        None => Some(false),
        Some(Expr::Value(value)) => match &value.value {
            Value::Boolean(reverse) => Some(*reverse),
            _ => None,
        },
        Some(_) => None,
    };
    let ends = match is_reverse {
        Some(false) => vec![build::integer(1), length],
        Some(true) => vec![length, build::integer(1), build::integer(-1)],
        None => {
            return Err(Error::not_supported(
                "the third argument of generate_subscripts must be true or false",
            ));
        }
    };
    Ok(build::call("generate_series", ends))
}

/// Returns the type that an expression names.
fn type_of(expr: &Expr) -> Option<DataType> {
    match expr {
        Expr::Nested(inner) => type_of(inner),
        Expr::Cast { data_type, .. } => Some(data_type.clone()),
        Expr::TypedString(typed) => Some(typed.data_type.clone()),
        _ => None,
    }
}

fn unnested(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}
