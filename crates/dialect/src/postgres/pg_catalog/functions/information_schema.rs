//! The functions of `information_schema` about a column's type, which take its OID and its modifier.

use arrow::datatypes::DataType;

use crate::postgres::pg_catalog::types;
use crate::postgres::{Cell, PgFunction};

/// Builds a function of a type's OID and its modifier.
fn about_type(name: &str, answer: fn(i64, i64) -> Option<i64>) -> PgFunction {
    PgFunction::new(name, 2..=2, DataType::Int32, move |args| {
        let (oid, typmod) = (
            args[0].as_int().unwrap_or(0),
            args[1].as_int().unwrap_or(-1),
        );
        Ok(answer(oid, typmod).map_or(Cell::Null, Cell::Int))
    })
    .immutable()
}

/// Builds a function that finds nothing.
fn nothing(name: &str, returns: DataType) -> PgFunction {
    PgFunction::new(name, 2..=2, returns, |_| Ok(Cell::Null)).immutable()
}

pub(super) fn functions() -> Vec<PgFunction> {
    vec![
        about_type("_pg_char_max_length", types::max_length),
        about_type("_pg_char_octet_length", types::max_bytes),
        about_type("_pg_numeric_precision", types::numeric_precision),
        about_type("_pg_numeric_precision_radix", |oid, _| {
            types::numeric_radix(oid)
        }),
        about_type("_pg_numeric_scale", types::numeric_scale),
        about_type("_pg_datetime_precision", types::datetime_precision),
        // Intervals have no fields here, and tables no indexes.
        nothing("_pg_interval_type", DataType::Utf8),
        nothing("_pg_index_position", DataType::Int32),
    ]
}
