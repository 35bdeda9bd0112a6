//! Moves a projection below a filter correctly.
//!
//! A filter may drop columns itself. DataFusion moves a projection below such a filter as if it did
//! not: column indexes of the filter's output are then used on its input
//! (`FilterExec::try_swapping_with_projection` of `datafusion-physical-plan`, 55.2). If columns of
//! a join have the same name, the wrong one is read; otherwise the plan is refused.
//!
//! So a filter below a projection drops no columns until the rule has run. Delete this when
//! DataFusion moves the projection correctly.
//!
//! It also moves what a projection computes, and then computes it for rows that the filter drops:
//!
//! ```text
//! SELECT id, x / y FROM t WHERE id < 3
//!     DataFusion: x / y for all rows of t, which may divide by zero
//! ```
//!
//! So filters are moved back below such projections.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;

use super::rules::Operator;
use super::whole_conditions;

/// Runs the rule over filters that drop no columns, leaves what a CASE guards in the conditions of
/// joins, and computes nothing for rows that a filter drops.
///
/// # Errors
///
/// Returns the errors of the rule and of rebuilding operators.
pub(super) fn guard(
    rule: &dyn PhysicalOptimizerRule,
    plan: Operator,
    config: &ConfigOptions,
) -> Result<Operator> {
    let plan = plan.transform_up(|node| {
        let Some(projection) = node.downcast_ref::<ProjectionExec>() else {
            return Ok(Transformed::no(node));
        };
        let Some(input) = apart(projection.input().as_ref())? else {
            return Ok(Transformed::no(node));
        };
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        Ok(Transformed::yes(
            node.replace_children(vec![input], options)?,
        ))
    });
    let plan = whole_conditions::within(plan.data()?, |plan| rule.optimize(plan, config))?;
    plan.transform_up(filtered_first).data()
}

/// Moves a filter of columns below a projection that computes something.
fn filtered_first(node: Operator) -> Result<Transformed<Operator>> {
    let Some(filter) = node.downcast_ref::<FilterExec>() else {
        return Ok(Transformed::no(node));
    };
    let Some(projection) = filter.input().downcast_ref::<ProjectionExec>() else {
        return Ok(Transformed::no(node));
    };
    let is_read = |of: &ProjectionExpr| of.expr.is::<Column>() || of.expr.is::<Literal>();
    if filter.projection().is_some() || projection.expr().iter().all(is_read) {
        return Ok(Transformed::no(node));
    }
    let Some(predicate) = of_input(filter.predicate(), projection.expr())? else {
        return Ok(Transformed::no(node));
    };
    let below = FilterExecBuilder::from(filter)
        .with_input(Arc::clone(projection.input()))
        .with_predicate(predicate)
        .build()?;
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    let above = Arc::clone(filter.input()).replace_children(vec![Arc::new(below)], options)?;
    Ok(Transformed::yes(above))
}

/// Returns a condition on what a projection returns as one on what it reads; `None` if the condition
/// reads what is computed.
pub(super) fn of_input(
    condition: &Arc<dyn PhysicalExpr>,
    projected: &[ProjectionExpr],
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut reads_columns_only = true;
    let moved = Arc::clone(condition).transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        let source = projected.get(column.index()).map(|of| &of.expr);
        match source.filter(|source| source.is::<Column>()) {
            Some(source) => Ok(Transformed::yes(Arc::clone(source))),
            None => {
                reads_columns_only = false;
                Ok(Transformed::no(part))
            }
        }
    })?;
    Ok(reads_columns_only.then_some(moved.data))
}

/// Splits a filter that drops columns into a projection over a filter.
fn apart(plan: &dyn ExecutionPlan) -> Result<Option<Operator>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    let Some(places) = filter.projection() else {
        return Ok(None);
    };
    let schema = filter.input().schema();
    let columns = places.iter().map(|place| {
        let name = schema.field(*place).name();
        ProjectionExpr::new(
            Arc::new(Column::new(name, *place)) as Arc<dyn PhysicalExpr>,
            name,
        )
    });
    let columns: Vec<ProjectionExpr> = columns.collect();
    let whole = FilterExecBuilder::from(filter)
        .apply_projection(None)?
        .build()?;
    let projection = ProjectionExec::try_new(columns, Arc::new(whole))?;
    Ok(Some(Arc::new(projection)))
}
