//! Lists of object ids, which the engine has as lists of numbers, vectors of small numbers, and texts of
//! types with a length: functions that return their argument, with a type to show it as.

use arrow::datatypes::DataType;

use crate::postgres::{Cell, INT2VECTOR, OIDVECTOR, PgFunction};

/// Returns all of them.
pub(super) fn functions() -> [PgFunction; 7] {
    let lists = |item| DataType::new_list(item, true);
    [
        oid_list(),
        shown(INT2VECTOR, lists(DataType::Int16), "int2vector"),
        shown(OIDVECTOR, lists(DataType::Int64), "oidvector"),
        shown("$of_bpchar", DataType::Utf8, "bpchar"),
        shown("$of_bpchars", lists(DataType::Utf8), "bpchar[]"),
        shown("$of_varchar", DataType::Utf8, "varchar"),
        shown("$of_varchars", lists(DataType::Utf8), "varchar[]"),
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
