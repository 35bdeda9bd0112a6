//! PostgreSQL's own names of the types of arrays, which begin with an underscore, and the items of
//! arrays that are cast.
//!
//! ```text
//! x::_int4, CAST(x AS pg_catalog._text)    x::int4[], CAST(x AS text[])
//! ARRAY['a', n + 1]::text[]                ARRAY['a'::text, (n + 1)::text]::text[]
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Statement, Value, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_sql::walk::walk_mut;

use super::{build, calls, parts};

/// Writes the types of casts as arrays of their items' types, and casts the items that have no type in
/// common without the cast.
pub(super) fn rewrite(statement: &mut Statement) {
    struct Casts;
    impl VisitorMut for Casts {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Cast {
                expr: inner,
                data_type,
                ..
            } = expr
            {
                if let Some(array) = array(data_type) {
                    *data_type = array;
                }
                if let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = &*data_type {
                    cast_items(inner, item);
                }
            }
            ControlFlow::Continue(())
        }
    }
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Casts);
}

/// Casts the items of a written array that has text literals beside other values. The literals would
/// be read as values of the type of the others.
fn cast_items(expr: &mut Expr, item: &DataType) {
    let items = match expr {
        Expr::Nested(inner) => return cast_items(inner, item),
        Expr::Array(array) => &mut array.elem,
        _ => return,
    };
    if let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = item {
        return items.iter_mut().for_each(|inner| cast_items(inner, item));
    }
    let is_mixed =
        items.iter().any(is_text) && items.iter().any(|value| !is_text(value) && !is_null(value));
    for value in items {
        if matches!(value, Expr::Array(_)) {
            // `text[]` is the type of arrays of any dimensions.
            cast_items(value, item);
        } else if is_mixed && !is_null(value) {
            let inner = match is_text(value) {
                true => build::taken(value),
                false => build::nested(build::taken(value)),
            };
            *value = build::cast(inner, item.clone());
        }
    }
}

fn is_text(expr: &Expr) -> bool {
    calls::text_of(expr).is_some()
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

fn array(data_type: &DataType) -> Option<DataType> {
    let DataType::Custom(name, arguments) = data_type else {
        return None;
    };
    let item = match parts(name)?.as_slice() {
        [name] => name.strip_prefix('_')?.to_owned(),
        [schema, name] if schema == "pg_catalog" => name.strip_prefix('_')?.to_owned(),
        _ => return None,
    };
    let is_plain = item.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !arguments.is_empty() || !is_plain || item.is_empty() {
        return None;
    }
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .try_with_sql(&item)
        .ok()?;
    let item = parser.parse_data_type().ok()?;
    let item = ArrayElemTypeDef::SquareBracket(Box::new(item), None);
    Some(DataType::Array(item))
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_statement;
    use super::*;

    #[test]
    fn names_of_array_types_are_written_out() {
        for (sql, expected) in [
            (
                "SELECT '{1}'::_int4, CAST(x AS pg_catalog._text), y::_bpchar FROM t",
                "SELECT '{1}'::INT4[], CAST(x AS TEXT[]), y::bpchar[] FROM t",
            ),
            ("SELECT x::_, y::a._b", "SELECT x::_, y::a._b"),
            (
                "SELECT ARRAY['a', n + 1, NULL]::_text, ARRAY[['a', 1]]::text[][], ARRAY['1', '2']::int[], ARRAY[x, y]::text[]",
                "SELECT ARRAY['a'::TEXT, (n + 1)::TEXT, NULL]::TEXT[], ARRAY[['a'::TEXT, (1)::TEXT]]::TEXT[][], ARRAY['1', '2']::INT[], ARRAY[x, y]::TEXT[]",
            ),
        ] {
            assert_eq!(with_statement(sql, rewrite), expected);
        }
    }
}
