//! Operands of set operations with equal column names.
//!
//! The engine joins the two sides by unqualified column names
//! (`LogicalPlanBuilder::intersect_or_except`, 55.2), so those of `SELECT a.x, b.x` are ambiguous.
//! A derived table distinguishes them:
//!
//! ```text
//! … EXCEPT SELECT a.x, b.x FROM a, b      … EXCEPT SELECT * FROM (SELECT a.x, b.x FROM a, b) AS "operand 2"
//! ```
//!
//! The first operand of a UNION is enclosed likewise. In the other operands the engine names an
//! expression after the first operand's column at the same position, which may equal the name of
//! another column (`project_with_validation_and_schema`, 55.2); so the expression gets a name
//! beforehand:
//!
//! ```text
//! SELECT x AS a, y AS b FROM t UNION SELECT b, 1 FROM u      … UNION SELECT b, 1 AS item FROM u
//! ```
//!
//! Delete this when the engine matches columns by position.

use lakegate_sql::walk::walk_mut;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, SetOperator, Statement, TableFactor, VisitorMut,
    WildcardAdditionalOptions,
};
use lakegate_engine::apart;
use lakegate_error::Error;

use super::{build, folded};

/// Encloses each operand that reads several tables.
pub(super) fn enclose(statement: &mut Statement) -> Result<(), Error> {
    match walk_mut(statement, &mut Enclose { operands: 0 }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Enclose {
    /// The number of operands enclosed so far.
    operands: usize,
}

impl VisitorMut for Enclose {
    type Break = Error;

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        match self.operations(&mut query.body) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Enclose {
    fn operations(&mut self, body: &mut SetExpr) -> Result<(), Error> {
        // A loop, since a chain of operations nests deeply on its left.
        let mut body = body;
        while let SetExpr::SetOperation {
            op, left, right, ..
        } = body
        {
            if matches!(
                op,
                SetOperator::Intersect | SetOperator::Except | SetOperator::Minus
            ) {
                self.operand(left)?;
                self.operand(right)?;
            } else if names_may_be_alike(left) {
                self.operand(left)?;
            }
            if matches!(right.as_ref(), SetExpr::SetOperation { .. }) {
                self.operations(right)?;
            }
            name_items(right);
            body = left;
        }
        Ok(())
    }

    fn operand(&mut self, operand: &mut SetExpr) -> Result<(), Error> {
        if !reads_several_tables(operand) {
            return Ok(());
        }
        self.operands += 1;
        let alias = format!("operand {}", self.operands);
        let all = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        let mut outer = build::select_from(build::select(Vec::new())?, &alias, &[])?;
        let SetExpr::Select(select) = outer.body.as_mut() else {
            return Ok(());
        };
        select.projection = all;
        if let Some(table) = select.from.first_mut()
            && let TableFactor::Derived { subquery, .. } = &mut table.relation
        {
            std::mem::swap(subquery.body.as_mut(), operand);
        }
        *operand = *outer.body;
        Ok(())
    }
}

/// Names the expressions of a list that also has columns.
fn name_items(operand: &mut SetExpr) {
    let select = match operand {
        SetExpr::Select(select) => select,
        SetExpr::Query(query) => return name_items(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            name_items(left);
            return name_items(right);
        }
        _ => return,
    };
    let is_expression = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) => {
            !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        _ => false,
    };
    if select.projection.iter().all(is_expression) {
        return;
    }
    for (place, item) in select.projection.iter_mut().enumerate() {
        if is_expression(item)
            && let SelectItem::UnnamedExpr(expr) = item
        {
            let alias = Ident::with_quote('"', apart("item", place));
            *item = build::aliased(expr.clone(), alias);
        }
    }
}

fn reads_several_tables(operand: &SetExpr) -> bool {
    match operand {
        SetExpr::Select(select) => {
            select.from.len() > 1 || select.from.iter().any(|table| !table.joins.is_empty())
        }
        SetExpr::Query(query) => reads_several_tables(&query.body),
        _ => false,
    }
}

/// Returns whether the names of a UNION, which are those of its first operand, may be equal when
/// their tables are ignored.
fn names_may_be_alike(operand: &SetExpr) -> bool {
    let SetExpr::Select(select) = operand else {
        return false;
    };
    let mut seen = BTreeSet::new();
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            !seen.insert(parts.last().map(folded))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn enclosed(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = statements.first_mut().unwrap();
        enclose(statement).unwrap();
        statement.to_string().replace('\u{2063}', "~")
    }

    #[test]
    fn operands_over_several_tables_are_tables_of_their_own() {
        for (sql, expected) in [
            (
                "SELECT x FROM t EXCEPT SELECT a.x FROM a, b",
                "SELECT x FROM t EXCEPT SELECT * FROM (SELECT a.x FROM a, b) AS \"operand 1\"",
            ),
            (
                "SELECT x FROM t INTERSECT (SELECT a.x FROM a JOIN b ON true LIMIT 1) UNION SELECT 1 FROM a, b",
                "SELECT x FROM t INTERSECT SELECT * FROM ((SELECT a.x FROM a JOIN b ON true LIMIT 1)) AS \"operand 1\" UNION SELECT 1 FROM a, b",
            ),
            (
                "SELECT x, 1 FROM t UNION SELECT y, 1 FROM u EXCEPT (SELECT 1, 2 UNION SELECT *, 2 FROM u)",
                "SELECT x, 1 FROM t UNION SELECT y, 1 AS \"item~:1\" FROM u EXCEPT (SELECT 1, 2 UNION SELECT *, 2 AS \"item~:1\" FROM u)",
            ),
            (
                "SELECT x FROM t EXCEPT SELECT y FROM u",
                "SELECT x FROM t EXCEPT SELECT y FROM u",
            ),
        ] {
            assert_eq!(enclosed(sql), expected);
        }
    }
}
