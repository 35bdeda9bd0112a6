//! Rewriting the expressions of a whole plan, with every column keeping its name.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, GroupingSet, LogicalPlan};

/// Applies `rewrite` to each expression of the plan and its subqueries, from the inside out; it gets what the columns are of.
///
/// # Errors
/// Those of the plan's own checks.
pub fn rewritten(
    plan: LogicalPlan,
    rewrite: impl Fn(Expr, &DFSchema) -> Transformed<Expr>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| named(expr, &names, &|expr| Ok(rewrite(expr, &schema))))
    })
    .data()
}

/// Applies `rewrite` to an expression of a node, from the inside out.
///
/// A column without an alias is named after its expression, for a window by the keys that it is ordered by, and the plan above
/// calls it so: where a rewritten expression has another name, the old one becomes its alias. The keys of ROLLUP and its like
/// are columns each.
///
/// # Errors
/// Those of `rewrite`.
pub fn named(
    expr: Expr,
    names: &NamePreserver,
    rewrite: &impl Fn(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<Expr>> {
    let keys = |keys: Vec<Expr>| -> Result<Vec<Expr>> {
        let keys = keys.into_iter();
        keys.map(|key| named(key, names, rewrite).data()).collect()
    };
    if let Expr::GroupingSet(set) = expr {
        let set = match set {
            GroupingSet::Rollup(of) => GroupingSet::Rollup(keys(of)?),
            GroupingSet::Cube(of) => GroupingSet::Cube(keys(of)?),
            GroupingSet::GroupingSets(sets) => {
                GroupingSet::GroupingSets(sets.into_iter().map(keys).collect::<Result<_>>()?)
            }
        };
        return Ok(Transformed::yes(Expr::GroupingSet(set)));
    }
    let name = names.save(&expr);
    let expr = expr.transform_up(rewrite)?;
    Ok(expr.update_data(|expr| name.restore(expr)))
}
