//! Looks for `x = ANY (subquery)` and the like before the rule that rewrites them.
//!
//! The rule takes the whole plan apart in each pass, with the columns of all inputs of each operator
//! (`rewrite_set_comparison.rs` of `datafusion-optimizer`, 55.2). Most plans have none.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::plans::expressions::has;

/// Leaves plans without such comparisons unchanged.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match has(&plan, |expr| matches!(expr, Expr::SetComparison(_)))? {
        true => rule.rewrite(plan, config),
        false => Ok(Transformed::no(plan)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use datafusion::logical_expr::expr::{SetComparison, SetQuantifier};
    use datafusion::logical_expr::{LogicalPlanBuilder, Operator, Subquery, col, exists, lit};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;

    use super::*;

    fn rows() -> LogicalPlanBuilder {
        LogicalPlanBuilder::values(vec![vec![lit(1_i64), lit(2_i64)]]).unwrap()
    }

    fn any_of(rows: LogicalPlanBuilder) -> Expr {
        let rows = rows.project([col("column1")]).unwrap().build().unwrap();
        Expr::SetComparison(SetComparison::new(
            Box::new(col("column2")),
            Subquery {
                subquery: Arc::new(rows),
                outer_ref_columns: Vec::new(),
                spans: datafusion::common::Spans::new(),
            },
            Operator::Gt,
            SetQuantifier::Any,
        ))
    }

    #[test]
    fn comparisons_are_rewritten_and_other_plans_stay() {
        let within = |rows: LogicalPlanBuilder| exists(Arc::new(rows.build().unwrap()));
        for (plan, changes) in [
            (rows().filter(any_of(rows())), true),
            (
                rows().filter(within(rows().filter(any_of(rows())).unwrap())),
                true,
            ),
            (rows().filter(within(rows())), false),
            (rows().filter(col("column1").gt(lit(1_i64))), false),
        ] {
            let plan = plan.unwrap().build().unwrap();
            let (rule, config) = (RewriteSetComparison::new(), OptimizerContext::new());
            let guarded = guard(&rule, plan.clone(), &config).unwrap();
            let bare = rule.rewrite(plan, &config).unwrap();
            assert_eq!(guarded.data, bare.data);
            assert_eq!(guarded.transformed, bare.transformed);
            assert_eq!(guarded.transformed, changes);
        }
    }
}
