//! Subqueries without a table: `(SELECT t.a + 1 WHERE t.b > 0)` is an expression of the outer row.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Distinct, Expr, FetchType, LogicalPlan, SkipType, when};

use super::single_value;
use crate::limits::complexity::check_copies;

/// The row that a subquery returns.
pub(super) struct Row {
    pub values: Vec<Expr>,
    /// Whether there is a row; `None` if there always is.
    pub exists: Option<Expr>,
}

impl Row {
    /// Returns the first value, which is NULL if there is no row; `None` if the row has no columns.
    pub(super) fn value(self) -> Option<Result<Expr>> {
        let value = self.values.into_iter().next()?;
        Some(match self.exists {
            Some(exists) => when(exists, value).end(),
            None => Ok(value),
        })
    }
}

/// Returns the one row of a plan without a table, in which outer columns that `outer` has are plain
/// columns. `None` for other plans.
///
/// # Errors
///
/// Returns an error if the expressions cannot be walked.
pub(super) fn row(plan: &LogicalPlan, outer: &DFSchema) -> Result<Option<Row>> {
    let Some(row) = outer_row(plan)? else {
        return Ok(None);
    };
    let own = |expr: Expr| -> Result<Expr> {
        expr.transform_up(|expr| {
            Ok(match expr {
                Expr::OuterReferenceColumn(_, column) if outer.has_column(&column) => {
                    Transformed::yes(Expr::Column(column))
                }
                expr => Transformed::no(expr),
            })
        })
        .data()
    };
    Ok(Some(Row {
        values: row.values.into_iter().map(own).collect::<Result<_>>()?,
        exists: row.exists.map(own).transpose()?,
    }))
}

fn outer_row(plan: &LogicalPlan) -> Result<Option<Row>> {
    match plan {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Ok(Some(Row {
            values: vec![],
            exists: None,
        })),
        LogicalPlan::SubqueryAlias(alias) => outer_row(&alias.input),
        LogicalPlan::Sort(sort) => outer_row(&sort.input),
        LogicalPlan::Distinct(Distinct::All(input)) => outer_row(input),
        LogicalPlan::Limit(limit) => {
            let first = matches!(limit.get_skip_type()?, SkipType::Literal(0))
                && matches!(
                    limit.get_fetch_type()?,
                    FetchType::Literal(Some(1..) | None)
                );
            match first {
                true => outer_row(&limit.input),
                false => Ok(None),
            }
        }
        LogicalPlan::Projection(list) => {
            if !list.expr.iter().all(is_plain) {
                return Ok(None);
            }
            let Some(row) = outer_row(&list.input)? else {
                return Ok(None);
            };
            let exprs = list.expr.iter().cloned();
            let values = exprs
                .map(|expr| substituted(expr.unalias(), &list.input, &row.values))
                .collect::<Result<_>>()?;
            Ok(Some(Row { values, ..row }))
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
            let [value] = aggregate.aggr_expr.as_slice() else {
                return Ok(None);
            };
            let Some(value) = single_value::argument(value) else {
                return Ok(None);
            };
            let Some(row) = outer_row(&aggregate.input)? else {
                return Ok(None);
            };
            let value = substituted(value.clone(), &aggregate.input, &row.values)?;
            let row = Row {
                values: vec![value],
                exists: row.exists,
            };
            let value = row.value().transpose()?;
            Ok(value.map(|value| Row {
                values: vec![value],
                exists: None,
            }))
        }
        LogicalPlan::Filter(filter) => {
            if !is_plain(&filter.predicate) {
                return Ok(None);
            }
            let Some(row) = outer_row(&filter.input)? else {
                return Ok(None);
            };
            let holds = substituted(filter.predicate.clone(), &filter.input, &row.values)?;
            let exists = match row.exists {
                Some(exists) => exists.and(holds),
                None => holds,
            };
            Ok(Some(Row {
                values: row.values,
                exists: Some(exists),
            }))
        }
        _ => Ok(None),
    }
}

/// Returns whether an expression may be written more than once, and in another place.
fn is_plain(expr: &Expr) -> bool {
    let special = expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::Unnest(_)
                | Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
        ))
    });
    !expr.is_volatile() && !special.unwrap_or(true)
}

/// Replaces the columns of `input` in an expression by their values, which may be long and named
/// often.
fn substituted(expr: Expr, input: &Arc<LogicalPlan>, values: &[Expr]) -> Result<Expr> {
    let place_of = |expr: &Expr| match expr {
        Expr::Column(column) => input.schema().maybe_index_of_column(column),
        _ => None,
    };
    let mut uses = vec![0; values.len()];
    expr.apply(|part| {
        if let Some(uses) = place_of(part).and_then(|place| uses.get_mut(place)) {
            *uses += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    for (value, uses) in values.iter().zip(uses) {
        check_copies(value, uses)?;
    }
    expr.transform_down(|expr| {
        Ok(match place_of(&expr).and_then(|place| values.get(place)) {
            Some(value) => Transformed::new(value.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(expr),
        })
    })
    .data()
}
