//! A union of which one part is left has the columns of that part by their places.
//!
//! Where all parts but one are empty, the engine looks for the columns of the union in the one that is left, by the union's names
//! (`PropagateEmptyRelation`, 55.2), which are those of its first part:
//!
//! ```text
//! SELECT a FROM t WHERE false UNION ALL (SELECT b FROM u LIMIT 1)               "column a does not exist"
//! SELECT a, b FROM t WHERE false UNION ALL (SELECT b, a FROM u LIMIT 1)         b in the place of a
//! ```
//!
//! Delete this when it takes them by their places.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Takes the columns of a single part by their places.
///
/// # Errors
/// Those of the rule.
pub fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match only_part(&plan) {
        Some(part) => {
            let columns = part.schema().iter().zip(plan.schema().iter());
            let columns = columns.map(|(column, (relation, field))| {
                Expr::from(column).alias_qualified(relation.cloned(), field.name())
            });
            let columns = columns.collect();
            let part = Arc::clone(part);
            let list = Projection::try_new_with_schema(columns, part, Arc::clone(plan.schema()))?;
            Ok(Transformed::yes(LogicalPlan::Projection(list)))
        }
        None => rule.rewrite(plan, config),
    }
}

/// The part of a union that may have rows, if all others have none.
fn only_part(plan: &LogicalPlan) -> Option<&Arc<LogicalPlan>> {
    let LogicalPlan::Union(union) = plan else {
        return None;
    };
    let is_empty = |part: &LogicalPlan| matches!(part, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row);
    let mut parts = union.inputs.iter().filter(|part| !is_empty(part));
    let part = parts.next().filter(|_| union.inputs.len() > 1)?;
    parts.next().is_none().then_some(part)
}
