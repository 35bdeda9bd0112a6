//! The keys of a SELECT DISTINCT are columns of its list: the rows that it leaves have no others.
//!
//! ```text
//! SELECT DISTINCT a FROM t ORDER BY a + 1     an error
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, OrderByExpr, Select, VisitorMut};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::{walk_expressions, walk_mut};

use super::build;
use super::order_keys::{expr_of, is_column, plain};

/// Checks the keys of a SELECT DISTINCT.
///
/// # Errors
///
/// A key is an expression that the list does not have.
pub(super) fn check(keys: &[OrderByExpr], select: &Select) -> Result<(), Error> {
    let items = select.projection.iter().filter_map(expr_of);
    let items: Vec<Expr> = items.map(|item| unqualified(item, select)).collect();
    let is_absent = |key: &OrderByExpr| {
        let is_column = matches!(key.expr, Expr::Value(_)) || is_column(&key.expr);
        !is_column && !has_window(&key.expr) && !items.contains(&unqualified(&key.expr, select))
    };
    match keys.iter().any(is_absent) {
        true => Err(Error::new(
            Code::InvalidColumnReference,
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
        )),
        false => Ok(()),
    }
}

/// Returns whether an expression calls a window function: the windows that it names are written out by
/// now, and those of the list are not. The engine compares them.
fn has_window(expr: &Expr) -> bool {
    let walked = walk_expressions(expr, |part| match part {
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    walked.is_break()
}

/// Returns the expression as [`plain`] does, with bare names of columns and without collations.
fn unqualified(expr: &Expr, select: &Select) -> Expr {
    struct Unqualified;
    impl VisitorMut for Unqualified {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts) => {
                    if let Some(column) = parts.pop() {
                        *expr = Expr::Identifier(column);
                    }
                }
                Expr::Collate { expr: inner, .. } => {
                    let inner = std::mem::replace(inner.as_mut(), build::integer(0));
                    *expr = inner;
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut bare = plain(expr, select);
    // The visitor never breaks.
    let _ = walk_mut(&mut bare, &mut Unqualified);
    bare
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::{OrderByKind, SetExpr, Statement};
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn checked(sql: &str) -> Result<(), Error> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let Statement::Query(query) = statements.remove(0) else {
            panic!("{sql}");
        };
        let (SetExpr::Select(select), OrderByKind::Expressions(keys)) =
            (*query.body, query.order_by.unwrap().kind)
        else {
            panic!("{sql}");
        };
        check(&keys, &select)
    }

    #[test]
    fn keys_of_a_distinct_are_in_its_list() {
        for sql in [
            "SELECT DISTINCT a FROM t ORDER BY a + 1",
            "SELECT DISTINCT * FROM t ORDER BY a + 1",
            "SELECT DISTINCT a, b FROM t ORDER BY a, upper(b)",
        ] {
            let error = checked(sql).unwrap_err();
            assert_eq!(error.code(), Code::InvalidColumnReference, "{sql}");
        }
        for sql in [
            "SELECT DISTINCT a::int, t.b + u.b FROM t, u ORDER BY CAST(a AS int), b + u.b",
            "SELECT DISTINCT rank() OVER w FROM t WINDOW w AS (ORDER BY a) ORDER BY rank() OVER (ORDER BY a)",
            "SELECT DISTINCT a FROM t ORDER BY a COLLATE \"C\", 1, b",
        ] {
            assert!(checked(sql).is_ok(), "{sql}");
        }
    }
}
