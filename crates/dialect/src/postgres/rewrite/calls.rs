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
//! pg_lsn(x)                         $pg_lsn_in((x)::text)
//! is_normalized(x, 'NFD')           ((x) = normalize(x, 'NFD'))
//! bit_length(x)                     (octet_length(x) * 8)::integer
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
//! `patterns.rs` has LIKE with several patterns, `literals.rs` the types of literals beside operands,
//! `type_names.rs` types that are called.

mod literals;
mod patterns;
mod type_names;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, ExactNumberInfo, Expr, TimezoneInfo, UnaryOperator,
    Value,
};
use lakegate_engine::OPEN_NUMERIC;
use lakegate_engine::time::{ASKED_FIELD, DATE_TRUNC_AT, interval_in_words};
use lakegate_error::{Code, Error};

pub(super) use self::literals::{is_interval, type_arrays, type_literals, typed};
pub(super) use self::patterns::patterns;
use super::build::{self, binary, cast, nested};
use super::{casts, copies, expressions, numbers};
use crate::postgres::functions::{BIT_COUNT, LSN_IN};

/// Returns the replacement of a call; `None` if it stays unchanged.
///
/// # Errors
///
/// The function is not supported, or a literal is not of its type.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(match (name, args) {
        ("ceiling", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            Some(build::call("ceil", vec![x]))
        }
        // Of a literal such as 2.5, which is exact.
        (
            "abs" | "ceil" | "exp" | "floor" | "ln" | "log" | "log10" | "round" | "sqrt" | "trunc",
            [x],
        ) => numbers::exact(x).map(|x| build::call(name, vec![x])),
        ("div", [x, y]) => {
            copies::check(x, 2)?;
            copies::check(y, 2)?;
            let (x, y) = (nested(x.clone()), nested(y.clone()));
            // Literals such as 0.005 are exact.
            let calculated = |left, op, right| {
                let mut result = binary(left, op, right);
                numbers::fold(&mut result);
                nested(result)
            };
            let rest = calculated(x.clone(), BinaryOperator::Modulo, y.clone());
            let whole = calculated(x, BinaryOperator::Minus, rest);
            let quotient = calculated(whole, BinaryOperator::Divide, y);
            let whole_decimal = ExactNumberInfo::PrecisionAndScale(38, 0);
            Some(cast(quotient, DataType::Numeric(whole_decimal)))
        }
        ("width_bucket", [_, _]) => Some(cast(
            build::call("$threshold_bucket", args.to_vec()),
            DataType::Integer(None),
        )),
        ("width_bucket", [x, low, high, count]) => {
            let double = |x: &Expr| typed(x, DataType::DoublePrecision);
            let count = typed(count, DataType::Integer(None));
            let args = vec![double(x), double(low), double(high), count];
            Some(cast(
                build::call("$width_bucket", args),
                DataType::Integer(None),
            ))
        }
        // Of a literal such as 1.005, which is exact.
        ("round" | "trunc", [x, places]) => {
            numbers::exact(x).map(|x| build::call(name, vec![x, places.clone()]))
        }
        ("gcd" | "lcm" | "log" | "pow" | "power", [x, y]) => {
            let (one, other) = (numbers::exact(x), numbers::exact(y));
            (one.is_some() || other.is_some()).then(|| {
                let args = [
                    one.unwrap_or_else(|| x.clone()),
                    other.unwrap_or_else(|| y.clone()),
                ];
                build::call(name, args.to_vec())
            })
        }
        ("scale", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            Some(build::call("char_length", vec![decimals(&x)]))
        }
        ("min_scale", [x]) => {
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            let significant = build::call("rtrim", vec![decimals(&x), build::text("0")]);
            Some(build::call("char_length", vec![significant]))
        }
        ("trim_scale", [x]) => {
            copies::check(x, 2)?;
            let x = numbers::exact(x).unwrap_or_else(|| x.clone());
            let text = cast(nested(x.clone()), DataType::Text);
            let whole = build::call(
                "split_part",
                vec![text, build::text("."), build::integer(1)],
            );
            let significant = build::call("rtrim", vec![decimals(&x), build::text("0")]);
            let joined = |left, right| nested(binary(left, BinaryOperator::StringConcat, right));
            let digits = joined(joined(whole, build::text(".")), significant);
            let mark = BinaryOperator::Custom(OPEN_NUMERIC.to_owned());
            Some(nested(binary(build::null(), mark, digits)))
        }
        ("array_fill", [value, lengths]) => match unnested(lengths) {
            Expr::Array(lengths) if lengths.elem.len() > 1 => {
                let inner_first = lengths.elem.iter().rev().cloned();
                Some(inner_first.fold(value.clone(), |value, length| {
                    build::call("array_fill", vec![value, build::array(vec![length])])
                }))
            }
            _ => None,
        },
        ("array_fill", [value, lengths, bounds]) => {
            let counts = |expr: &Expr| match unnested(expr) {
                Expr::Array(array) => Some(array.elem.clone()),
                _ => None,
            };
            let (Some(of_lengths), Some(of_bounds)) = (counts(lengths), counts(bounds)) else {
                return Err(from_one());
            };
            if of_lengths.len() != of_bounds.len() {
                return Err(Error::new(
                    Code::ArraySubscript,
                    "wrong number of array subscripts",
                ));
            }
            if of_bounds
                .iter()
                .any(|bound| expressions::number(bound) != Some(1))
            {
                return Err(from_one());
            }
            let args = vec![value.clone(), lengths.clone()];
            call(name, &args)?.or_else(|| Some(build::call(name, args)))
        }
        ("is_normalized", [text] | [text, _]) => {
            copies::check(text, 2)?;
            let form = args.get(1).cloned().unwrap_or_else(|| build::text("NFC"));
            let normal = build::call("normalize", vec![text.clone(), form]);
            Some(nested(binary(
                nested(text.clone()),
                BinaryOperator::Eq,
                normal,
            )))
        }
        // With two arguments, it is Athena's.
        ("bit_count", [bytes]) => Some(build::call(BIT_COUNT, vec![bytes.clone()])),
        ("bit_length", [x]) => {
            let bytes = build::call("octet_length", vec![x.clone()]);
            let bits = binary(bytes, BinaryOperator::Multiply, build::integer(8));
            Some(cast(nested(bits), DataType::Integer(None)))
        }
        ("length", [bytes, encoding]) => {
            let text = decoded(bytes, encoding)?;
            Some(build::call("char_length", vec![text]))
        }
        ("convert", [bytes, from, to]) => {
            let text = decoded(bytes, from)?;
            Some(build::call("convert_to", vec![text, to.clone()]))
        }
        ("gen_random_uuid", []) => {
            let random = build::call("uuid", vec![]);
            Some(build::call("$uuid_in", vec![random]))
        }
        // Where they are called for a column: sets without items. In FROM, they are tables.
        ("pg_partition_ancestors" | "pg_tablespace_databases", [_])
        | ("pg_stat_get_backend_idset", []) => Some(build::call("unnest", vec![no_items()])),
        ("string_to_table", [_, _] | [_, _, _]) => {
            let parts = build::call("string_to_array", args.to_vec());
            Some(build::call("unnest", vec![parts]))
        }
        ("regexp_matches", [_, _] | [_, _, _]) => {
            let matches = build::call(name, args.to_vec());
            Some(build::call("unnest", vec![matches]))
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
        ("to_number", [_, template]) => {
            let scale = text_of(template).and_then(digits_after_point);
            scale.map(|scale| {
                let decimal = ExactNumberInfo::PrecisionAndScale(38, scale);
                cast(build::call(name, args.to_vec()), DataType::Numeric(decimal))
            })
        }
        (
            "encode" | "convert_from" | "get_bit" | "get_byte" | "set_bit" | "set_byte" | "sha224"
            | "sha256" | "sha384" | "sha512",
            [bytes, others @ ..],
        ) if text_of(bytes).is_some_and(|text| text.contains('\\')) => {
            let mut bytes = cast(bytes.clone(), DataType::Bytea);
            casts::rewrite(&mut bytes)?;
            let args = std::iter::once(bytes).chain(others.iter().cloned());
            Some(build::call(name, args.collect()))
        }
        ("chr", [code]) if expressions::number(code) == Some(0) => {
            return Err(Error::invalid("null character not permitted"));
        }
        ("to_hex", [x]) => numbers::integer(x).map(|x| build::call(name, vec![x])),
        ("setseed", [_]) => {
            return Err(Error::not_supported("setseed is not supported")
                .with_hint("random numbers of a query cannot be repeated"));
        }
        ("nextval" | "currval", [sequence]) | ("setval", [sequence, _] | [sequence, _, _]) => {
            return Err(no_sequence(sequence));
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
        ("regclass", [x]) => Some(relation(x)?),
        (
            "pg_get_serial_sequence"
            | "pg_indexes_size"
            | "pg_partition_root"
            | "pg_relation_filenode"
            | "pg_relation_filepath"
            | "pg_relation_size"
            | "pg_table_size"
            | "pg_total_relation_size",
            [name_of_table, others @ ..],
        ) if text_of(name_of_table).is_some() => {
            let args = std::iter::once(relation(name_of_table)?).chain(others.iter().cloned());
            Some(build::call(name, args.collect()))
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

/// Returns the relation that a text names.
///
/// # Errors
///
/// A literal is not of the type.
fn relation(name: &Expr) -> Result<Expr, Error> {
    let mut relation = cast(name.clone(), DataType::Regclass);
    casts::rewrite(&mut relation)?;
    Ok(relation)
}

/// Builds an empty array of numbers.
fn no_items() -> Expr {
    let array = ArrayElemTypeDef::SquareBracket(Box::new(DataType::BigInt(None)), None);
    cast(build::array(vec![]), DataType::Array(array))
}

/// Returns PostgreSQL's error for a sequence that does not exist.
fn no_sequence(name: &Expr) -> Error {
    let mut named = name;
    while let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = named {
        named = inner;
    }
    let message = match named {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(name) => format!("relation \"{name}\" does not exist"),
            _ => "there are no sequences".to_owned(),
        },
        _ => "there are no sequences".to_owned(),
    };
    Error::new(Code::TableNotFound, message).with_hint(
        "there are no sequences: gen_random_uuid() makes keys, row_number() OVER () counts rows",
    )
}

/// Returns the text that bytes are in an encoding.
fn decoded(bytes: &Expr, encoding: &Expr) -> Result<Expr, Error> {
    let args = vec![bytes.clone(), encoding.clone()];
    let typed = call("convert_from", &args)?;
    Ok(typed.unwrap_or_else(|| build::call("convert_from", args)))
}

fn from_one() -> Error {
    Error::not_supported("array_fill: the items of an array are counted from 1")
        .with_hint("leave out the third argument")
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

/// The digits after the point of a decimal without sizes.
const MAX_SCALE: usize = 10;

/// The digits after the point of a number that `V` divides.
const QUOTIENT_DIGITS: i64 = 16;

/// Returns how many digits a template of a number has after its point; `None` if that takes parsing
/// it, or are more than the function returns.
fn digits_after_point(template: &str) -> Option<i64> {
    if template.contains(['"', '\\']) {
        return None;
    }
    if template.contains(['V', 'v']) {
        return Some(QUOTIENT_DIGITS);
    }
    let (_, after) = template.split_once(['.', 'D', 'd']).unwrap_or_default();
    let digits = after.chars().filter(|digit| matches!(digit, '0' | '9'));
    let digits = digits.count();
    i64::try_from(digits).ok().filter(|_| digits <= MAX_SCALE)
}

/// Returns the digits after the point of a number as text.
fn decimals(number: &Expr) -> Expr {
    let text = cast(nested(number.clone()), DataType::Text);
    build::call(
        "split_part",
        vec![text, build::text("."), build::integer(2)],
    )
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
