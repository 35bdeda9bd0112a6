//! Columns of a SELECT list that are named alike, which Postgres takes and the engine does not.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, Value, VisitMut,
    VisitorMut, visit_expressions,
};

use super::folded;

/// Gives every column of a SELECT list that is like an earlier one a name of its own.
pub fn tell_apart(statement: &mut Statement) {
    // Nothing breaks the walk.
    let _ = VisitMut::visit(statement, &mut TellApart);
}

/// Gives another name to a column of the outermost SELECT list that is named as a column of a table, which the engine takes for
/// ambiguous: `SELECT t.a, upper(t.b) AS a`, `SELECT *, 1 AS a`, `SELECT upper(t.a) AS a FROM t ORDER BY t.a`,
/// `SELECT t.a, (SELECT u.a FROM u)`. What is ordered by the name is ordered by the column still. Returns whether there is one.
pub fn name_outputs(statement: &mut Statement, column: &str) -> bool {
    let Statement::Query(query) = statement else {
        return false;
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return false;
    };
    let mut items = select.projection.iter_mut().enumerate();
    let named = items.find(|(_, item)| match item {
        SelectItem::ExprWithAlias { alias, .. } => folded(alias) == column,
        SelectItem::UnnamedExpr(Expr::Subquery(query)) => {
            name_of(query).is_some_and(|name| name == column)
        }
        _ => false,
    });
    let Some((position, item)) = named else {
        return false;
    };
    let own = Ident::with_quote('"', format!("{column}:{position}"));
    match item {
        SelectItem::ExprWithAlias { alias, .. } => *alias = own.clone(),
        SelectItem::UnnamedExpr(expr) => {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: own.clone(),
            };
        }
        _ => {}
    }
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        for key in keys {
            if matches!(&key.expr, Expr::Identifier(name) if folded(name) == column) {
                key.expr = Expr::Identifier(own.clone());
            }
        }
    }
    true
}

/// The name of a scalar subquery's column, where it is a column or has an alias.
fn name_of(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(Expr::Identifier(name))]
        | [SelectItem::ExprWithAlias { alias: name, .. }] => Some(folded(name)),
        [SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names))] => names.last().map(folded),
        _ => None,
    }
}

struct TellApart;

impl VisitorMut for TellApart {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut seen: HashSet<String> = HashSet::new();
        for (position, item) in select.projection.iter_mut().enumerate() {
            let name = match item {
                // The engine names a subquery without what is in it, and an interval by its length.
                SelectItem::UnnamedExpr(expr) if is_named_otherwise(expr) => OTHERWISE.to_owned(),
                SelectItem::UnnamedExpr(expr) => uncast(expr),
                SelectItem::ExprWithAlias { alias, .. } => folded(alias),
                _ => continue,
            };
            if seen.insert(name.clone()) {
                continue;
            }
            let own = Ident::with_quote('"', format!("{name}:{position}"));
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias: own,
                    };
                }
                SelectItem::ExprWithAlias { alias, .. } => *alias = own,
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

/// Stands for the name of any expression that holds a subquery or an interval.
const OTHERWISE: &str = "<otherwise>";

fn is_named_otherwise(expr: &Expr) -> bool {
    visit_expressions(expr, |part| match part {
        Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) | Expr::Interval(_) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The engine names a cast as what it casts, wherever it stands.
fn uncast(expr: &Expr) -> String {
    let mut bare = expr.clone();
    // Nothing breaks the walk.
    let _ = VisitMut::visit(&mut bare, &mut Uncast);
    bare.to_string()
}

struct Uncast;

impl VisitorMut for Uncast {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let inner = match expr {
            Expr::Cast { expr, .. } | Expr::Nested(expr) => {
                std::mem::replace(expr.as_mut(), null())
            }
            Expr::TypedString(typed) => Expr::Value(typed.value.clone()),
            Expr::AtTimeZone { timestamp, .. } => std::mem::replace(timestamp.as_mut(), null()),
            _ => return ControlFlow::Continue(()),
        };
        *expr = inner;
        ControlFlow::Continue(())
    }
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn what_is_in_a_subquery_tells_no_columns_apart() {
        let sql = "SELECT EXISTS (SELECT 1), EXISTS (SELECT 2), 1 IN (SELECT 3) FROM t";
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .unwrap()
            .remove(0);
        tell_apart(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT EXISTS (SELECT 1), EXISTS (SELECT 2) AS \"<otherwise>:1\", \
             1 IN (SELECT 3) AS \"<otherwise>:2\" FROM t"
        );
    }

    #[test]
    fn what_is_written_in_an_interval_tells_no_columns_apart() {
        let sql = "SELECT INTERVAL '15 days', INTERVAL '0.5 month'";
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .unwrap()
            .remove(0);
        tell_apart(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT INTERVAL '15 days', INTERVAL '0.5 month' AS \"<otherwise>:1\""
        );
    }

    #[test]
    fn casts_within_an_expression_tell_no_columns_apart() {
        let sql =
            "SELECT DATE '2024-01-01' - x, TIMESTAMP '2024-01-01' - x, a::int + 1, a + 1 FROM t";
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .unwrap()
            .remove(0);
        tell_apart(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT DATE '2024-01-01' - x, TIMESTAMP '2024-01-01' - x AS \"'2024-01-01' - x:1\", \
             a::INT + 1, a + 1 AS \"a + 1:3\" FROM t"
        );
    }

    #[test]
    fn columns_that_are_alike_are_told_apart() {
        let sql =
            "SELECT NULL, NULL, a AS x, b AS x, c, c::int FROM t UNION SELECT 1, 1, 2, 2, 3, 4";
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, sql)
            .unwrap()
            .remove(0);
        tell_apart(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT NULL, NULL AS \"NULL:1\", a AS x, b AS \"x:3\", c, c::INT AS \"c:5\" FROM t \
             UNION SELECT 1, 1 AS \"1:1\", 2, 2 AS \"2:3\", 3, 4"
        );
    }
}
