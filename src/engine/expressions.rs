//! Rewriting the expressions of a whole plan, with every column keeping its name.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Applies `rewrite` to each expression of the plan and its subqueries, from the inside out; it gets what the columns are of.
///
/// A column without an alias is named after its expression, for a window by the keys that it is ordered by, and the plan above
/// calls it so: where a rewritten expression has another name, the old one becomes its alias.
pub fn rewritten(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| Ok(rewrite(expr, &schema)))?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })
    })
    .data()
}
