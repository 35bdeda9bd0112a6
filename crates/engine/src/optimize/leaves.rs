//! Runs the plan without a rule that fails, if the rule only saves work, and another one only where it
//! has something to move.
//!
//! DataFusion moves the reading of struct fields down to the files. Next to a correlated subquery,
//! it makes two columns of one name and then refuses its own plan (`push_down_leaf_projections` of
//! `datafusion-optimizer`, 55.2). Delete this when it does not.

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExpressionPlacement, LogicalPlan};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::plans::expressions::has;

/// Returns the plan unchanged if the rule fails. It moves what a list computes, so other plans need
/// no copy.
///
/// # Errors
///
/// Never returns an error.
pub(super) fn guard(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    let may_move = match &plan {
        LogicalPlan::Projection(list) => {
            !list.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
        }
        _ => false,
    };
    if !may_move {
        return Ok(Transformed::no(plan));
    }
    let before = plan.clone();
    Ok(rule
        .rewrite(plan, config)
        .unwrap_or_else(|_| Transformed::no(before)))
}

/// Leaves plans in which no function may move to the files unchanged: the rule copies the expressions
/// of all operators to find that out.
///
/// # Errors
///
/// Returns the rule's errors.
pub(super) fn of_parts(
    rule: &dyn OptimizerRule,
    plan: LogicalPlan,
    config: &dyn OptimizerConfig,
) -> Result<Transformed<LogicalPlan>> {
    match has(&plan, may_move)? {
        true => rule.rewrite(plan, config),
        false => Ok(Transformed::no(plan)),
    }
}

fn may_move(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(_))
        && expr.placement() == ExpressionPlacement::MoveTowardsLeafNodes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Fields, Schema};
    use datafusion::functions::core::expr_fn::get_field;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit, table_scan};
    use datafusion::optimizer::OptimizerContext;
    use datafusion::optimizer::extract_leaf_expressions::ExtractLeafExpressions;

    use super::*;

    fn rows() -> LogicalPlanBuilder {
        let parts = Fields::from(vec![Field::new("x", DataType::Int64, true)]);
        let schema = Schema::new(vec![
            Field::new("k", DataType::Int64, true),
            Field::new("s", DataType::Struct(parts), true),
        ]);
        table_scan(Some("t"), &schema, None).unwrap()
    }

    #[test]
    fn parts_of_rows_move_and_other_plans_stay() {
        let part = || get_field(col("s"), "x");
        for (plan, moves) in [
            (rows().filter(part().gt(lit(1_i64))), true),
            (rows().filter((part() + lit(1_i64)).gt(lit(1_i64))), true),
            (rows().filter(col("k").gt(lit(1_i64))), false),
            (rows().sort([col("k").sort(true, false)]), false),
            (rows().project([part()]), false),
        ] {
            let plan = plan.unwrap().build().unwrap();
            let (rule, config) = (ExtractLeafExpressions::new(), OptimizerContext::new());
            let guarded = of_parts(&rule, plan.clone(), &config).unwrap();
            let config = OptimizerContext::new();
            let bare = rule.rewrite(plan, &config).unwrap();
            assert_eq!(guarded.data, bare.data);
            assert_eq!(guarded.transformed, bare.transformed);
            assert_eq!(guarded.transformed, moves);
        }
    }
}
