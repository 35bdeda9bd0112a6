//! Casts of literal arrays.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Value};
use lakegate_error::Error;

use super::super::build;
use crate::postgres::{ArrayItem, parse_array};

/// Returns the items of a literal array, such as `'{a,b}'`.
///
/// # Errors
///
/// The text is not an array literal.
pub(in super::super) fn literal_array(expr: &Expr) -> Result<Option<Vec<Expr>>, Error> {
    let Expr::Value(value) = expr else {
        return Ok(None);
    };
    let text = match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text,
        _ => return Ok(None),
    };
    let items = parse_array(text)?.into_iter().map(item);
    Ok(Some(items.collect()))
}

/// Returns the dimensions of an array that is written as one of arrays. `int[]` is the type of all of
/// them.
pub(super) fn written_dimensions(expr: &Expr) -> usize {
    match expr {
        Expr::Array(array) => {
            let items = array.elem.iter().map(written_dimensions);
            1 + items.max().unwrap_or_default()
        }
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => written_dimensions(inner),
        _ => 0,
    }
}

fn item(item: ArrayItem) -> Expr {
    match item {
        ArrayItem::Null => build::null(),
        ArrayItem::Text(text) => build::text(text),
        ArrayItem::Array(items) => build::array(items.into_iter().map(self::item).collect()),
    }
}

/// Casts the items of an array, which may be arrays.
pub(super) fn cast_item(item: Expr, element: &DataType) -> Expr {
    match item {
        Expr::Array(array) => {
            let items = array.elem.into_iter();
            build::array(items.map(|item| cast_item(item, element)).collect())
        }
        item => build::cast(item, element.clone()),
    }
}
