//! The error of a call that no function fits, with the types of its arguments:
//!
//! ```text
//! f(1, 'x', now())     function f(integer, unknown, timestamp with time zone) does not exist
//! ```
//!
//! A statement that cannot be planned for such a call is planned again with this function in place of
//! it, because only the planner knows the types. If PostgreSQL has a function that fits, the error is
//! another one.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::time::AGE;
use lakegate_error::{Error, Operands, function_not_found};

use super::refused_casts::type_of;
use super::refused_operators::{fits_argument, is_untyped};
use crate::postgres::pg_catalog::overloads::candidates;
use crate::postgres::pg_catalog::types::format_type;

/// The function: of the name in a call, the line and the column of the call, and its arguments.
pub const UNDEFINED: &str = "$undefined";

const INT4: i64 = 23;
const NUMERIC: i64 = 1700;

/// How many arguments come before those of the call.
const OWN: usize = 3;

/// Functions that the engine knows by another name than PostgreSQL: its name, and PostgreSQL's.
const NAMES: [(&str, &str); 6] = [
    (AGE, "age"),
    ("bool_and", "every"),
    ("character_length", "length"),
    ("signum", "sign"),
    ("stddev", "stddev_samp"),
    ("substr", "substring"),
];

/// Returns the names that the calls of a function have, in a statement and once it is rewritten.
/// `name`: the engine's, which is the first one.
pub fn call_names(name: &str) -> impl Iterator<Item = &str> {
    let others = NAMES.iter().filter(move |(engine, _)| *engine == name);
    std::iter::once(name).chain(others.map(|(_, other)| *other))
}

/// Returns PostgreSQL's name of a function. It has some by both names.
fn in_postgres(name: &str) -> &str {
    match call_names(name).nth(1) {
        Some(other) if candidates(name).next().is_none() => other,
        _ => name,
    }
}

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Undefined {
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Undefined {
    signature: Signature,
}

impl ScalarUDFImpl for Undefined {
    fn name(&self) -> &str {
        UNDEFINED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Null)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let literal = |place: usize| args.scalar_arguments.get(place).copied().flatten();
        let name = literal(0).and_then(|value| value.try_as_str().flatten());
        let name = name.map(in_postgres);
        let number = |place: usize| match literal(place) {
            Some(ScalarValue::Int64(Some(value))) => u64::try_from(*value).ok(),
            Some(ScalarValue::Int32(Some(value))) => u64::try_from(*value).ok(),
            _ => None,
        };
        if let Some(name) = name {
            let fields = args.arg_fields.iter().enumerate().skip(OWN);
            let types: Vec<Option<i64>> = fields
                .map(|(place, field)| argument(field, literal(place)))
                .collect();
            let short = name.rsplit('.').next().unwrap_or(name);
            if !exists(short, &types) {
                return Err(missing(name, short, &types, number(1).zip(number(2))).into());
            }
        }
        Ok(Arc::new(Field::new(UNDEFINED, DataType::Null, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Null))
    }
}

/// Returns the number of an argument's type; `None` of one without a type, 0 of one that PostgreSQL
/// lacks.
fn argument(field: &Field, literal: Option<&ScalarValue>) -> Option<i64> {
    match literal {
        Some(value) if is_untyped(value) => return None,
        Some(ScalarValue::Int64(Some(value))) if i32::try_from(*value).is_ok() => {
            return Some(INT4);
        }
        Some(ScalarValue::Float64(_)) => return Some(NUMERIC),
        _ => {}
    }
    match field.data_type() {
        DataType::Null => None,
        _ => Some(type_of(field).unwrap_or(0)),
    }
}

/// Returns whether PostgreSQL has a function of a name that takes these arguments.
fn exists(name: &str, types: &[Option<i64>]) -> bool {
    candidates(name).any(|function| {
        let Some(takes) = function.parameters(types.len()) else {
            return false;
        };
        let mut pairs = takes.iter().zip(types);
        pairs.all(|(takes, given)| given.is_none_or(|given| fits_argument(given, *takes)))
    })
}

fn missing(name: &str, short: &str, types: &[Option<i64>], place: Option<(u64, u64)>) -> Error {
    let names: Vec<String> = types
        .iter()
        .map(|of| match of {
            None => "unknown".to_owned(),
            Some(0) => "record".to_owned(),
            Some(oid) => format_type(*oid, None),
        })
        .collect();
    let error = function_not_found(&format!("{name}({})", names.join(", ")));
    error.with_operands(Operands {
        sign: short.to_owned(),
        place,
        ..Operands::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_arguments() {
        const TEXT: Option<i64> = Some(25);
        const INT8: Option<i64> = Some(20);
        const DATE: Option<i64> = Some(1082);
        for (name, types, expected) in [
            ("lower", vec![TEXT], true),
            ("lower", vec![None], true),
            ("lower", vec![INT8], false),
            ("lower", vec![], false),
            ("lower", vec![TEXT, TEXT], false),
            ("abs", vec![INT8], true),
            ("abs", vec![TEXT], false),
            ("date_trunc", vec![None, DATE], true),
            ("date_trunc", vec![None, INT8], false),
            ("concat", vec![TEXT, INT8, DATE], true),
            ("concat", vec![], false),
            ("count", vec![], true),
            ("count", vec![DATE], true),
            ("array_length", vec![Some(1007), INT8], true),
            ("array_length", vec![TEXT, INT8], false),
            ("now", vec![INT8], false),
            ("nothing", vec![], false),
        ] {
            assert_eq!(exists(name, &types), expected, "{name} {types:?}");
        }
    }

    #[test]
    fn functions_of_the_engine_have_the_names_of_postgres() {
        for (name, known, expected) in [
            (AGE, vec![AGE, "age"], "age"),
            ("signum", vec!["signum", "sign"], "sign"),
            ("substr", vec!["substr", "substring"], "substr"),
            ("f", vec!["f"], "f"),
        ] {
            assert_eq!(call_names(name).collect::<Vec<_>>(), known);
            assert_eq!(in_postgres(name), expected);
        }
    }

    #[test]
    fn the_error_has_the_types_as_they_are_written() {
        let fields = [
            Field::new("x", DataType::Int64, true),
            Field::new("x", DataType::Utf8, false),
            Field::new("x", DataType::Date32, true),
        ];
        let literals = [
            Some(ScalarValue::Int64(Some(1))),
            Some(ScalarValue::Utf8(Some("a".to_owned()))),
            None,
        ];
        let types: Vec<Option<i64>> = fields
            .iter()
            .zip(&literals)
            .map(|(field, literal)| argument(field, literal.as_ref()))
            .collect();
        let error = missing("d.f", "f", &types, Some((1, 8)));
        assert_eq!(
            error.message(),
            "function d.f(integer, unknown, date) does not exist"
        );
        assert_eq!(
            error.operands().map(|operands| operands.place),
            Some(Some((1, 8)))
        );
    }
}
