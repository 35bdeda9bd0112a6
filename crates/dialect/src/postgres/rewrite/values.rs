//! VALUES with subqueries, which the engine evaluates before they are executed
//! (`ScalarSubqueryExpr`, 55.2): each row becomes a SELECT. VALUES in `IN`, in which the engine finds
//! no column (`LogicalPlan::head_output_expr`, 55.2).
//!
//! ```text
//! VALUES ((SELECT 1), 2), (3, 4)      SELECT (SELECT 1) AS column1, 2 AS column2 UNION ALL SELECT 3 AS column1, 4 AS column2
//! x IN (VALUES (1), (2))              x IN (SELECT column1 FROM (VALUES (1), (2)) AS "values")
//! ```
//!
//! Delete this when the engine executes them.

use lakegate_sql::walk::walk_expressions;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, SetOperator, SetQuantifier, Values,
};
use lakegate_error::Error;

use super::build;

/// Converts a query's VALUES to SELECTs, if they contain subqueries.
pub(super) fn rewrite(query: &mut Query) -> Result<(), Error> {
    if let SetExpr::Values(values) = query.body.as_mut()
        && holds_subquery(values)
    {
        let rows = std::mem::take(&mut values.rows);
        let rows: Vec<SetExpr> = rows
            .into_iter()
            .map(|row| selected(row.content))
            .collect::<Result<_, Error>>()?;
        if let Some(body) = united(rows) {
            *query.body = body;
        }
    }
    Ok(())
}

/// Puts the VALUES of `IN` into FROM, if they have one column and name none.
///
/// # Errors
///
/// None that depend on the query.
pub(super) fn enclose(query: &mut Query) -> Result<(), Error> {
    let SetExpr::Values(values) = query.body.as_ref() else {
        return Ok(());
    };
    let has_one_column = values.rows.iter().all(|row| row.content.len() == 1);
    if !has_one_column || query.with.is_some() || names_columns(values) {
        return Ok(());
    }
    let mut outer = build::select_from(query.clone(), "values", &[])?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        let column = Expr::Identifier(Ident::new("column1"));
        select.projection = vec![SelectItem::UnnamedExpr(column)];
    }
    *query = outer;
    Ok(())
}

fn names_columns(values: &Values) -> bool {
    walk_expressions(values, |part| match part {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

fn holds_subquery(values: &Values) -> bool {
    walk_expressions(values, |part| match part {
        Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

fn selected(row: Vec<Expr>) -> Result<SetExpr, Error> {
    let items = row
        .into_iter()
        .enumerate()
        .map(|(place, value)| build::aliased(value, Ident::new(format!("column{}", place + 1))))
        .collect();
    Ok(*build::select(items)?.body)
}

/// Joins the rows by UNION ALL in a balanced tree, because a deep chain would need a deep stack.
fn united(mut rows: Vec<SetExpr>) -> Option<SetExpr> {
    while rows.len() > 1 {
        let mut pairs = Vec::with_capacity(rows.len().div_ceil(2));
        let mut rest = rows.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => SetExpr::SetOperation {
                    op: SetOperator::Union,
                    set_quantifier: SetQuantifier::All,
                    left: Box::new(left),
                    right: Box::new(right),
                },
                None => left,
            });
        }
        rows = pairs;
    }
    rows.pop()
}
