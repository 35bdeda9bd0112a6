//! Functions of an array of arguments, which calls with `VARIADIC` are rewritten into.

use arrow::datatypes::DataType;

use super::text::{count, format};
use crate::postgres::{Cell, PgFunction};

pub(super) fn functions() -> Vec<PgFunction> {
    vec![
        // The template, and the array.
        PgFunction::new("$format_of", 2..=2, DataType::Utf8, |args| {
            let mut all = vec![args.first().cloned().unwrap_or(Cell::Null)];
            all.extend_from_slice(items(args, 1));
            format(&all)
        })
        .called_on_null()
        .immutable(),
        PgFunction::new("$num_nulls_of", 1..=1, DataType::Int32, |args| {
            Ok(count(items(args, 0), Cell::is_null))
        })
        .immutable(),
        PgFunction::new("$num_nonnulls_of", 1..=1, DataType::Int32, |args| {
            Ok(count(items(args, 0), |cell| !cell.is_null()))
        })
        .immutable(),
    ]
}

/// Returns the items of the array at a place; none of NULL.
fn items<'a, 'b>(args: &'a [Cell<'b>], place: usize) -> &'a [Cell<'b>] {
    match args.get(place) {
        Some(Cell::List(items)) => items,
        _ => &[],
    }
}
