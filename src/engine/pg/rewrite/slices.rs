//! Slices of arrays.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Subscript, Value};

use super::build;
use crate::error::{Code, Error};

/// Gives slices such as `a[2:]` both of their bounds.
///
/// # Errors
/// A subscript behind a slice: in PostgreSQL, it is one of the next dimension.
pub(super) fn complete(access_chain: &mut [AccessExpr]) -> Result<(), Error> {
    let several = access_chain.len() > 1;
    for access in access_chain {
        let AccessExpr::Subscript(Subscript::Slice {
            lower_bound,
            upper_bound,
            ..
        }) = access
        else {
            continue;
        };
        if several {
            return Err(Error::new(
                Code::NotSupported,
                "a slice beside another subscript is not supported",
            )
            .with_hint(
                "write (a[1:2])[1] for an item of a slice, (a[1])[1:2] for a slice of an item",
            ));
        }
        lower_bound.get_or_insert_with(|| build::integer(1));
        upper_bound.get_or_insert_with(|| build::integer(i64::from(i32::MAX)));
    }
    Ok(())
}

pub(super) fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}
