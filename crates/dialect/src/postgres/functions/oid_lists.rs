//! Lists of object ids, which the engine has as lists of numbers.

use arrow::datatypes::DataType;

use crate::postgres::{Cell, PgFunction};

/// `$oid_list(x)`: a list of numbers, shown as `oid[]`.
pub(super) fn oid_list() -> PgFunction {
    let returns = DataType::new_list(DataType::Int64, true);
    PgFunction::new("$oid_list", 1..=1, returns, |args| {
        Ok(args.first().cloned().unwrap_or(Cell::Null))
    })
    .immutable()
    .shown_as("oid[]")
}
