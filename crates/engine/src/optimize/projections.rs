//! Moves a projection below a filter correctly.
//!
//! A filter may drop columns itself. DataFusion moves a projection below such a filter as if it did
//! not: column indexes of the filter's output are then used on its input
//! (`FilterExec::try_swapping_with_projection` of `datafusion-physical-plan`, 55.2). If columns of
//! a join have the same name, the wrong one is read; otherwise the plan is refused.
//!
//! So a filter below a projection drops no columns until the rule has run. Delete this when
//! DataFusion moves the projection correctly.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;

use super::rules::Operator;
use super::whole_conditions;

/// Runs the rule over filters that drop no columns, and leaves what a CASE guards in the conditions of
/// joins.
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
    whole_conditions::within(plan.data()?, |plan| rule.optimize(plan, config))
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
