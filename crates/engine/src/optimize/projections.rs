//! A projection is moved below a filter by the columns that it names.
//!
//! A filter may leave columns out by itself. The engine moves a projection below such a filter as if it did not: the places of
//! columns are then those of the filter's output, and are looked up in its input (`FilterExec::try_swapping_with_projection` of
//! `datafusion-physical-plan`, 55.2). Where columns of a join have one name, the wrong one is taken; where they have not, the plan
//! is refused.
//!
//! So a filter below a projection leaves nothing out until the rule has run. Delete this when the engine moves it rightly.

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

/// Moves projections over filters that leave nothing out.
///
/// # Errors
/// Those of the rule, and of operators that are built anew.
pub fn guard(
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
    rule.optimize(plan.data()?, config)
}

/// A filter that leaves columns out, as a projection over a filter.
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
