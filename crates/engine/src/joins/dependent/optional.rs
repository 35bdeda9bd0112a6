//! A scalar subquery without a row is NULL, even if its column never is.
//!
//! To the engine, a scalar subquery is as nullable as its column (`ExprSchemable::nullable` of
//! `datafusion-expr`, 55.2), and tests for NULL are removed:
//!
//! ```text
//! SELECT s.m IS NULL FROM (SELECT (SELECT 1 WHERE t.k > 5) AS m FROM t) s      false for all rows
//! ```
//!
//! The value of such a subquery is therefore made the result of an aggregate, which may be NULL.
//! This is an analyzer rule that runs before nullability is used. Delete it when scalar subqueries
//! are nullable in the engine.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::optimizer::AnalyzerRule;

use super::single_value::single_value;
use super::with_plan;
use crate::plans::expressions;

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct OptionalValues;

impl AnalyzerRule for OptionalValues {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_scalar = |expr: &Expr| matches!(expr, Expr::ScalarSubquery(_));
        if !expressions::has(&plan, is_scalar)? {
            return Ok(plan);
        }
        let found = Cell::new(false);
        let of = |node: LogicalPlan, is_changed: bool| {
            let node = match expressions::reads(&node, is_scalar)? {
                true => {
                    node.map_expressions(|expr| expr.transform_up(|expr| optional(expr, &found)))?
                }
                false => Transformed::no(node),
            };
            match is_changed || node.transformed {
                // The nodes above become nullable too.
                true => node.data.recompute_schema().map(Transformed::yes),
                false => Ok(node),
            }
        };
        let plan = expressions::each_operator(plan, &of)?;
        if !found.get() {
            return Ok(plan.data);
        }
        plan.data
            .transform_up_with_subqueries(|node| {
                node.map_expressions(|expr| expr.transform_up(nullable))?
                    .map_data(LogicalPlan::recompute_schema)
            })
            .data()
    }

    fn name(&self) -> &str {
        "optional_values"
    }
}

fn optional(expr: Expr, found: &Cell<bool>) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarSubquery(subquery) if may_lack(&subquery) => {
            found.set(true);
            let (relation, field) = subquery.subquery.schema().qualified_field(0);
            let (relation, name) = (relation.cloned(), field.name().clone());
            let value = Expr::Column(Column::new(relation.clone(), &name));
            let plan = LogicalPlanBuilder::from(LogicalPlan::clone(&subquery.subquery))
                .aggregate(Vec::<Expr>::new(), [single_value(value)])?;
            let made = Expr::Column(Column::from(plan.schema().qualified_field(0)));
            let plan = plan
                .project([made.alias_qualified(relation, name)])?
                .build()?;
            let subquery = with_plan(plan, subquery.spans);
            Ok(Transformed::yes(Expr::ScalarSubquery(subquery)))
        }
        expr => Ok(Transformed::no(expr)),
    }
}

/// Returns whether a subquery may have no row, while its column is never NULL.
fn may_lack(subquery: &Subquery) -> bool {
    let plan = subquery.subquery.as_ref();
    let [field] = plan.schema().fields().iter().as_slice() else {
        return false;
    };
    let is_filled = !field.is_nullable() || (!field.data_type().is_null() && is_constant(plan));
    is_filled && !has_a_row(plan)
}

/// Returns whether the column is computed of constants, such as `floor(1)`: it is nullable until the
/// optimizer makes it a constant.
fn is_constant(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(list) => list
            .expr
            .first()
            .is_some_and(|value| value.column_refs().is_empty() && !value.contains_outer()),
        LogicalPlan::SubqueryAlias(alias) => is_constant(&alias.input),
        LogicalPlan::Sort(sort) => is_constant(&sort.input),
        LogicalPlan::Limit(limit) => is_constant(&limit.input),
        _ => false,
    }
}

fn has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(list) => has_a_row(&list.input),
        LogicalPlan::SubqueryAlias(alias) => has_a_row(&alias.input),
        LogicalPlan::Sort(sort) => has_a_row(&sort.input),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        _ => false,
    }
}

/// Makes an outer column nullable, because it may be the value of such a subquery.
fn nullable(expr: Expr) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::OuterReferenceColumn(field, column) if !field.is_nullable() => {
            let field = Arc::new(Field::clone(&field).with_nullable(true));
            Transformed::yes(Expr::OuterReferenceColumn(field, column))
        }
        expr => Transformed::no(expr),
    })
}
