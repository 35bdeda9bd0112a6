//! Matches the columns of the only input of a union by position.
//!
//! If all inputs but one are empty, DataFusion looks up the union's columns in the remaining input
//! by name (`PropagateEmptyRelation`, 55.2). The union's names are those of its first input:
//!
//! ```text
//! SELECT a FROM t WHERE false UNION ALL (SELECT b FROM u LIMIT 1)
//!     "column a does not exist"
//! SELECT a, b FROM t WHERE false UNION ALL (SELECT b, a FROM u LIMIT 1)
//!     returns b in place of a
//! ```
//!
//! Delete this when DataFusion matches them by position.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// Replaces such a union by its only input, with columns matched by position.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
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

/// Returns the only input of a union that may have rows, if all others have none.
fn only_part(plan: &LogicalPlan) -> Option<&Arc<LogicalPlan>> {
    let LogicalPlan::Union(union) = plan else {
        return None;
    };
    let is_empty = |part: &LogicalPlan| matches!(part, LogicalPlan::EmptyRelation(empty) if !empty.produce_one_row);
    let mut parts = union.inputs.iter().filter(|part| !is_empty(part));
    let part = parts.next().filter(|_| union.inputs.len() > 1)?;
    parts.next().is_none().then_some(part)
}
