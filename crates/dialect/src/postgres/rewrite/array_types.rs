//! PostgreSQL's own names of the types of arrays, which begin with an underscore.
//!
//! ```text
//! x::_int4, CAST(x AS pg_catalog._text)    x::int4[], CAST(x AS text[])
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{ArrayElemTypeDef, DataType, Expr, Statement, VisitorMut};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_sql::walk::walk_mut;

use super::parts;

/// Writes the types of casts as arrays of their items' types.
pub(super) fn rewrite(statement: &mut Statement) {
    struct Casts;
    impl VisitorMut for Casts {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Cast { data_type, .. } = expr
                && let Some(array) = array(data_type)
            {
                *data_type = array;
            }
            ControlFlow::Continue(())
        }
    }
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut Casts);
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
        ] {
            assert_eq!(with_statement(sql, rewrite), expected);
        }
    }
}
