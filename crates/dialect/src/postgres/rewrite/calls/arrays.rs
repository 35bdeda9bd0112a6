//! Functions of arrays, and functions of sets that are called for a column.

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, Expr};
use lakegate_error::{Code, Error};

use super::super::build::{self, cast};
use super::super::expressions;
use super::unnested;

/// Returns the replacement of a call; `None` if it stays unchanged, or is not about arrays or sets.
///
/// # Errors
///
/// The bounds of an array are not 1.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(match (name, args) {
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
        _ => None,
    })
}

/// Builds an empty array of numbers.
fn no_items() -> Expr {
    let array = ArrayElemTypeDef::SquareBracket(Box::new(DataType::BigInt(None)), None);
    cast(build::array(vec![]), DataType::Array(array))
}

fn from_one() -> Error {
    Error::not_supported("array_fill: the items of an array are counted from 1")
        .with_hint("leave out the third argument")
}
