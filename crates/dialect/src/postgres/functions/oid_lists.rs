//! Lists of object ids, which the engine has as lists of numbers, and vectors of small numbers.

use arrow::datatypes::DataType;

use crate::postgres::{Cell, INT2VECTOR, OIDVECTOR, PgFunction};

/// Returns all of them.
pub(super) fn functions() -> [PgFunction; 3] {
    let numbers = |item| DataType::new_list(item, true);
    [
        oid_list(),
        shown(INT2VECTOR, numbers(DataType::Int16), "int2vector"),
        shown(OIDVECTOR, numbers(DataType::Int64), "oidvector"),
    ]
}

/// `$oid_list(x)`: a list of numbers, shown as `oid[]`.
fn oid_list() -> PgFunction {
    let returns = DataType::new_list(DataType::Int64, true);
    shown("$oid_list", returns, "oid[]")
}

/// Builds a function that returns its argument, with a type to show it as.
fn shown(name: &str, returns: DataType, pg_type: &'static str) -> PgFunction {
    PgFunction::new(name, 1..=1, returns, |args| {
        Ok(args.first().cloned().unwrap_or(Cell::Null))
    })
    .immutable()
    .shown_as(pg_type)
}
