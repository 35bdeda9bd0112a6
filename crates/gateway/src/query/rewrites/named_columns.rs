//! The names that the columns of a statement's tables may have: its tables are planned with no other
//! columns.

use std::collections::HashSet;
use std::ops::ControlFlow;

use lakegate_sql::trino::fields_of;
use lakegate_sql::walk::walk;
use sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, Query, Select, SelectFlavor, SelectItem, SetExpr, TableFactor, Visitor,
};

use crate::query::rewrites::twice_in_from::has_one_twice;

/// Returns all identifiers in the expressions of a query, in lower case. `None` if it refers to
/// columns without their names: by `*`, by their places, as a row, or by NATURAL.
///
/// Tables without the other columns give the same plan, or none: a statement that cannot be planned
/// so has to be planned with all columns.
pub(crate) fn named_columns(statement: &ast::Statement) -> Option<HashSet<String>> {
    let ast::Statement::Query(query) = statement else {
        return None;
    };
    // The engine finds such relations by the columns that they have in common.
    if has_one_twice(query) {
        return None;
    }
    let mut names = Names::default();
    let walked = walk(statement, &mut names);
    walked.is_continue().then_some(names.found)
}

#[derive(Default)]
struct Names {
    found: HashSet<String>,
}

impl Names {
    fn add(&mut self, name: &Ident) {
        self.found.insert(name.value.to_lowercase());
    }
}

/// Breaks where columns are referred to without their names.
impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // The engine's scan of a recursive query's own rows has all columns.
        let is_recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        going_on(!is_recursive && query.pipe_operators.is_empty() && has_lists(&query.body))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let has_stars = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(_)
            | SelectItem::ExprWithAlias { .. }
            | SelectItem::ExprWithAliases { .. } => false,
            SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => true,
        });
        let mut joins = select.from.iter().flat_map(|tables| &tables.joins);
        going_on(
            !has_stars
                && select.flavor != SelectFlavor::FromFirstNoSelect
                && select.exclude.is_none()
                && select.lateral_views.is_empty()
                && select.connect_by.is_empty()
                && joins.all(names_its_columns),
        )
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        going_on(match table {
            // Aliases of columns are given by place.
            TableFactor::Table { alias, .. } => {
                alias.as_ref().is_none_or(|alias| alias.columns.is_empty())
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => table_with_joins.joins.iter().all(names_its_columns),
            TableFactor::Derived { .. }
            | TableFactor::Function { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. } => true,
            _ => false,
        })
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => self.add(name),
            Expr::CompoundIdentifier(parts) => parts.iter().for_each(|part| self.add(part)),
            Expr::Wildcard(_)
            | Expr::QualifiedWildcard(..)
            | Expr::MatchAgainst { .. }
            | Expr::JsonAccess { .. } => return ControlFlow::Break(()),
            Expr::Function(function) if fields_of(expr).is_some() || has_rows(&function.args) => {
                return ControlFlow::Break(());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn going_on(does: bool) -> ControlFlow<()> {
    match does {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    }
}

/// Returns whether the columns of a query are lists of expressions, apart from its subqueries.
fn has_lists(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => true,
        SetExpr::SetOperation { left, right, .. } => has_lists(left) && has_lists(right),
        _ => false,
    }
}

/// Returns whether the columns that a join compares are in an expression.
fn names_its_columns(join: &Join) -> bool {
    let constraint = match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => constraint,
        _ => return false,
    };
    matches!(constraint, JoinConstraint::On(_) | JoinConstraint::None)
}

/// Returns whether a call has rows of a table as arguments. `count(*)` has none.
fn has_rows(arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else {
        return false;
    };
    list.args.iter().any(|argument| {
        let (FunctionArg::Named { arg, .. }
        | FunctionArg::ExprNamed { arg, .. }
        | FunctionArg::Unnamed(arg)) = argument;
        matches!(
            arg,
            FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::WildcardWithOptions(_)
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use lakegate_sql::Statement;

    use super::*;

    fn names(sql: &str) -> Option<Vec<String>> {
        let Statement::Query(query) = lakegate_sql::parse(sql).unwrap().remove(0).statement else {
            panic!("{sql} is a query")
        };
        let found = named_columns(&ast::Statement::Query(query))?;
        let mut found: Vec<String> = found.into_iter().collect();
        found.sort();
        Some(found)
    }

    #[test]
    fn names_come_from_all_expressions_of_a_query() {
        for (sql, expected) in [
            ("SELECT 1 FROM t", ""),
            ("SELECT count(*) FROM t", ""),
            ("SELECT A, t.b AS x FROM d.t WHERE \"C\" = 1", "a b c t"),
            (
                "SELECT a FROM t JOIN u ON t.k = u.k ORDER BY o LIMIT 1",
                "a k o t u",
            ),
            (
                "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.b = c)",
                "a b c u",
            ),
            ("WITH q AS (SELECT a FROM t) SELECT b FROM q", "a b"),
            (
                "SELECT sum(a) FILTER (WHERE f) OVER (PARTITION BY p ORDER BY o) FROM t",
                "a f o p",
            ),
            ("SELECT a FROM t GROUP BY a HAVING max(h) > 1", "a h"),
            ("SELECT a FROM t UNION ALL SELECT b FROM u", "a b"),
            ("SELECT x FROM (SELECT a, b FROM t) s (x, y)", "a b x"),
        ] {
            let expected: Vec<String> = expected.split_whitespace().map(str::to_owned).collect();
            assert_eq!(names(sql), Some(expected), "{sql}");
        }
    }

    #[test]
    fn columns_without_names_are_all_columns() {
        for sql in [
            "SELECT * FROM t",
            "SELECT t.* FROM t",
            "SELECT a FROM (SELECT * FROM t) s",
            "SELECT a FROM t WHERE EXISTS (SELECT * FROM u)",
            "SELECT count(t.*) FROM t",
            "SELECT a FROM t AS r (a, b)",
            "SELECT a FROM t JOIN u USING (k)",
            "SELECT a FROM t NATURAL JOIN u",
            "SELECT x.a FROM t x JOIN u X ON true",
            "SELECT a FROM s.t, t",
            "SELECT a FROM (t NATURAL JOIN u)",
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT n FROM r",
            "TABLE t",
            "SELECT a FROM t UNION ALL TABLE t",
        ] {
            assert_eq!(names(sql), None, "{sql}");
        }
    }
}
