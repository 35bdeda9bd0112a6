//! Parts of a union within another one keep their columns in order.
//!
//! DataFusion moves a projection over such a union to each of its parts (`optimize_unions` of
//! `datafusion-optimizer`, 55.2). The projection names the columns of the first part. Parts that are
//! no projections themselves, such as those with DISTINCT or LIMIT, have other names:
//!
//! ```text
//! SELECT a, b FROM t UNION ALL SELECT DISTINCT b, a FROM t UNION ALL SELECT 1.5, 2.5
//!     returns the columns of the second part in the order a, b
//! SELECT a FROM t UNION ALL SELECT DISTINCT b FROM t UNION ALL SELECT 1.5
//!     column "a" does not exist
//! ```
//!
//! So the parts get the names of the union before. Delete this when DataFusion does it.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Projection, Union};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Runs the rule on unions whose parts have the names of their columns.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let outer = match &plan {
        LogicalPlan::Distinct(Distinct::All(input)) => input.as_ref(),
        plan => plan,
    };
    let is_concerned = match outer {
        LogicalPlan::Union(union) => union.inputs.iter().any(|part| has_other_names(part)),
        _ => false,
    };
    match is_concerned {
        true => rule.rewrite(with_names(plan)?, config),
        false => rule.rewrite(plan, config),
    }
}

/// Returns whether the rule moves a projection to parts with other names.
fn has_other_names(part: &LogicalPlan) -> bool {
    match part {
        LogicalPlan::Distinct(Distinct::All(input)) => has_other_names(input),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Union(union) => {
                let mut parts = union.inputs.iter();
                parts.any(|part| !has_names(part, &union.schema))
            }
            _ => false,
        },
        _ => false,
    }
}

fn has_names(part: &LogicalPlan, names: &DFSchema) -> bool {
    let (fields, names) = (part.schema().fields().iter(), names.fields().iter());
    fields
        .map(|field| field.name())
        .eq(names.map(|name| name.name()))
}

/// Gives the parts of the unions within a union the names of their columns.
fn with_names(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut is_outer = true;
    let rewritten = plan.transform_down(|node| {
        Ok(match node {
            LogicalPlan::Union(union) if !is_outer => {
                let union = LogicalPlan::Union(named(union)?);
                Transformed::new(union, true, TreeNodeRecursion::Jump)
            }
            LogicalPlan::Union(_) => {
                is_outer = false;
                Transformed::no(node)
            }
            LogicalPlan::Distinct(_) | LogicalPlan::Projection(_) => Transformed::no(node),
            node => Transformed::new(node, false, TreeNodeRecursion::Jump),
        })
    });
    rewritten.data()
}

fn named(union: Union) -> Result<Union> {
    let Union { inputs, schema } = union;
    let parts = inputs.into_iter().map(|part| {
        if has_names(&part, &schema) {
            return Ok(part);
        }
        let columns = part.schema().columns().into_iter().zip(schema.fields());
        let columns = columns.map(|(column, name)| Expr::Column(column).alias(name.name()));
        let columns = columns.collect();
        Projection::try_new(columns, part).map(|part| Arc::new(LogicalPlan::Projection(part)))
    });
    Ok(Union {
        inputs: parts.collect::<Result<_>>()?,
        schema,
    })
}
