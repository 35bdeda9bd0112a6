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

/// Returns the items of an array that is written as a literal or as `ARRAY[…]`; `None` of one without
/// items, of one of arrays, and of other expressions.
///
/// # Errors
///
/// The text is not an array literal.
pub(super) fn written_items(expr: &Expr) -> Result<Option<Vec<Expr>>, Error> {
    let items = match expr {
        Expr::Nested(inner) => return written_items(inner),
        Expr::Array(array) => Some(array.elem.clone()),
        literal => literal_array(literal)?,
    };
    let is_array = |item: &Expr| matches!(item, Expr::Array(_));
    Ok(items.filter(|items| !items.is_empty() && !items.iter().any(is_array)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::super::rewrite;

    #[test]
    fn items_of_types_that_are_read_are_read() {
        for (sql, expected) in [
            (
                "'{a,NULL}'::inet[]",
                "ARRAY[\"$inet_in\"('a'::TEXT), \"$inet_in\"(NULL::TEXT)]",
            ),
            (
                "CAST(ARRAY['a', x] AS uuid[])",
                "ARRAY[\"$uuid_in\"('a'::TEXT), \"$uuid_in\"(x::TEXT)]",
            ),
            ("x::jsonb[]", "x::TEXT[]"),
            ("'{}'::uuid[]", "ARRAY[]::TEXT[]"),
            ("'{a}'::text[]", "ARRAY['a'::TEXT]"),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
            rewrite(&mut expr).unwrap();
            assert_eq!(expr.to_string(), expected, "{sql}");
        }
    }
}
