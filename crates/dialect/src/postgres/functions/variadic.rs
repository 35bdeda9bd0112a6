//! Functions of an array of arguments, which calls with `VARIADIC` are rewritten into.

use arrow::datatypes::DataType;

use super::text::{count, format};
use crate::postgres::{Cell, PgFunction};

pub(super) fn functions() -> Vec<PgFunction> {
    vec![
        // The items of the last argument are arguments, too.
        PgFunction::new("$format_of", 1..=16, DataType::Utf8, |args| {
            let Some((array, first)) = args.split_last() else {
                return Ok(Cell::Null);
            };
            let mut all = first.to_vec();
            if let Cell::List(items) = array {
                all.extend(items.iter().cloned());
            }
            match all.is_empty() {
                true => Ok(Cell::Null),
                false => format(&all),
            }
        })
        .called_on_null()
        .immutable(),
        PgFunction::new("$num_nulls_of", 1..=1, DataType::Int32, |args| {
            Ok(count(items(args), Cell::is_null))
        })
        .immutable(),
        PgFunction::new("$num_nonnulls_of", 1..=1, DataType::Int32, |args| {
            Ok(count(items(args), |cell| !cell.is_null()))
        })
        .immutable(),
    ]
}

/// Returns the items of an array that is the only argument.
fn items(args: &[Cell<'static>]) -> &[Cell<'static>] {
    match args.first() {
        Some(Cell::List(items)) => items,
        _ => &[],
    }
}
